// Redis away: at the start, later, for a moment, for ever. Reads and writes go on in memory, one line tells of each
// change, and what was changed meanwhile is in Redis when it is back.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::ErrorCode;
using cascor::HealthMode;
using cascor::HealthStatus;
using cascor::json;

TEST_CASE("away from the start: memory serves, one WARNING tells, and the writes arrive on return") {
  RedisServer server;
  server.kill();
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  const std::string refused = "Error connecting to Redis on " + server.address() + ": Connection refused";

  const auto stored = cache.cache_metrics("latest", {{"epoch", 1}}, 1h);
  CHECK_FALSE(stored);
  REQUIRE(stored.error() != nullptr);
  CHECK(stored.error()->code() == ErrorCode::connection);
  CHECK(stored.error()->what() == refused);
  CHECK(stored.tier() == CacheTier::memory);
  const auto found = cache.get_cached_metrics();
  REQUIRE(found);
  CHECK(found->at("epoch") == 1);
  CHECK(found.status() == CacheStatus::hit);
  CHECK(found.tier() == CacheTier::memory);
  CHECK(found.ttl() <= 1h);
  CHECK(cache.get("nothing").status() == CacheStatus::miss);

  for (int i = 0; i < 200; ++i) cache.cache_metrics("epoch_" + std::to_string(i), i, 1h);
  const auto many = cache.set_many({{"a", 1}, {"b", 2}}, {.ttl = 1h});
  CHECK_FALSE(many[0]);
  CHECK(many[1].tier() == CacheTier::memory);
  CHECK(*cache.get_many({"b", "a"})[0] == 2);
  CHECK(cache.contains("a"));
  CHECK(cache.erase("a"));
  CHECK_FALSE(cache.erase("a"));
  CHECK(cache.invalidate_cache("metrics:epoch_1??") == 100);
  CHECK(log.lines() == std::vector<std::string>{"WARNING: Redis unavailable, using memory cache: " + refused});

  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(log.lines().back() ==
        "INFO: Redis connection restored: " + server.address() + " (replayed 102 writes, 2 invalidations)");
  CHECK(log.lines().size() == 2);
  CHECK(server.raw("DBSIZE").integer == 102);
  CHECK(server.raw("GET", "cascor:metrics:latest").text == R"({"epoch":1})");
  CHECK(server.raw("PTTL", "cascor:metrics:latest").integer > 3'000'000);
  CHECK(server.raw("GET", "cascor:b").text == "2");
  CHECK(server.raw("EXISTS", "cascor:a").integer == 0);
  CHECK(cache.get_cached_metrics().tier() == CacheTier::redis);
  CHECK(cache.set("after", 1));
}

TEST_CASE("lost later: the same, and each loss and each return is one line") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(log.lines() == std::vector<std::string>{"INFO: Redis connection established: " + server.address(),
                                                "INFO: Redis cache enabled (TTL: 3600s)",
                                                "INFO: Redis cache initialized (TTL: 3600s)"});
  for (int round = 1; round <= 3; ++round) {
    CHECK(cache.set("k", "in redis"));
    server.kill();
    CHECK_FALSE(cache.get("k"));  // what memory held during an earlier absence is no answer to this one
    for (int i = 0; i < 50; ++i) CHECK_FALSE(cache.set("k", i));
    CHECK(*cache.get("k") == 49);
    CHECK(changes_in(log).size() == static_cast<std::size_t>(2 * round - 1));
    server.start();
    REQUIRE(eventually_restored(log, static_cast<std::size_t>(round)));
    CHECK(log.lines().back() ==
          "INFO: Redis connection restored: " + server.address() + " (replayed 1 write, 0 invalidations)");
    CHECK(server.raw("GET", "cascor:k").text == "49");
    CHECK(server.raw("DBSIZE").integer == 1);
    CHECK(*cache.get("k") == 49);
  }
}

