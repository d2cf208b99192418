// What people reach for next: TTLs, counters, lists of keys, conditions, deadlines, any command. One contract for both
// backends, and what of it goes on while Redis is away.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/redis_client.hpp"
#include "support/threads.hpp"
#include "support/tls_backend.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::DataError;
using cascor::no_expiry;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnRedisUnix, OnRedisTls

TEMPLATE_TEST_CASE("ttl tells what is left, no_expiry, or that there is no entry", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("hour", 1, {.ttl = 1h});
  cache.set("forever", 1, {.ttl = no_expiry});
  REQUIRE(cache.ttl("cascor:hour"));
  CHECK(*cache.ttl("hour") <= 1h);
  CHECK(*cache.ttl("hour") >= 1h - 10s);
  CHECK(cache.ttl("forever") == no_expiry);
  CHECK_FALSE(cache.ttl("nothing"));
  CHECK_THROWS_AS(cache.ttl(""), DataError);
}

TEMPLATE_TEST_CASE("touch gives an entry a new TTL, and only an entry that is there", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("k", "value", {.ttl = 1h});
  CHECK(cache.touch("k", 2h));
  CHECK(*cache.ttl("k") > 1h);
  CHECK(cache.touch("k", no_expiry));
  CHECK(cache.ttl("k") == no_expiry);
  CHECK(cache.touch("k", no_expiry));  // it had none already
  CHECK(*cache.get<std::string>("k") == "value");
  cache.cache_topology("t", 1, 1h);
  CHECK(cache.touch("topology:t"));  // its prefix's
  CHECK(*cache.ttl("topology:t") <= 5s);
  CHECK_FALSE(cache.touch("nothing", 1h));
  CHECK_FALSE(cache.contains("nothing"));
  CHECK_THROWS_AS(cache.touch("k", -1s), DataError);
  CHECK_THROWS_AS(cache.touch("run:1", 1s), DataError);
}

TEMPLATE_TEST_CASE("increment counts from nothing, up and down, with a TTL, and reads back as a number", "",
                   EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(*cache.increment("n") == 1);
  CHECK(*cache.increment("n", 41) == 42);
  CHECK(*cache.increment("n", -50) == -8);
  CHECK(cache.get<int>("n").value() == -8);
  const auto sum = cache.increment("n", 1, 10s);
  CHECK(sum.status() == CacheStatus::hit);
  CHECK(sum.tier() == TestType::tier);
  CHECK(*cache.ttl("n") <= 10s);
  CHECK(*cache.increment("n", 0, no_expiry) == -7);
  CHECK(cache.ttl("n") == no_expiry);
  cache.set("from a set", 5);
  CHECK(*cache.increment("from a set", 2) == 7);
  CHECK_THROWS_AS(cache.increment("n", 1, -1s), DataError);
  CHECK_THROWS_AS(cache.increment("lock:n"), DataError);
}

TEMPLATE_TEST_CASE("what is no counter, or would pass 64 bits, is an error and stays as it was", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  cache.set("text", "words");
  cache.set("fraction", 1.5);
  CHECK(*cache.increment("large", most) == most);
  for (const auto* key : {"text", "fraction", "large"}) {
    CAPTURE(key);
    const auto before = *cache.get(key);
    const auto sum = cache.increment(key, 1);
    CHECK_FALSE(sum);
    CHECK(sum.status() == CacheStatus::error);
    REQUIRE(sum.error() != nullptr);
    CHECK(sum.error()->code() == cascor::ErrorCode::response);
    CHECK(*cache.get(key) == before);
  }
  auto strict = backend.config();
  strict.strict = true;
  CacheManager throws{strict};
  throws.set("text", "words");
  CHECK_THROWS_AS(throws.increment("text"), cascor::ResponseError);
}

