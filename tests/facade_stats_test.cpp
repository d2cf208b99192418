// What stats() counts: each call once, under its own prefix, the same on every backend.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::json;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnRedisUnix

TEMPLATE_TEST_CASE("reads and writes are counted whole and by prefix", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.cache_metrics("a", "text", 1h);
  cache.cache_metrics("b", 1, 1h);
  cache.cache_topology(1);
  cache.set("session:s", 1);
  cache.set("control:c", 1);
  cache.set_many({{"x", 1}, {"history:y", 2}});
  for (int i = 0; i < 3; ++i) (void)cache.get_cached_metrics("a");
  (void)cache.get_cached_metrics("nothing");
  (void)cache.get_cached_metrics<int>("a");  // does not decode
  (void)cache.get_cached_topology();
  (void)cache.get_many({"x", "history:y", "nothing", "session:nothing"});
  cache.contains("x");  // counts as no read

  const auto stats = cache.stats();
  CHECK(stats.sets == 7);
  CHECK(stats.hits == 6);
  CHECK(stats.misses == 3);
  CHECK(stats.errors == 1);
  CHECK(stats.stale == 0);
  CHECK(stats.hit_rate == 0.6);
  REQUIRE(stats.prefixes.size() == 6);
  const auto& metrics = stats.prefixes.at("metrics");
  CHECK(metrics.sets == 2);
  CHECK(metrics.hits == 3);
  CHECK(metrics.misses == 1);
  CHECK(metrics.errors == 1);
  CHECK(metrics.hit_rate == 0.6);
  CHECK(stats.prefixes.at("topology").hits == 1);
  CHECK(stats.prefixes.at("history").hits == 1);
  CHECK(stats.prefixes.at("history").sets == 1);
  CHECK(stats.prefixes.at("session").misses == 1);
  CHECK(stats.prefixes.at("session").sets == 1);
  CHECK(stats.prefixes.at("control").sets == 1);
  CHECK(stats.prefixes.at("control").hit_rate == 0);
  CHECK(stats.prefixes.at("other").hits == 1);
  CHECK(stats.prefixes.at("other").misses == 1);
  CHECK(stats.set.p50_us > 0);
  CHECK(stats.set.p50_us <= stats.set.p99_us);
  CHECK(stats.set.p99_us <= stats.set.p999_us);

  const json shown = stats;
  CHECK(shown.at("hits") == 6);
  CHECK(shown.at("prefixes").at("metrics").at("hit_rate") == 0.6);
  CHECK(shown.at("get").contains("p999_us"));
}

