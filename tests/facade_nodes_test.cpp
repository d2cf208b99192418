// health() behind Sentinels and on a cluster: every server, while all are well and while one is gone.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"

using namespace std::chrono_literals;
using cascor::CacheManager;
using support::eventually;

namespace {

cascor::CacheConfig config_for(const std::string& url, const support::CapturedLog& log) {
  cascor::CacheConfig config;
  config.redis_url = url;
  config.connection_pool.timeout = 2s;
  config.log_sink = log.sink();
  return config;
}
std::vector<std::string> shown(const cascor::Health& health, const std::string& state) {
  std::vector<std::string> all;
  for (const auto& node : health.details.nodes) {
    if (node.state == state) all.push_back(node.role + ' ' + node.address);
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("health() shows every node of a cluster, and which of them is gone and why", "[cluster][nodes]") {
  support::RedisCluster cluster;
  const support::CapturedLog log;
  CacheManager cache{config_for(cluster.url(), log)};
  REQUIRE(cache.set("k", 1));
  std::vector<std::string> masters;
  std::vector<std::string> all;
  for (std::size_t i = 0; i < 6; ++i) {
    all.push_back((i < 3 ? "master " : "replica ") + cluster.node(i).address());
  }
  std::sort(all.begin(), all.end());
  const auto well = cache.health();
  CHECK(shown(well, "up") == all);
  CHECK(shown(well, "down").empty());
  for (const auto& node : well.details.nodes) {
    CHECK(node.pool.max == (node.role == "master" ? 16 : 0));
    CHECK(node.pool.size == (node.role == "master" ? 1 : 0));
    CHECK(node.last_error.empty());
  }

  const std::string gone = cluster.node(1).address();
  cluster.node(1).kill();
  cascor::Health health;
  REQUIRE(eventually(
      [&] {
        health = cache.health();
        return shown(health, "down") == std::vector<std::string>{"master " + gone};
      },
      60s));
  const cascor::json seen = health;
  for (const auto& node : seen.at("details").at("nodes")) {
    if (node.at("address") != gone) continue;
    CHECK(node.at("state") == "down");
    CHECK_THAT(node.at("last_error").get<std::string>(), Catch::StartsWith("Error connecting to Redis on " + gone));
  }
  // Its replica takes its place; what is gone stays in the list, with nothing of ours to it.
  REQUIRE(eventually([&] { return cache.health().mode == cascor::HealthMode::live; }, 60s));
  REQUIRE(eventually(
      [&] {
        health = cache.health();
        const auto up = shown(health, "up");
        return std::find(up.begin(), up.end(), "master " + cluster.node(4).address()) != up.end();
      },
      60s));
  CHECK(shown(health, "down") == std::vector<std::string>{"master " + gone});
}

TEST_CASE("health() shows the master, its replicas and the Sentinels, and which of them are gone",
          "[sentinel][nodes]") {
  support::RedisSentinels all;
  const support::CapturedLog log;
  CacheManager cache{config_for(all.url(), log)};
  REQUIRE(cache.set("k", 1));
  std::vector<std::string> everyone{"master " + all.server(0).address(), "replica " + all.server(1).address(),
                                    "replica " + all.server(2).address()};
  for (std::size_t i = 0; i < 3; ++i) everyone.push_back("sentinel " + all.sentinel(i).address());
  std::sort(everyone.begin(), everyone.end());
  cascor::Health health;
  CHECK(eventually(  // a Sentinel takes its time to call another one well
      [&] {
        health = cache.health();
        return shown(health, "up") == everyone;
      },
      60s));
  for (const auto& node : health.details.nodes) CHECK(node.pool.size == (node.role == "master" ? 1 : 0));

  all.sentinel(0).kill();
  all.server(2).kill();
  std::vector<std::string> gone{"replica " + all.server(2).address(), "sentinel " + all.sentinel(0).address()};
  CHECK(eventually([&] { return shown(cache.health(), "down") == gone; }, 60s));
  all.server(0).kill();
  gone.push_back("master " + all.server(0).address());
  std::sort(gone.begin(), gone.end());
  CHECK(eventually(
      [&] {
        health = cache.health();
        return shown(health, "down") == gone;
      },
      60s));
  for (std::size_t i = 1; i < 3; ++i) all.sentinel(i).kill();
  CHECK(eventually([&] { return shown(cache.health(), "up").empty(); }, 60s));
}