TEST_CASE("what was removed while Redis was away is removed there before what was written is written") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (const auto* key : {"metrics:a", "metrics:b", "erased", "kept", "rewritten"}) cache.set(key, "old", {.ttl = 1h});
  server.raw("SET", "someone:else", "theirs");
  server.raw("SET", "cascor:run:1:history", "durable");
  server.raw("SAVE");
  server.kill();
  CHECK_FALSE(cache.set("metrics:c", "old", {.ttl = 1h}));
  CHECK(cache.invalidate_cache("metrics:*") == 1);  // of what is here
  CHECK_FALSE(cache.erase("erased"));
  CHECK_FALSE(cache.set("metrics:b", "new", {.ttl = 1h}));
  CHECK_FALSE(cache.erase("rewritten"));
  CHECK_FALSE(cache.set("rewritten", "new"));
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(log.lines().back() ==
        "INFO: Redis connection restored: " + server.address() + " (replayed 2 writes, 2 invalidations)");
  CHECK_FALSE(cache.get("metrics:a"));
  CHECK(*cache.get("metrics:b") == "new");
  CHECK_FALSE(cache.get("metrics:c"));
  CHECK_FALSE(cache.get("erased"));
  CHECK(*cache.get("rewritten") == "new");
  CHECK(*cache.get("kept") == "old");
  CHECK(server.raw("GET", "someone:else").text == "theirs");
  CHECK(server.raw("GET", "cascor:run:1:history").text == "durable");
}

TEST_CASE("clearing while Redis is away clears there on return, and leaves what is not ours") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (int i = 0; i < 2'000; ++i) cache.set("k" + std::to_string(i), i);
  server.raw("SET", "someone:else", "theirs");
  server.raw("SAVE");
  server.kill();
  CHECK(cache.clear_all_cache() == 0);
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("DBSIZE").integer == 1);
}

TEST_CASE("a write that has expired meanwhile is not replayed, nor is what it replaced served again") {
  RedisServer server;
  CapturedLog log;
  const auto clock = std::make_shared<cascor::ManualClock>();
  auto config = config_for(server, log);
  config.clock = clock;
  CacheManager cache{config};
  cache.set("brief", "before", {.ttl = 10h});
  cache.set("lasting", "before", {.ttl = 10h});
  server.raw("SAVE");
  server.kill();
  cache.set("brief", "new", {.ttl = 1s});
  cache.set("lasting", "new", {.ttl = 1h});
  clock->advance(2s);
  CHECK_FALSE(cache.get("brief"));
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(log.lines().back() ==
        "INFO: Redis connection restored: " + server.address() + " (replayed 1 write, 0 invalidations)");
  CHECK(server.raw("EXISTS", "cascor:brief").integer == 0);
  CHECK(server.raw("GET", "cascor:lasting").text == "\"new\"");
  const auto left = server.raw("PTTL", "cascor:lasting").integer;
  CHECK(left <= 3'598'000);
  CHECK(left > 3'500'000);
}

TEST_CASE("a server that stands still costs one call its time limit, and then nothing") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 300ms;
  CacheManager cache{config};
  cache.set("k", "before");
  server.pause();
  const auto first = time_of([&] { CHECK_FALSE(cache.set("k", "meanwhile")); });
  CHECK(first >= 290ms);
  CHECK(first < soon);
  CHECK(time_of([&] {
          for (int i = 0; i < 500; ++i) CHECK(*cache.get("k") == "meanwhile");
        }) < soon);
  const auto away = "WARNING: Redis unavailable, using memory cache: Timeout waiting for Redis on " + server.address();
  CHECK(eventually([&] { return log.count(away) == 1; }));  // reads are served before it is told
  server.resume();
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:k").text == "\"meanwhile\"");
  CHECK(changes_in(log) == std::vector<std::string>{"away", "back"});
}

