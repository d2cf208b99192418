// The near cache behind Sentinels and on a cluster, as on one server; and both over TLS.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/near.hpp"
#include "support/received.hpp"
#include "support/tls_topologies.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;

TEST_CASE("what is near goes when another client changes it, wherever its key is", "[near][distributed]") {
  OnDistributed backend;
  CacheManager cache{backend.config()};
  for (const char* end : {"a", "b", "c", "d", "e", "f"}) {  // on every node
    CAPTURE(end);
    const std::string key = "topology:" + std::string{end};
    const std::string full = "cascor:" + key;
    RedisServer& server = server_of(backend, full);
    const auto put_near = [&] {
      server.raw("SET", full, R"({"units":3})");
      REQUIRE(eventually_near(cache, key));
    };
    const auto is_gone = [&] { return eventually([&] { return cache.get(key).status() == CacheStatus::miss; }); };
    put_near();
    server.raw("SET", full, R"({"units":4})");
    CHECK(eventually([&] {
      const auto found = cache.get(key);
      return found && found->at("units") == 4;
    }));
    put_near();
    server.raw("DEL", full);
    CHECK(is_gone());
    put_near();
    server.raw("PEXPIRE", full, "1");
    CHECK(is_gone());
    put_near();
    CHECK(cache.set(key, {{"units", 5}}));  // its own at once
    CHECK(cache.get(key)->at("units") == 5);
    CHECK(cache.erase(key));
    CHECK(cache.get(key).status() == CacheStatus::miss);
  }
}

TEST_CASE("get_many serves what is near, and asks every node for the rest at once", "[near][distributed]") {
  OnDistributed backend;
  CacheManager cache{backend.config()};
  std::vector<std::string> keys;
  for (int i = 0; i < 60; ++i) {
    keys.push_back("topology:" + std::to_string(i));
    REQUIRE(cache.set(keys.back(), i, {.ttl = 1h}));
  }
  REQUIRE(eventually_near(cache, keys[0]));
  const auto before = cache.stats().redis.batches;
  const auto first = cache.get_many<int>(keys);
  CHECK(cache.stats().redis.batches - before <= 3);
  const auto near = cache.stats().redis.batches;
  const auto second = cache.get_many<int>(keys);
  CHECK(cache.stats().redis.batches == near);
  for (int i = 0; i < 60; ++i) {
    CHECK(first[static_cast<std::size_t>(i)] == i);
    CHECK(second[static_cast<std::size_t>(i)] == i);
    CHECK(second[static_cast<std::size_t>(i)].tier() == CacheTier::memory);
  }
}

namespace {

std::size_t connections_of_ours(RedisServer& server) {
  const std::string list = server.raw("CLIENT", "LIST").text;
  std::size_t count = 0;
  for (auto at = list.find("name=cascor-cache"); at != std::string::npos; at = list.find("name=cascor-cache", at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a dashboard has three connections to one server, and two to each master of a cluster and one more",
          "[distributed]") {
  OnDistributed backend;
  const auto servers = backend.servers();
  const auto all = [&servers] {
    std::size_t count = 0;
    for (RedisServer* const server : servers) count += connections_of_ours(*server);
    return count;
  };
  REQUIRE(eventually([&] { return all() == 0; }));  // those of the test before
  CacheManager cache{backend.config()};
  for (int i = 0; i < 30; ++i) REQUIRE(cache.set("topology:" + std::to_string(i), i, {.ttl = 1h}));
  CHECK(all() == (backend.is_cluster() ? 3 : 1 + 1));  // one to a Sentinel
  REQUIRE(eventually_near(cache, "topology:7"));
  CHECK(all() == (backend.is_cluster() ? 6 : 2 + 1));
  const auto subscription = cache.subscribe({"cascor:events"}, [](const cascor::Message&) {});
  CHECK(all() == (backend.is_cluster() ? 7 : 3 + 1));
}

namespace {

// What is said by TLS alone: values on every node, messages and invalidations.
void check_over_tls(const std::string& url, TlsServers& servers) {
  CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = url;
  config.log_sink = log.sink();
  servers.trust(config);
  CacheManager cache{config};
  CacheManager other{config};
  for (int i = 0; i < 20; ++i) REQUIRE(cache.set("topology:" + std::to_string(i), i, {.ttl = 1h}));
  for (int i = 0; i < 20; ++i) REQUIRE(other.get<int>("topology:" + std::to_string(i)) == i);
  REQUIRE(eventually_near(other, "topology:7"));
  REQUIRE(cache.set("topology:7", 70, {.ttl = 1h}));
  CHECK(eventually([&] { return other.get<int>("topology:7") == 70; }));
  const Received received;
  const auto subscription = other.subscribe({"cascor:events"}, received.handler());
  cache.publish("cascor:events", "hello");
  CHECK(received.wait_for(1));
  CHECK(cache.history("run-1").append({{"epoch", 1}}).tier() == CacheTier::redis);
  CHECK(eventually(
      [&] {
        const auto health = cache.health();
        const auto& nodes = health.details.nodes;
        return health.status == cascor::HealthStatus::up && nodes.size() > 1 &&
               std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.state == "up"; });
      },
      60s));
  CHECK_FALSE(log.mentions("WARNING"));

  // Who does not trust the authority is told so, and nothing is read.
  config.tls = {};
  config.strict = true;
  config.connection_pool.timeout = 2s;
  try {
    CacheManager stranger{config};
    FAIL("a certificate of an unknown authority was taken");
  } catch (const cascor::CacheError& error) {
    CHECK_THAT(error.what(), Catch::Contains("TLS: the server's certificate is not of an authority"));
  }
}

}  // namespace

TEST_CASE("A cluster that speaks TLS is a cache as any other", "[cluster][tls][distributed]") {
  TlsCluster cluster;
  check_over_tls(cluster.url(), cluster.servers());
}

TEST_CASE("Sentinels and servers that speak TLS are a cache as any other, and a failover is followed",
          "[sentinel][tls][distributed]") {
  TlsSentinel all;
  check_over_tls(all.url(), all.servers());
  const CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = all.url();
  config.log_sink = log.sink();
  all.servers().trust(config);
  CacheManager cache{config};
  REQUIRE(cache.set("k", "before", {.ttl = 1h}));
  REQUIRE(eventually_in_step(all.servers().plain(0), all.servers().plain(1)));
  all.servers().plain(2).raw("SENTINEL", "FAILOVER", "mymaster");
  REQUIRE(eventually([&] { return all.servers().plain(1).info("role") == "master"; }, 60s));
  CHECK(eventually(  // what the old master takes before it knows goes with it
      [&] {
        return cache.set("written", 1, {.ttl = 1h}) && all.servers().plain(1).raw("GET", "cascor:written").text == "1";
      },
      60s));
  CHECK(eventually([&] { return cache.get<std::string>("k") == "before"; }));
}
