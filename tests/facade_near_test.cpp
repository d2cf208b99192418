// The near cache: what is read from Redis stays in this process, decoded, until the server says that it changed, and no
// longer than that.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/fault_proxy.hpp"
#include "support/near.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::json;

TEST_CASE("a value that was read is served from this process, decoded, as one object, with its age and its TTL") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.cache_topology("latest", {{"units", 3}}, 1h));
  REQUIRE(eventually_near(cache, "topology:latest"));
  const auto commands = cache.stats().redis.commands;
  const auto one = cache.get_cached_topology();
  const auto other = cache.get("topology:latest");
  CHECK(one.status() == CacheStatus::hit);
  CHECK(one.tier() == CacheTier::memory);
  CHECK(one->at("units") == 3);
  CHECK(one.share() == other.share());
  REQUIRE(one.age());
  CHECK(*one.age() < 1min);
  REQUIRE(one.ttl());
  CHECK(*one.ttl() <= 1h);
  CHECK(*one.ttl() > 59min);
  CHECK(cache.stats().redis.commands == commands);
}

TEST_CASE("the read that asks Redis, and the hit behind it, share the decoded object") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_topology("a", {{"units", 3}}, 1h);
  cache.cache_topology("b", {{"units", 4}}, 1h);
  REQUIRE(eventually_near(cache, "topology:a"));
  const auto asked = cache.get_cached_topology("b");
  const auto hit = cache.get_cached_topology("b");
  CHECK(asked.tier() == CacheTier::redis);
  REQUIRE(hit.tier() == CacheTier::memory);
  CHECK(asked.share() == hit.share());
  CHECK(asked.ttl() > 59min);  // it is known now
}

TEST_CASE("a value is decoded for another type from its bytes, and both forms stay") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  server.raw("SET", "cascor:metrics:n", "[1,2.5]");
  REQUIRE(eventually_near(cache, "metrics:n"));
  const auto numbers = cache.get_cached_metrics<std::vector<double>>("n");
  CHECK(numbers == std::vector<double>{1, 2.5});
  CHECK(cache.get_cached_metrics<std::vector<double>>("n").share() == numbers.share());
  CHECK(cache.get_cached_metrics("n") == json{1, 2.5});
  CHECK(cache.get_cached_metrics<std::string>("n").status() == CacheStatus::error);
  CHECK(cache.get_cached_metrics("n").tier() == CacheTier::memory);
}

TEST_CASE("only the configured prefixes are kept near, and nothing where it is switched off") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  SECTION("by default metrics, topology and history") {
    CacheManager cache{config};
    for (const auto* key : {"metrics:a", "topology:a", "history:a", "control:a", "other"}) {
      cache.set(key, 1, {.ttl = 1h});
      (void)cache.get(key);
    }
    REQUIRE(eventually_near(cache, "metrics:a"));
    CHECK(eventually_near(cache, "topology:a"));
    CHECK(eventually_near(cache, "history:a"));
    for (int i = 0; i < 10; ++i) {
      CHECK(cache.get("control:a").tier() == CacheTier::redis);
      CHECK(cache.get("other").tier() == CacheTier::redis);
    }
  }
  SECTION("as configured") {
    config.near_cache.prefixes = {"control"};
    CacheManager cache{config};
    cache.set("control:a", 1, {.ttl = 1h});
    cache.set("metrics:a", 1, {.ttl = 1h});
    REQUIRE(eventually_near(cache, "control:a"));
    for (int i = 0; i < 10; ++i) CHECK(cache.get("metrics:a").tier() == CacheTier::redis);
  }
  SECTION("switched off") {
    config.near_cache.enabled = false;
    CacheManager cache{config};
    cache.set("metrics:a", 1, {.ttl = 1h});
    for (int i = 0; i < 10; ++i) {
      const auto found = cache.get("metrics:a");
      CHECK(found.tier() == CacheTier::redis);
      CHECK_FALSE(found.ttl());  // it is not asked for
    }
    CHECK(cache.stats().near_cache.link == "OFF");
    CHECK(server.clients() == 1);
  }
}