TEMPLATE_TEST_CASE("many who count at once lose nothing", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  in_threads(8, [&](std::size_t) {
    for (int i = 0; i < 200; ++i) cache.increment("n", 1, 1h);
  });
  CHECK(cache.get<int>("n").value() == 1'600);
}

TEMPLATE_TEST_CASE("keys lists what invalidate_cache would remove, as far as asked", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (int i = 0; i < 2'500; ++i) cache.set("metrics:" + std::to_string(i), i, {.ttl = 1h});
  cache.set("topology:latest", 1);
  CHECK(cache.keys("metrics:*").size() == 2'500);
  CHECK(cache.keys().size() == 2'501);
  CHECK(cache.keys("*", 10).size() == 10);
  CHECK(cache.keys("*", 0).empty());
  CHECK(cache.keys("cascor:topology:?????t") == std::vector<std::string>{"cascor:topology:latest"});
  auto found = cache.keys("metrics:1?");
  std::sort(found.begin(), found.end());
  CHECK(found.size() == 10);
  CHECK(found.front() == "cascor:metrics:10");
  CHECK_THROWS_AS(cache.keys(""), DataError);
}

TEST_CASE("keys lists nothing of another application, and none of the library's own") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  backend.server.raw("SET", "someone:else", "1");
  backend.server.raw("SET", "cascor:lock:{k}", "token");
  backend.server.raw("ZADD", "cascor:runs", "1", "run-1");
  cache.set("k", 1);
  CHECK(cache.keys() == std::vector<std::string>{"cascor:k"});
}

TEMPLATE_TEST_CASE("only_if stores only where there is none, or only where there is one", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto refused = cache.set("k", 1, {.only_if = cascor::present});
  CHECK_FALSE(refused);
  REQUIRE(refused.error() != nullptr);
  CHECK(std::string{refused.error()->what()}.find("only_if") != std::string::npos);
  CHECK_FALSE(cache.contains("k"));
  CHECK(cache.set("k", 2, {.ttl = 1h, .only_if = cascor::absent}));
  CHECK_FALSE(cache.set("k", 3, {.ttl = 2h, .only_if = cascor::OnlyIf::absent}));
  CHECK(*cache.get("k") == 2);
  CHECK(*cache.ttl("k") <= 1h);
  CHECK(cache.set("k", 4, {.only_if = cascor::OnlyIf::present}));
  CHECK(*cache.get("k") == 4);
  const auto many = cache.set_many({{"k", 5}, {"l", 6}}, {.only_if = cascor::absent});
  CHECK_FALSE(many[0]);
  CHECK(many[1]);
  CHECK(cache.stats().errors == 0);
  CHECK(cache.stats().sets == 3);
  auto strict = backend.config();
  strict.strict = true;
  strict.key_namespace = "strict:";
  CacheManager never_throws{strict};
  CHECK_FALSE(never_throws.set("k", 1, {.only_if = cascor::present}));
}

TEMPLATE_TEST_CASE("of many who store where there is none, one does", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners{0};
    const std::string key = "k" + std::to_string(round);
    in_threads(8, [&](std::size_t i) {
      if (cache.set(key, i, {.only_if = cascor::absent})) ++winners;
    });
    CHECK(winners == 1);
  }
}

TEST_CASE("command runs anything by its arguments, and hands on what the server says") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const std::string key = "cascor:a hash %s\r\n";
  CHECK(cache.command({"HSET", key, "field", "1"}).integer == 1);
  const auto all = cache.command({"HGETALL", key});
  REQUIRE(all.elements.size() == 2);
  CHECK(all.elements[0].text == "field");
  CHECK(cache.command({"GET", "nothing"}).is_nil());
  const auto refused = cache.command({"GET", key});
  CHECK(refused.is_error());
  CHECK(refused.text.starts_with("WRONGTYPE"));
  auto strict = backend.config();
  strict.strict = true;
  CacheManager throws{strict};
  CHECK_THROWS_AS(throws.command({"GET", key}), cascor::ResponseError);
}

TEST_CASE("command has nothing to run where memory is the backend") {
  OnMemory backend;
  CacheManager cache{backend.config()};
  CHECK_THROWS_AS(cache.command({"PING"}), cascor::ResponseError);
}

TEST_CASE("the calls of a view with a deadline end by it, and a server that stands still is told of") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 300s;
  CacheManager cache{config};
  cache.set("k", 1, {.ttl = 1h});
  auto generous = cache.with_deadline(100s);
  CHECK(*generous.get("k") == 1);
  CHECK(*generous.increment("n") == 1);
  server.pause();
  CHECK(time_of([&] {
          auto soon_over = cache.with_deadline(100ms);
          const auto result = soon_over.get("k");
          CHECK_FALSE(result);
          CHECK_FALSE(soon_over.set("k", 2, {.ttl = 1h}));
          CHECK_FALSE(soon_over.erase("l"));
          CHECK(soon_over.invalidate_cache("x*") == 0);
        }) < soon);
  server.resume();
  CHECK(eventually([&] { return cache.get("k").tier() == CacheTier::redis; }));
  CHECK(*cache.get("k") == 2);  // what was kept is delivered
}

