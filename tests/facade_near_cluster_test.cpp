// The near cache on a Redis Cluster: one link a master, honest while slots move and masters die.
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/redis_cluster.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using cascor::CacheManager;
using cascor::CacheTier;
using support::eventually;
using support::RedisCluster;

namespace {

std::string topology_key(int i) { return "net_" + std::to_string(i); }
// -2 where there is none to be had now.
int version_of(CacheManager& cache, const std::string& key = "latest") {
  const auto seen = cache.get_cached_topology(key);
  return seen ? seen->value("version", -2) : -2;
}
bool is_near(CacheManager& cache, const std::string& key) {
  const auto seen = cache.get_cached_topology(key);
  return seen && seen.tier() == CacheTier::memory;
}

}  // namespace

TEST_CASE("Keys of every node of a cluster are kept near, and go when another process writes them", "[cluster][near]") {
  const RedisCluster& cluster = support::shared_cluster();
  CacheManager reader = CacheManager::from_url(cluster.url());
  CacheManager writer = CacheManager::from_url(cluster.url());
  constexpr int keys = 30;
  for (int i = 0; i < keys; ++i) REQUIRE(writer.cache_topology(topology_key(i), {{"version", 0}}, 600s));
  for (int i = 0; i < keys; ++i) REQUIRE(eventually([&] { return is_near(reader, topology_key(i)); }));
  for (int i = 0; i < keys; ++i) REQUIRE(writer.cache_topology(topology_key(i), {{"version", 1}}, 600s));
  for (int i = 0; i < keys; ++i) {
    REQUIRE(eventually([&] { return version_of(reader, topology_key(i)) == 1; }));
  }
  REQUIRE(writer.invalidate_cache("topology:*") == keys);
  for (int i = 0; i < keys; ++i) REQUIRE(eventually([&] { return !reader.get_cached_topology(topology_key(i)); }));
}

TEST_CASE("Versions never go back near while their slot moves from node to node", "[cluster][near]") {
  RedisCluster cluster;
  CacheManager reader = CacheManager::from_url(cluster.url());
  CacheManager writer = CacheManager::from_url(cluster.url());
  const std::size_t slot = cascor::redis::slot_of("cascor:topology:latest");
  std::atomic<bool> done{false};
  std::atomic<int> backwards{0};
  std::atomic<int> near{0};
  std::atomic<int> last_written{0};
  std::atomic<int> moved{0};
  std::thread mover{[&] {
    moved = cluster.keep_moving(slot, 8, [&] {
      const int now_near = near;
      (void)eventually([&] { return near > now_near + 20; }, 2s);
    });
    done = true;
  }};
  support::in_threads(3, [&](std::size_t thread) {
    if (thread == 0) {
      for (int version = 1; !done; ++version) {
        if (writer.cache_topology({{"version", version}})) last_written = version;
      }
      return;
    }
    int last = 0;
    while (!done) {
      const auto seen = reader.get_cached_topology();
      if (!seen || seen.status() != cascor::CacheStatus::hit) continue;
      const int version = seen->at("version");
      if (version < last) ++backwards;
      last = version;
      if (seen.tier() == CacheTier::memory) ++near;
    }
  });
  mover.join();
  CHECK(moved > 0);
  CHECK(backwards == 0);
  CHECK(near > 0);
  CHECK(last_written > 0);
  // The nodes may still be agreeing on who has the slot.
  REQUIRE(eventually([&] { return bool{writer.cache_topology("latest", {{"version", -1}}, 600s)}; }, 60s));
  CHECK(eventually(
      [&] {
        const auto seen = reader.get_cached_topology();
        return seen && seen->at("version") == -1;
      },
      60s));
}

TEST_CASE("A master that dies takes what is near along, and its replacement is listened to", "[cluster][near]") {
  RedisCluster cluster;
  cascor::CacheConfig config;
  config.redis_url = cluster.url();
  config.connection_pool.timeout = 2s;
  CacheManager reader{config};
  CacheManager writer{config};
  REQUIRE(writer.cache_topology("latest", {{"version", 0}}, 600s));
  REQUIRE(eventually([&] { return is_near(reader, "latest"); }));
  const std::size_t owner = cluster.master_of(cascor::redis::slot_of("cascor:topology:latest"));
  REQUIRE(support::eventually_in_step(cluster.node(owner), cluster.node(owner + 3)));
  cluster.node(owner).kill();
  REQUIRE(eventually([&] { return bool{writer.cache_topology("latest", {{"version", 1}}, 600s)}; }, 60s));
  REQUIRE(eventually([&] { return is_near(reader, "latest"); }, 60s));
  for (int version = 2; version < 20; ++version) {
    REQUIRE(eventually([&] { return bool{writer.cache_topology("latest", {{"version", version}}, 600s)}; }, 60s));
    REQUIRE(eventually([&] { return version_of(reader) == version; }));
  }
}