TEST_CASE("what a server still holds of a call that timed out never overwrites what came after") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 300ms;
  CacheManager cache{config};
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 400; ++i) many.emplace_back("k" + std::to_string(i), std::string(2'000, 'o'));
  server.pause();
  cache.set_many(many);
  for (const auto& [key, value] : many) cache.set(key, "new");
  cache.erase("k7");
  server.resume();
  REQUIRE(eventually_restored(log));
  for (const auto& [key, value] : many) {
    REQUIRE(server.raw("GET", "cascor:" + key).text == (key == "k7" ? "" : "\"new\""));
  }
}

TEST_CASE("a server that lets questions through and holds writes back does not hold the caller") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 300ms;
  CacheManager cache{config};
  server.raw("CLIENT", "PAUSE", "2000", "WRITE");
  const auto took = time_of([&] {
    for (int i = 0; i < 20; ++i) CHECK_FALSE(cache.set("k", i));
  });
  CHECK(took < soon);
  CHECK(*cache.get("k") == 19);
  server.raw("CLIENT", "UNPAUSE");
  REQUIRE(eventually([&] { return server.raw("GET", "cascor:k").text == "19"; }));
  CHECK(eventually([&] { return changes_in(log).back() == "back"; }));
}

TEST_CASE("a server that is loading, or that refuses the account, is away until it is not") {
  CapturedLog log;
  std::atomic<bool> ready{false};
  const std::string words =
      GENERATE(std::string{"LOADING Redis is loading the dataset in memory"},
               std::string{"NOAUTH Authentication required."}, std::string{"CLUSTERDOWN The cluster is down"});
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      const bool answers = ready || command->front() == "CLIENT";
      c.send(!answers                     ? '-' + words + "\r\n"
             : command->front() == "PING" ? "+PONG\r\n"
             : command->front() == "MGET" ? "*1\r\n$-1\r\n"
                                          : "+OK\r\n");
    }
  }};
  CacheManager cache{config_for_port(server.port(), log)};
  CHECK_FALSE(cache.set("k", 1));
  CHECK(*cache.get("k") == 1);
  CHECK(log.lines() == std::vector<std::string>{"WARNING: Redis unavailable, using memory cache: " + words});
  ready = true;
  REQUIRE(eventually_restored(log));
}

TEST_CASE("a server that no connection can be made to is away, whatever it says") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  SECTION("it does not have the database") { config.redis_url = server.url("", 99); }
  SECTION("the account may not select it") {
    server.raw("ACL", "SETUSER", "plain", "on", "nopass", "~*", "+@all", "-select");
    config.redis_url = server.url("plain", 1);
  }
  CacheManager cache{config};
  for (int i = 0; i < 5; ++i) CHECK(cache.set("k", i).tier() == CacheTier::memory);
  CHECK(*cache.get("k") == 4);
  CHECK(log.lines().size() == 1);
  CHECK(log.count("WARNING: Redis unavailable, using memory cache: Error connecting to Redis on ") == 1);
}

TEST_CASE("a password that becomes right brings Redis back") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "default", "resetpass", ">right-password");
  CapturedLog log;
  auto config = config_for(server, log);
  std::atomic<bool> rotated{false};
  config.password_provider = [&] { return rotated ? "right-password" : "stale-password"; };
  CacheManager cache{config};
  CHECK_FALSE(cache.set("k", 1));
  CHECK(log.lines().size() == 1);
  CHECK_THAT(log.lines().at(0), Catch::StartsWith("WARNING: Redis unavailable, using memory cache: Error connecting to "
                                                  "Redis on " +
                                                  server.address() + ": WRONGPASS"));
  rotated = true;
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:k").text == "1");
}

TEST_CASE("a server that refuses a write is not away: the rest goes on there") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@read", "+ping", "+client");
  server.raw("SET", "cascor:k", "1");
  CapturedLog log;
  auto config = config_for(server, log);
  config.redis_url = server.url("reader");
  CacheManager cache{config};
  const auto refused = cache.set("k", 2);
  CHECK_FALSE(refused);
  CHECK(refused.tier() == CacheTier::none);
  REQUIRE(refused.error() != nullptr);
  CHECK(refused.error()->code() == ErrorCode::authentication);
  CHECK(*cache.get("k") == 1);
  CHECK(cache.get("k").tier() == CacheTier::redis);
  CHECK(cache.invalidate_cache("*") == 0);
  CHECK(changes_in(log).empty());
  CHECK(log.count("WARNING: Invalidation failed: NOPERM") == 1);
}