TEST_CASE("a deadline that has passed is a TimeoutError without a word to the server, and no loss of it") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  CacheManager cache{config};
  cache.set("k", 1, {.ttl = 1h});
  auto over = cache.with_deadline(0ms);
  const auto result = over.get("k");
  CHECK(result.status() == CacheStatus::error);
  REQUIRE(result.error() != nullptr);
  CHECK(result.error()->code() == cascor::ErrorCode::timeout);
  CHECK_FALSE(cache.with_deadline(-1s).set("k", 2));
  CHECK(*cache.get("k") == 1);
  CHECK(cache.with_deadline(1h).with_deadline(0ms).get("k").status() == CacheStatus::error);
  CHECK(cache.with_deadline(0ms).with_deadline(1h).get("k").status() == CacheStatus::error);
  CHECK_FALSE(log.mentions("unavailable"));
  config.strict = true;
  CacheManager strict{config};
  CHECK_THROWS_AS(strict.with_deadline(0ms).get("k"), cascor::TimeoutError);
}

TEST_CASE("a deadline of centuries is none, and one of no number has passed") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.with_deadline(std::chrono::hours::max()).set("k", 1));
  CHECK(cache.with_deadline(std::chrono::duration<double>::max()).get("k"));
  CHECK(cache.with_deadline(std::chrono::hours::min()).get("k").status() == CacheStatus::error);
  const std::chrono::duration<double> no_number{std::numeric_limits<double>::quiet_NaN()};
  CHECK(cache.with_deadline(no_number).get("k").status() == CacheStatus::error);
}

TEST_CASE("set_many walks what it is given once, as it may be computed on the way") {
  OnMemory backend;
  CacheManager cache{backend.config()};
  int computed = 0;
  // As std::views::transform would make it, which clang 14 does not compile with this standard library.
  struct Computing {
    using difference_type = std::ptrdiff_t;
    using value_type = std::pair<std::string, int>;
    int* computed = nullptr;
    int number = 0;
    value_type operator*() const {
      ++*computed;
      return {"number:" + std::to_string(number), number};
    }
    Computing& operator++() {
      ++number;
      return *this;
    }
    Computing operator++(int) {
      Computing before = *this;
      ++number;
      return before;
    }
    bool operator==(const Computing& other) const { return number == other.number; }
  };
  struct Entries {
    int* computed;
    Computing begin() const { return {computed, 1}; }
    Computing end() const { return {computed, 4}; }
  };
  CHECK(cache.set_many(Entries{&computed}).size() == 3);
  CHECK(computed == 3);
  CHECK(*cache.get<int>("number:3") == 3);
}

TEST_CASE("what stands in a session is in no message, also where it does not decode") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  server.raw("SET", "cascor:session:secret-id", "{token: hunter2}");
  const auto result = cache.get("session:secret-id");
  REQUIRE(result.error() != nullptr);
  CHECK(result.error()->what() == std::string{"the value under cascor:session:*** does not decode"});
}

