// The facade on a Redis Cluster: what an application sees of it, whole, broken and mended.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/redis_cluster.hpp"

using namespace std::chrono_literals;
using cascor::CacheManager;
using support::eventually;
using support::RedisCluster;

TEST_CASE("A cache on a Redis Cluster invalidates on every node, and nothing of another application", "[cluster]") {
  const RedisCluster& cluster = support::shared_cluster();
  CacheManager cache = CacheManager::from_url(cluster.url());
  CacheManager other = CacheManager::from_url(cluster.url());
  std::vector<std::string> keys;
  for (int i = 0; i < 50; ++i) {
    keys.push_back("metrics:epoch_" + std::to_string(i));
    REQUIRE(cache.set(keys.back(), {{"epoch", i}}, {.ttl = 60s}));
    const std::string foreign = "other:" + std::to_string(i);
    const std::string words = cache.command({"SET", foreign, "1"}).text;
    REQUIRE(words == "OK");
  }
  const auto found = other.get_many(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(found[i]->at("epoch") == i);
  CHECK(other.invalidate_cache("metrics:epoch_1*") == 11);
  CHECK(cache.clear_all_cache() == 39);
  CHECK(cache.command({"EXISTS", "other:7"}).integer == 1);
  CHECK(cache.health().status == cascor::HealthStatus::up);
}

TEST_CASE("While a part of the cluster is away memory serves, and what was written meanwhile arrives", "[cluster]") {
  RedisCluster cluster;
  const support::CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = cluster.url();
  config.log_sink = log.sink();
  CacheManager cache{config};
  REQUIRE(cache.set("kept", "before", {.ttl = 600s}));
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) keys.push_back("k" + std::to_string(i));
  const auto set_all = [&](int value) {
    std::vector<std::pair<std::string, int>> entries;
    for (const auto& key : keys) entries.emplace_back(key, value);
    return cache.set_many(entries, {.ttl = 600s});
  };
  (void)set_all(1);
  const std::size_t owner = cluster.master_of(cascor::redis::slot_of("cascor:kept"));
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(support::eventually_in_step(cluster.node(i), cluster.node(i + 3)));
  cluster.node(owner).kill();
  REQUIRE_FALSE(cache.set("kept", "meanwhile", {.ttl = 600s}));  // kept in memory, and so not in Redis
  CHECK(*cache.get<std::string>("kept") == "meanwhile");
  (void)set_all(2);
  REQUIRE(eventually([&] { return cache.health().mode == cascor::HealthMode::live; }, 60s));
  CHECK(*cache.get<std::string>("kept") == "meanwhile");
  for (const auto& found : cache.get_many(keys)) CHECK(*found == 2);
  CHECK(cache.stats().fallback.replayed == 301);
  CHECK(cache.stats().fallback.dropped.changed == 0);
  CHECK(log.count("WARNING: Redis unavailable, using memory cache: ") == 1);
  CHECK(log.count("INFO: Redis connection restored: " + cluster.node(0).address() + ',' + cluster.node(1).address()) ==
        1);
}