TEST_CASE("full memory is told to the writer, and reads go on in Redis") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.set("k", 1);
  server.raw("CONFIG", "SET", "maxmemory", "1");
  const auto refused = cache.set("k", 2);
  CHECK_FALSE(refused);
  REQUIRE(refused.error() != nullptr);
  CHECK(refused.error()->code() == ErrorCode::out_of_memory);
  CHECK(*cache.get("k") == 1);
  CHECK(cache.erase("k"));
  CHECK(changes_in(log).empty());
}

TEST_CASE("what the server refuses on return does not keep the rest away, is counted, and leaves no older value") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.set("k", "before");
  cache.set("l", "before");
  server.raw("SAVE");
  server.kill();
  cache.set("k", "meanwhile");
  cache.set("brief", "meanwhile");
  cache.erase("l");
  server.start({"--maxmemory", "1"});
  REQUIRE(eventually_restored(log));
  const auto lines = log.lines();
  CHECK(lines.at(lines.size() - 2) ==
        "INFO: Redis connection restored: " + server.address() + " (replayed 0 writes, 1 invalidation)");
  CHECK(lines.back() ==
        "WARNING: 2 changes that waited for Redis refused: OOM command not allowed when used memory > 'maxmemory'.");
  CHECK(server.raw("DBSIZE").integer == 0);
}

TEST_CASE("what Redis cannot be told to remove does not keep it away for ever") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  server.raw("ACL", "SETUSER", "writer", "on", "nopass", "~*", "+set", "+get", "+ping", "+client");
  config.redis_url = server.url("writer");
  server.kill();
  CacheManager cache{config};
  cache.set("k", 1);
  cache.invalidate_cache("x*");
  cache.erase("l");
  server.start({"--user", "writer", "on", "nopass", "~*", "+set", "+get", "+ping", "+client"});
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:k").text == "1");
  CHECK(log.count("WARNING: 2 changes that waited for Redis refused: NOPERM") == 1);
}

TEST_CASE("more than memory has room for is dropped from the oldest on, counted, and not left at an older value") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.max_memory_mb = 1;
  CacheManager cache{config};
  cache.set("first", "before");
  server.raw("SAVE");
  server.kill();
  cache.set("first", std::string(100'000, 'x'));
  for (int i = 0; i < 20; ++i) cache.set("k" + std::to_string(i), std::string(100'000, 'x'));
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(log.count("WARNING: 16 writes dropped while Redis was away: memory was short") +
            log.count("WARNING: 17 writes dropped while Redis was away: memory was short") ==
        1);
  CHECK_FALSE(cache.get("first"));
  CHECK(cache.get("k19"));

  server.kill();  // the next time nothing is dropped, and nothing is said of it
  cache.set("small", 1);
  server.start();
  REQUIRE(eventually_restored(log, 2));
  CHECK(log.count("WARNING: 1") == 1);
}

TEST_CASE("a large outage's worth of writes is replayed in pieces that keep their time limits") {
  RedisServer server;
  server.kill();
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (int i = 0; i < 3'000; ++i) cache.set("k" + std::to_string(i), i);
  for (int i = 0; i < 10; ++i) cache.set("large" + std::to_string(i), std::string(2'000'000, 'x'));
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(log.lines().back() ==
        "INFO: Redis connection restored: " + server.address() + " (replayed 3010 writes, 0 invalidations)");
  CHECK(server.raw("DBSIZE").integer == 3'010);
  CHECK(server.raw("GET", "cascor:k2999").text == "2999");
}