TEST_CASE("a view of a memory cache serves whatever its deadline") {
  OnMemory backend;
  CacheManager cache{backend.config()};
  auto over = cache.with_deadline(0ms);
  CHECK(over.set("k", 1));
  CHECK(*over.get("k") == 1);
}

TEST_CASE("with Redis away counting, touching and conditions go on in memory, and Redis gets what came of it") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  CacheManager cache{config};
  cache.increment("counted", 100, 1h);
  server.raw("SAVE");
  server.kill();
  CHECK_FALSE(cache.set("k", 1, {.ttl = 1h}));
  CHECK(cache.set("k", 2, {.only_if = cascor::absent}).error() != nullptr);
  CHECK(*cache.get("k") == 1);
  CHECK(cache.touch("k", 2h));
  CHECK_FALSE(cache.touch("nothing", 2h));
  CHECK(*cache.ttl("k") > 1h);
  CHECK(*cache.increment("counted", 2, 1h) == 2);
  const auto sum = cache.increment("counted", 3, 1h);
  CHECK(*sum == 5);
  CHECK(sum.tier() == CacheTier::memory);
  CHECK(sum.error() != nullptr);
  cache.set("written", 10, {.ttl = 1h});
  CHECK(*cache.increment("written", 1, 1h) == 11);
  auto found = cache.keys();
  std::sort(found.begin(), found.end());
  CHECK(found == std::vector<std::string>{"cascor:counted", "cascor:k", "cascor:written"});
  const auto reply = cache.command({"PING"});
  CHECK(reply.is_error());
  CHECK(reply.text.find("Error connecting to Redis") != std::string::npos);
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:counted").text == "105");
  CHECK(server.raw("GET", "cascor:written").text == "11");
  CHECK(server.raw("GET", "cascor:k").text == "1");
  CHECK(server.raw("PTTL", "cascor:k").integer > 3'600'000);
}

TEST_CASE("a condition that memory met is asked of Redis again on its return") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  CacheManager cache{config};
  cache.set("taken", "by another", {.ttl = 1h});
  server.raw("SAVE");
  server.kill();
  CHECK_FALSE(cache.set("warm", 1));
  CHECK(cache.set("taken", "by me", {.ttl = 1h, .only_if = cascor::absent}).tier() == CacheTier::memory);
  CHECK(cache.set("free", "by me", {.ttl = 1h, .only_if = cascor::absent}).tier() == CacheTier::memory);
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:taken").text == "\"by another\"");
  CHECK(server.raw("GET", "cascor:free").text == "\"by me\"");
  CHECK(eventually([&] { return log.mentions("only_if does not hold in Redis"); }));
}

TEST_CASE("what must not be sent twice is not, however the server comes and goes") {
  // Answers questions, and hangs up on what counts, so that each loss is followed by a return at once.
  std::atomic<int> counted{0};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      const bool counts = command->front() == "EVAL" || command->back() == "NX" || command->front() == "APPEND";
      if (counts) {
        ++counted;
        return;
      }
      c.send(command->front() == "PING" ? "+PONG\r\n" : command->front() == "INFO" ? "$0\r\n\r\n" : "+OK\r\n");
    }
  }};
  CapturedLog log;
  auto config = config_for_port(server.port(), log);
  config.random = [] { return std::uint64_t{0}; };
  CacheManager cache{config};
  const std::vector<std::function<bool(CacheManager&)>> calls{
      [](CacheManager& c) { return bool{c.increment("n")}; },
      [](CacheManager& c) { return bool{c.set("k", 1, {.only_if = cascor::absent})}; },
      [](CacheManager& c) {
        return !c.command({"APPEND", "cascor:k", "x"}).is_error();
      },
  };
  for (const auto& call : calls) {
    for (int round = 0; round < 20; ++round) {
      REQUIRE(eventually([&] { return cache.health().mode == cascor::HealthMode::live; }));
      const int before = counted;
      CHECK_FALSE(call(cache));
      CHECK(counted == before + 1);
    }
  }
}