TEST_CASE("a program that only writes has no link, nor has one that reads other keys") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (int i = 0; i < 20; ++i) cache.cache_metrics("latest", i, 1h);
  cache.set_many({{"metrics:a", 1}, {"topology:b", 2}});
  cache.increment("metrics:n");
  cache.touch("metrics:n", 1h);
  cache.erase("metrics:a");
  cache.invalidate_cache("topology:*");
  CHECK_FALSE(cache.get("other"));
  CHECK(cache.get_many({"other", "control:a"}).size() == 2);
  CHECK(server.clients() == 1);
  CHECK(cache.stats().near_cache.link == "UNOPENED");
  (void)cache.get_many({"other", "metrics:latest"});
  CHECK(eventually([&] { return cache.stats().near_cache.link == "UP" && server.clients() == 2; }));
}

TEST_CASE("what another client writes, removes, renames or expires is no hit any more") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  const auto put = [&](const std::string& value) {
    server.raw("SET", "cascor:topology:latest", value);
    return eventually([&] { return cache.get_cached_topology() == json::parse(value); }) &&
           eventually_near(cache, "topology:latest");
  };
  for (int i = 0; i < 50; ++i) REQUIRE(put(std::to_string(i)));
  const auto gone = [&] { return eventually([&] { return !cache.get_cached_topology(); }); };
  server.raw("DEL", "cascor:topology:latest");
  CHECK(gone());
  REQUIRE(put("1"));
  server.raw("RENAME", "cascor:topology:latest", "elsewhere");
  CHECK(gone());
  REQUIRE(put("2"));
  server.raw("PEXPIRE", "cascor:topology:latest", "1");
  CHECK(gone());
  REQUIRE(put("3"));
  server.raw("FLUSHALL");
  CHECK(gone());
  CHECK(cache.stats().near_cache.flushes.server == 1);
  REQUIRE(put("4"));
  server.raw("FLUSHDB");
  CHECK(gone());
  CHECK(cache.stats().near_cache.invalidations >= 50);
}

TEST_CASE("what this process changes it sees at once, by whichever call") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (int i = 0; i < 100; ++i) {
    cache.cache_topology("latest", i, 1h);
    REQUIRE(cache.get_cached_topology() == json(i));
    REQUIRE(cache.get_cached_topology() == json(i));
  }
  const auto fill = [&] {
    cache.cache_topology("latest", 7, 1h);
    return eventually_near(cache, "topology:latest");
  };
  REQUIRE(fill());
  CHECK(cache.erase("topology:latest"));
  CHECK_FALSE(cache.get_cached_topology());
  REQUIRE(fill());
  CHECK(cache.invalidate_cache("topology:l*") == 1);
  CHECK_FALSE(cache.get_cached_topology());
  REQUIRE(fill());
  CHECK(cache.clear_all_cache() == 1);
  CHECK_FALSE(cache.get_cached_topology());
  REQUIRE(fill());
  CHECK(cache.increment("topology:latest", 1, 1h) == 8);
  CHECK(cache.get_cached_topology() == json(8));
  REQUIRE(fill());
  CHECK(cache.touch("topology:latest", 1min));
  CHECK(cache.get_cached_topology().ttl() <= 1min);
  REQUIRE(fill());
  CHECK(cache.command({"SET", "cascor:topology:latest", "9"}).text == "OK");
  CHECK(cache.get_cached_topology() == json(9));
  REQUIRE(fill());
  CHECK(cache.command({"EVAL", "return redis.call('SET', 'cascor:topology:' .. 'latest', 10)", "0"}).text == "OK");
  CHECK(cache.get_cached_topology() == json(10));
  REQUIRE(fill());
  CHECK(cache.command({"SWAPDB", "0", "3"}).text == "OK");
  CHECK_FALSE(cache.get_cached_topology());
  CHECK(cache.stats().near_cache.flushes.command == 2);
  REQUIRE(fill());
  CHECK(cache.set_many({{"topology:latest", 11}, {"metrics:x", 1}}).size() == 2);
  CHECK(cache.get_many({"metrics:x", "topology:latest"})[1] == json(11));
}

TEST_CASE("what the server has just said of a key goes before what is near") {
  RedisServer server;
  FaultProxy proxy{server};
  CapturedLog log;
  auto config = config_for(server, log);
  std::size_t links = 0;
  // The link's connection comes after that of the calls, and is slow to tell.
  proxy.choose([&](std::size_t) { return ++links > 1 ? Fault::delay(500ms) : Fault::pass(); });
  config.redis_url = "redis://" + proxy.address();
  CacheManager cache{config};
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  SECTION("contains") {
    server.raw("DEL", "cascor:topology:latest");
    CHECK_FALSE(cache.contains("topology:latest"));
  }
  SECTION("ttl") {
    server.raw("DEL", "cascor:topology:latest");
    CHECK_FALSE(cache.ttl("topology:latest"));
  }
  SECTION("a command") {
    server.raw("DEL", "cascor:topology:latest");
    CHECK(cache.command({"GET", "cascor:topology:latest"}).is_nil());
  }
  CHECK_FALSE(cache.get_cached_topology());
}

