// Redis away: what this process still holds is served as stale, with its age, for a while, and never what was changed
// here; with Redis back it is gone.
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/near.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::json;

TEST_CASE("with Redis away what was near is served as stale, with its age and the reason") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_topology("latest", {{"units", 3}}, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  server.kill();
  (void)cache.get("other");
  const auto found = cache.get_cached_topology();
  CHECK(found.status() == CacheStatus::stale);
  CHECK(found.tier() == CacheTier::memory);
  REQUIRE(found);
  CHECK(found->at("units") == 3);
  CHECK(found.age());
  REQUIRE(found.error() != nullptr);
  CHECK(found.error()->code() == cascor::ErrorCode::connection);
  CHECK(cache.get_many({"topology:latest", "topology:none"})[0].status() == CacheStatus::stale);
  CHECK(cache.get_cached_topology("none").status() == CacheStatus::miss);
  CHECK(cache.stats().stale == 2);
}

TEST_CASE("what was written here meanwhile goes before what was near, and is no stale value") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  server.kill();
  CHECK_FALSE(cache.cache_topology("latest", 2, 1h));
  const auto found = cache.get_cached_topology();
  CHECK(found == json(2));
  CHECK(found.status() == CacheStatus::hit);
}

TEST_CASE("what this process removed, before or while Redis was away, is never served again") {
  RedisServer server;
  CapturedLog log;
  const auto clock = std::make_shared<cascor::ManualClock>();
  auto config = config_for(server, log);
  config.clock = clock;
  CacheManager cache{config};
  for (const auto* key : {"erased", "invalidated", "erased before", "overwritten", "kept"}) {
    cache.cache_topology(key, 1, 1h);
    REQUIRE(eventually_near(cache, std::string{"topology:"} + key));
  }
  cache.erase("topology:erased before");
  server.raw("SAVE");
  server.kill();
  (void)cache.get("other");
  CHECK_FALSE(cache.erase("topology:erased"));
  CHECK(cache.invalidate_cache("topology:inv*") == 0);
  cache.cache_topology("overwritten", 2, 1s);
  clock->advance(2s);  // what took its place has expired
  for (const auto* key : {"erased", "invalidated", "erased before", "overwritten"}) {
    CHECK(cache.get_cached_topology(key).status() == CacheStatus::miss);
  }
  CHECK(cache.get_cached_topology("kept").status() == CacheStatus::stale);
  server.start();
  REQUIRE(eventually_restored(log));
  for (const auto* key : {"erased", "invalidated", "erased before"}) CHECK_FALSE(cache.get_cached_topology(key));
  CHECK(cache.get_cached_topology("kept").status() == CacheStatus::hit);
}

TEST_CASE("a value past its TTL, or that was demoted, is served as stale for stale_for and no longer") {
  RedisServer server;
  CapturedLog log;
  const auto clock = std::make_shared<cascor::ManualClock>();
  auto config = config_for(server, log);
  config.clock = clock;
  config.fallback.stale_for = 100s;
  CacheManager cache{config};
  cache.cache_topology("brief", 1, 10s);
  cache.cache_topology("lasting", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:brief"));
  REQUIRE(eventually_near(cache, "topology:lasting"));
  server.kill();
  REQUIRE(eventually([&] { return cache.stats().near_cache.link == "CONNECTING"; }));
  (void)cache.get("other");
  const auto is_stale = [&](const char* key) { return cache.get_cached_topology(key).status() == CacheStatus::stale; };
  CHECK(is_stale("brief"));
  CHECK(cache.get_cached_topology("lasting").ttl() > 59min);
  clock->advance(99s);
  CHECK(is_stale("brief"));
  CHECK(cache.get_cached_topology("brief").ttl() == 0ms);
  CHECK(cache.get_cached_topology("brief").age() >= 99s);
  CHECK(is_stale("lasting"));
  clock->advance(2s);
  CHECK_FALSE(is_stale("brief"));
  CHECK_FALSE(is_stale("lasting"));  // demoted when the link fell, whatever its TTL
}

TEST_CASE("what another client changed while Redis was there is only stale when Redis is lost") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  server.raw("SET", "cascor:topology:latest", "2");
  REQUIRE(eventually([&] { return cache.stats().near_cache.demotions == 1; }));
  server.kill();
  (void)cache.get("other");
  const auto found = cache.get_cached_topology();
  CHECK(found == json(1));
  CHECK(found.status() == CacheStatus::stale);
}

TEST_CASE("with Redis back nothing of before is served, not even as stale") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (std::size_t round = 1; round <= 3; ++round) {
    cache.cache_topology("latest", 1, 1h);
    REQUIRE(eventually_near(cache, "topology:latest"));
    server.kill();
    (void)cache.get("other");
    CHECK(cache.get_cached_topology().status() == CacheStatus::stale);
    server.start();  // empty
    REQUIRE(eventually_restored(log, round));
    CHECK(cache.get_cached_topology().status() == CacheStatus::miss);
    CHECK(cache.stats().near_cache.flushes.returned == round);
  }
}

TEST_CASE("without a fallback, with strict, or with stale_for 0, nothing stale is served") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  SECTION("stale_for 0") { config.fallback.stale_for = 0s; }
  SECTION("no fallback") { config.fallback.enabled = false; }
  SECTION("strict") { config.strict = true; }
  CacheManager cache{config};
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  server.kill();
  REQUIRE(eventually([&] { return cache.stats().near_cache.link != "UP"; }));
  if (config.strict) {
    CHECK_THROWS_AS(cache.get_cached_topology(), cascor::ConnectionError);
  } else {
    CHECK_FALSE(cache.get_cached_topology());
  }
}