TEMPLATE_TEST_CASE("many threads' calls are all counted", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("k", 1);
  in_threads(8, [&](std::size_t) {
    for (int i = 0; i < 200; ++i) {
      (void)cache.get("k");
      (void)cache.get("metrics:nothing");
      cache.cache_topology(i);
    }
  });
  const auto stats = cache.stats();
  CHECK(stats.hits == 1'600);
  CHECK(stats.misses == 1'600);
  CHECK(stats.sets == 1'601);
  CHECK(stats.prefixes.at("topology").sets == 1'600);
  CHECK(stats.get.p50_us > 0);
}

TEST_CASE("what memory holds is counted by prefix: entries, bytes, expirations, evictions") {
  OnMemory backend;
  auto config = backend.config();
  const auto clock = std::make_shared<cascor::ManualClock>();
  config.clock = clock;
  config.max_memory_mb = 1;
  CacheManager cache{config};
  cache.cache_metrics("a", std::string(1'000, 'x'), 1s);
  cache.cache_topology("b", 1, 1h);
  auto stats = cache.stats();
  CHECK(stats.entries == 2);
  CHECK(stats.prefixes.at("metrics").entries == 1);
  CHECK(stats.prefixes.at("metrics").bytes > 1'000);
  CHECK(stats.bytes == stats.prefixes.at("metrics").bytes + stats.prefixes.at("topology").bytes);
  clock->advance(2s);
  (void)cache.get_cached_metrics("a");
  stats = cache.stats();
  CHECK(stats.expirations == 1);
  CHECK(stats.prefixes.at("metrics").expirations == 1);
  CHECK(stats.entries == 1);
  for (int i = 0; i < 20; ++i) cache.set(std::to_string(i), std::string(100'000, 'x'));
  stats = cache.stats();
  CHECK(stats.evictions > 0);
  CHECK(stats.bytes <= 1 << 20);
  cache.clear_all_cache();
  stats = cache.stats();
  CHECK(stats.entries == 0);
  CHECK(stats.bytes == 0);
}

TEST_CASE("while Redis is away what memory keeps counts as set, what nobody keeps as an error") {
  const int nobody = free_port();
  CapturedLog log;
  auto config = config_for_port(nobody, log);
  {
    CacheManager cache{config};
    cache.set("k", 1);
    (void)cache.get("k");
    (void)cache.get("nothing");
    const auto stats = cache.stats();
    CHECK(stats.sets == 1);
    CHECK(stats.hits == 1);
    CHECK(stats.misses == 1);
    CHECK(stats.errors == 0);
  }
  config.fallback.enabled = false;
  CacheManager cache{config};
  cache.set("k", 1);
  (void)cache.get("k");
  const auto stats = cache.stats();
  CHECK(stats.sets == 0);
  CHECK(stats.errors == 2);
  CHECK(stats.hit_rate == 0);
}

TEST_CASE("every call that fails is counted as an error, once, also one that is neither read nor write") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.fallback.enabled = false;
  config.connection_pool.retry_on_timeout = false;
  config.strict = GENERATE(false, true);
  CAPTURE(config.strict);
  CacheManager cache{config};
  cache.set("k", 1);
  REQUIRE(cache.get("k"));
  const auto fails = [&](const char* prefix, auto call) {
    const auto before = cache.stats();
    if (config.strict) {
      CHECK_THROWS_AS(call(), cascor::CacheError);
    } else {
      call();
    }
    const auto after = cache.stats();
    CHECK(after.errors == before.errors + 1);
    CHECK(after.prefixes.at(prefix).errors == before.prefixes.at(prefix).errors + 1);
    CHECK(after.hit_rate == 1);  // which is of reads
  };
  fails("other", [&] { (void)cache.command({"NOSUCHCOMMAND"}); });
  server.kill();
  fails("control", [&] { (void)cache.contains("control:k"); });
  fails("topology", [&] { (void)cache.ttl("topology:k"); });
  fails("other", [&] { (void)cache.keys("*"); });
  fails("other", [&] { (void)cache.command({"GET", "cascor:k"}); });
  fails("other", [&] { (void)cache.publish("c", 1); });
}

TEST_CASE("what the Redis engine does is counted: commands, batches, retries, reconnects, the breaker") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.fallback.enabled = false;
  CacheManager cache{config};
  const auto before = cache.stats().redis;
  CHECK(before.breaker == "closed");
  cache.set_many({{"a", 1}, {"b", 2}, {"c", 3}});
  const auto after = cache.stats().redis;
  CHECK(after.commands == before.commands + 3);
  CHECK(after.batches == before.batches + 1);
  server.raw("CLIENT", "KILL", "TYPE", "normal");
  CHECK(cache.set("a", 1));
  CHECK(cache.stats().redis.reconnects > after.reconnects);
  server.kill();
  for (int i = 0; i < 20; ++i) CHECK_FALSE(cache.set("a", 1));
  CHECK(cache.stats().redis.breaker != "closed");
  CHECK(cascor::json(cache.stats())["redis"]["breaker"] != "closed");
  server.start();
  CHECK(eventually([&] { return cache.health().status == cascor::HealthStatus::up; }));
  CHECK(cache.stats().redis.breaker == "closed");
}