TEST_CASE("get_many serves what is near, asks for the rest in one round trip, and keeps that") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.set_many({{"metrics:a", 1}, {"metrics:b", 2}, {"metrics:c", 3}, {"x", 4}}, {.ttl = 1h});
  REQUIRE(eventually_near(cache, "metrics:b"));
  const auto batches = cache.stats().redis.batches;
  const auto first = cache.get_many({"x", "metrics:a", "metrics:b", "metrics:none", "metrics:c"});
  CHECK(cache.stats().redis.batches == batches + 1);
  CHECK(first[0] == 4);
  CHECK(first[1] == 1);
  CHECK(first[1].tier() == CacheTier::redis);
  CHECK(first[1].ttl() > 59min);
  CHECK(first[2] == 2);
  CHECK(first[2].tier() == CacheTier::memory);
  CHECK(first[3].status() == CacheStatus::miss);
  CHECK(first[4] == 3);
  const auto second = cache.get_many({"metrics:c", "metrics:a"});
  CHECK(cache.stats().redis.batches == batches + 1);
  CHECK(second[0].tier() == CacheTier::memory);
  CHECK(second[1].share() == first[1].share());
}

TEST_CASE("a value ends here no later than on the server, and is trusted a minute at most") {
  RedisServer server;
  CapturedLog log;
  const auto clock = std::make_shared<cascor::ManualClock>();
  auto config = config_for(server, log);
  config.clock = clock;
  CacheManager cache{config};
  cache.cache_topology("brief", 1, 20s);
  cache.cache_topology("lasting", 1, 1h);
  cache.cache_topology("endless", 1, cascor::no_expiry);
  for (const auto* key : {"topology:brief", "topology:lasting", "topology:endless"}) {
    REQUIRE(eventually_near(cache, key));
  }
  CHECK_FALSE(cache.get_cached_topology("endless").ttl());
  clock->advance(20s);
  CHECK(cache.get_cached_topology("brief").tier() == CacheTier::redis);  // it is there still, by the server's clock
  CHECK(cache.get_cached_topology("lasting").tier() == CacheTier::memory);
  CHECK(cache.get_cached_topology("endless").tier() == CacheTier::memory);
  clock->advance(40s);
  CHECK(cache.get_cached_topology("lasting").tier() == CacheTier::redis);
  CHECK(cache.get_cached_topology("endless").tier() == CacheTier::redis);
}

TEST_CASE("a link that is lost stops local serving at once, and nothing of before is a hit afterwards") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (int round = 1; round <= 5; ++round) {
    cache.cache_topology("latest", round, 1h);
    REQUIRE(eventually_near(cache, "topology:latest"));
    const auto ups = cache.stats().near_cache.flushes.link_up;
    server.raw(std::vector<std::string>{"MULTI"});
    server.raw("CLIENT", "KILL", "TYPE", "pubsub");
    server.raw("SET", "cascor:topology:latest", std::to_string(100 + round));
    server.raw(std::vector<std::string>{"EXEC"});
    REQUIRE(eventually([&] { return cache.stats().near_cache.flushes.link_up > ups; }));
    REQUIRE(cache.get_cached_topology() == json(100 + round));
  }
}

TEST_CASE("a link that falls silent stops local serving, although Redis answers every call") {
  RedisServer server;
  FaultProxy proxy{server};
  CapturedLog log;
  auto config = config_for(server, log);
  std::atomic<std::size_t> links{0};
  proxy.choose([&](std::size_t) { return ++links == 2 ? Fault::black_hole() : Fault::pass(); });
  SECTION("from the start") {}
  config.redis_url = "redis://" + proxy.address();
  config.connection_pool.timeout = 1s;
  CacheManager cache{config};
  cache.cache_topology("latest", 1, 1h);
  CHECK(cache.get_cached_topology().tier() == CacheTier::redis);  // never waited for
  CHECK(eventually_near(cache, "topology:latest"));               // by a link that works
  CHECK(log.count("WARNING") == 0);
}

TEST_CASE("an account that cannot track gets one line that says what it lacks, and is served without a near cache") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "plain", "on", "nopass", "~*", "resetchannels", "+@all");
  CapturedLog log;
  auto config = config_for(server, log);
  config.redis_url = server.url("plain");
  CacheManager cache{config};
  cache.cache_topology("latest", 1, 1h);
  CHECK(cache.get_cached_topology() == json(1));
  REQUIRE(eventually([&] { return cache.stats().near_cache.link == "REFUSED"; }));
  for (int i = 0; i < 10; ++i) CHECK(cache.get_cached_topology().tier() == CacheTier::redis);
  REQUIRE(log.count("INFO: Near cache not used: NOPERM") == 1);
  CHECK(log.mentions("&__redis__:invalidate"));
  CHECK(log.lines().size() == 4);
  CHECK(cache.stats().near_cache.flushes.refused == 1);
}

TEST_CASE("what was near is gone once the account may no longer track, which is counted, told and a gap of on_change") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "limited", "on", "nopass", "~*", "&*", "+@all");
  CapturedLog log;
  auto config = config_for(server, log);
  config.redis_url = server.url("limited");
  std::atomic<std::uint64_t> told{0};
  config.on_event = [&told](const cascor::CacheEvent& event) {
    if (event.kind == "flush" && event.detail.starts_with("refused: ")) told += event.count;
  };
  CacheManager cache{config};
  std::atomic<int> gaps{0};
  const auto watch = cache.on_change("metrics:*", [](std::string_view) {}, {.on_gap = [&gaps] { ++gaps; }});
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  const int before = gaps;
  server.raw("ACL", "SETUSER", "limited", "resetchannels");  // which ends the link
  REQUIRE(eventually([&] { return cache.stats().near_cache.flushes.refused == 1; }));
  CHECK(eventually([&] { return cache.stats().near_cache.entries == 0; }));  // which are given back behind it
  CHECK(cache.get_cached_topology().tier() == CacheTier::redis);
  CHECK(eventually([&] { return told == 1 && gaps > before; }));
  CHECK(json(cache.stats()).at("near_cache").at("flushes").at("refused") == 1);
}

TEST_CASE("what is kept near is bounded, and the least recently used leave first") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.near_cache.max_memory_mb = 1;
  CacheManager cache{config};
  const std::string large(100'000, 'x');
  for (int i = 0; i < 30; ++i) cache.cache_history(std::to_string(i), large, 1h);
  REQUIRE(eventually_near(cache, "history:0"));
  for (int i = 1; i < 30; ++i) {
    CHECK(cache.get_cached_history(std::to_string(i)));
    CHECK(cache.get_cached_history("0").tier() == CacheTier::memory);
  }
  const auto near = cache.stats().near_cache;
  CHECK(near.bytes <= 1 << 20);
  CHECK(near.evictions > 20);
  CHECK(cache.get_cached_history("1").tier() == CacheTier::redis);
}

TEST_CASE("results outlive the near cache, and the manager") {
  RedisServer server;
  CapturedLog log;
  cascor::CacheResult<json> kept;
  {
    CacheManager cache{config_for(server, log)};
    cache.cache_topology("latest", {{"units", 3}}, 1h);
    REQUIRE(eventually_near(cache, "topology:latest"));
    kept = cache.get_cached_topology();
  }
  CHECK(kept->at("units") == 3);
}

TEST_CASE("a call's deadline holds whatever the link does, and what is near needs none") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  server.pause();
  CHECK(cache.with_deadline(0ms).get_cached_topology() == json(1));
  const auto late = time_of([&] { CHECK_FALSE(cache.with_deadline(50ms).get("other")); });
  CHECK(late < soon);
  server.resume();
}

TEST_CASE("hits are counted by where they came from, and the statistics are JSON") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_topology("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "topology:latest"));
  const auto before = cache.stats();
  for (int i = 0; i < 10; ++i) CHECK(cache.get_cached_topology());
  cache.set("other", 1);
  CHECK(cache.get("other"));
  const auto stats = cache.stats();
  CHECK(stats.memory_hits == before.memory_hits + 10);
  CHECK(stats.redis_hits == before.redis_hits + 1);
  CHECK(stats.hits == stats.memory_hits + stats.redis_hits);
  CHECK(stats.prefixes.at("topology").memory_hits == stats.memory_hits);
  CHECK(stats.near_cache.entries == 1);
  CHECK(stats.near_cache.bytes > 0);
  const json shown = stats;
  CHECK(shown.at("near_cache").at("link") == "UP");
  CHECK(shown.at("near_cache").at("flushes").at("link_up") == 1);
  CHECK(shown.at("memory_hits") == stats.memory_hits);
}
