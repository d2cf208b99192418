// get_or_compute in one process, on both backends: one computation however many ask, nothing stored that something
// newer overtook, stale values where one fails, refreshing ahead, absence, deadlines.
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/gate.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::ComputeOptions;
using cascor::DataError;
using cascor::json;
using cascor::no_expiry;

#define BOTH_BACKENDS OnMemory, OnRedisTcp

namespace {

int fails() { throw std::runtime_error{"database away"}; }
// That many calls wait for a computation.
bool eventually_waiting(const CacheManager& cache, std::uint64_t waits) {
  return eventually([&] { return cache.stats().compute.waits >= waits; });
}

}  // namespace

TEMPLATE_TEST_CASE("what is computed is true with status miss, and a hit from then on", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto first = cache.get_or_compute<int>("config:answer", [] { return 42; }, {.ttl = 1h, .jitter = 0});
  REQUIRE(first);
  CHECK(*first == 42);
  CHECK(first.status() == CacheStatus::miss);
  CHECK(first.error() == nullptr);
  CHECK(first.ttl() == 1h);
  const auto second = cache.get_or_compute<int>("config:answer", fails);
  CHECK(second == 42);
  CHECK(second.status() == CacheStatus::hit);
  CHECK(second.tier() == TestType::tier);
  CHECK(cache.get<int>("config:answer") == 42);
  CHECK(*cache.ttl("config:answer") <= 1h);
  CHECK(*cache.ttl("config:answer") > 50min);
}

TEMPLATE_TEST_CASE("the type is what is computed, where none is named", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  STATIC_REQUIRE(std::is_same_v<decltype(cache.get_or_compute("i", [] { return 1; })), cascor::CacheResult<int>>);
  CHECK(*cache.get_or_compute("t", [] { return "text"; }) == "text");
  CHECK(*cache.get_or_compute("v", [] { return std::vector<int>{1, 2}; }) == std::vector<int>{1, 2});
  CHECK(cache.get_or_compute("o", [] { return std::optional<int>{7}; }) == 7);
  CHECK(cache.get_or_compute<json>("j", [] { return json{{"points", 3}}; })->at("points") == 3);
  CHECK(cache.get_or_compute("m", [own = std::make_unique<int>(5)] { return *own; }) == 5);
}

TEMPLATE_TEST_CASE("one computes however many threads ask, and every one of them has the value", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (int round = 0; round < 5; ++round) {
    Gate gate;
    std::atomic<int> computed{0};
    std::atomic<int> right{0};
    const auto ask = [&](std::size_t) {
      const auto value = cache.get_or_compute<json>("history:" + std::to_string(round), [&] {
        ++computed;
        gate.pass();
        return json{{"points", 3}};
      });
      if (value && value->at("points") == 3) ++right;
    };
    std::thread opener{[&] {
      gate.await_arrival();
      eventually_waiting(cache, 15 * (static_cast<std::uint64_t>(round) + 1));
      gate.open();
    }};
    in_threads(16, ask);
    opener.join();
    CHECK(computed == 1);
    CHECK(right == 16);
  }
  const auto stats = cache.stats();
  CHECK(stats.compute.loads == 5);
  CHECK(stats.compute.waits == 75);
  CHECK(stats.compute.coalesced == 75);
  CHECK(stats.compute.load_failures == 0);
  CHECK(stats.misses == 80);
  CHECK(json(stats)["compute"]["coalesced"] == 75);
}

TEMPLATE_TEST_CASE("those who ask for it as another type wait for the same computation", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Gate gate;
  std::thread number{[&] {
    cache.get_or_compute<int>("k", [&] {
      gate.pass();
      return 42;
    });
  }};
  gate.await_arrival();
  auto other = std::async(std::launch::async, [&] { return cache.get_or_compute<double>("k", [] { return 1.0; }); });
  auto wrong =
      std::async(std::launch::async, [&] { return cache.get_or_compute<std::string>("k", [] { return "text"; }); });
  CHECK(eventually_waiting(cache, 2));
  gate.open();
  number.join();
  CHECK(other.get() == 42.0);
  const auto text = wrong.get();
  CHECK(text.status() == CacheStatus::error);
  CHECK(dynamic_cast<const DataError*>(text.error()) != nullptr);
  CHECK(cache.stats().compute.loads == 1);
  CHECK(*cache.get<json>("k") == 42);
}

TEMPLATE_TEST_CASE("what was computed reads as a later hit does", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto loss = [] { return json{{"loss", std::numeric_limits<double>::quiet_NaN()}, {"epoch", 5}}; };
  const auto computed = cache.get_or_compute<json>("metrics:latest", loss);
  CHECK(computed->at("loss").is_null());
  CHECK(*computed == *cache.get_cached_metrics());
  CHECK_THROWS_AS(cache.get_or_compute<json>("bad", [] { return json("\xff"); }), DataError);
  CHECK_FALSE(cache.contains("bad"));
}

TEMPLATE_TEST_CASE("bytes that are no such value are an error, and nothing is computed over them", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("k", "text");
  const auto value = cache.get_or_compute<int>("k", fails);
  CHECK(value.status() == CacheStatus::error);
  CHECK(*cache.get<std::string>("k") == "text");
}

TEMPLATE_TEST_CASE("an exception is thrown as it was, to exactly those who waited for that computation", "",
                   BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK_THROWS_WITH(cache.get_or_compute<int>("k", fails), "database away");
  Gate gate;
  std::atomic<int> told{0};
  const auto ask = [&](std::size_t) {
    try {
      cache.get_or_compute<int>("k", [&]() -> int {
        gate.pass();
        return fails();
      });
    } catch (const std::runtime_error& error) {
      if (error.what() == std::string{"database away"}) ++told;
    }
  };
  std::thread opener{[&] {
    gate.await_arrival();
    eventually_waiting(cache, 7);
    gate.open();
  }};
  in_threads(8, ask);
  opener.join();
  CHECK(told == 8);
  CHECK(cache.get_or_compute<int>("k", [] { return 1; }) == 1);
  CHECK(cache.stats().compute.load_failures == 2);
}

TEMPLATE_TEST_CASE("a load that something newer overtook is returned and not stored", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Gate gate;
  std::atomic<int> given{0};
  std::thread slow{[&] {
    const auto value = cache.get_or_compute<int>("topology:slow", [&] {
      gate.pass();
      return 1;
    });
    given = value.value_or(-1);
  }};
  gate.await_arrival();
  std::optional<int> expected;
  SECTION("by an invalidation") { cache.invalidate_cache("cascor:topology:*"); }
  SECTION("by clearing") { cache.clear_all_cache(); }
  SECTION("by an erase, although there was nothing") { CHECK_FALSE(cache.erase("topology:slow")); }
  SECTION("by a newer value") {
    cache.set("topology:slow", 2);
    expected = 2;
  }
  SECTION("by one of many newer values") {
    cache.set_many({{"topology:other", 3}, {"topology:slow", 2}});
    expected = 2;
  }
  SECTION("by a count") {
    cache.increment("topology:slow", 2);
    expected = 2;
  }
  // Who asks now must not be given what began before.
  if (!expected) {
    CHECK(cache.get_or_compute<int>("topology:slow", [] { return 9; }) == 9);
    expected = 9;
  }
  gate.open();
  slow.join();
  CHECK(given == 1);
  CHECK(cache.get<int>("topology:slow") == *expected);
  CHECK(cache.stats().compute.not_stored == 1);
}

TEMPLATE_TEST_CASE("a load that an invalidation of other keys did not concern is stored", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.get_or_compute<int>("topology:k", [&] {
    cache.invalidate_cache("metrics:*");
    cache.erase("topology:j");
    cache.set("topology:i", 1);
    return 1;
  });
  CHECK(cache.get<int>("topology:k") == 1);
}

TEMPLATE_TEST_CASE("a computation may change its own key, and is then not stored", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.get_or_compute<int>("k", [&] {
    cache.erase("k");
    return 1;
  }) == 1);
  CHECK_FALSE(cache.contains("k"));
}

TEMPLATE_TEST_CASE("a computation that asks for itself is told so, and others are not in its way", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK_THROWS_AS(cache.get_or_compute<int>("k", [&] { return *cache.get_or_compute<int>("k", [] { return 1; }); }),
                  DataError);
  CHECK(cache.get_or_compute<int>("k", [&] { return *cache.get_or_compute<int>("j", [] { return 1; }) + 1; }) == 2);
  CHECK(cache.get<int>("j") == 1);
}

TEMPLATE_TEST_CASE("two computations that ask for each other do not wait for ever", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Gate both;
  std::atomic<int> circles{0};
  std::atomic<int> values{0};
  const auto ask = [&](const std::string& mine, const std::string& other) {
    try {
      cache.get_or_compute<int>(mine, [&] {
        both.pass();
        return *cache.get_or_compute<int>(other, [] { return 1; });
      });
      ++values;
    } catch (const DataError&) {
      ++circles;
    }
  };
  std::thread one{[&] { ask("a", "b"); }};
  std::thread two{[&] { ask("b", "a"); }};
  both.await_arrival(2);
  both.open();
  one.join();
  two.join();
  CHECK(circles >= 1);  // whoever closed the circle, and who waited for that one
  CHECK(circles + values == 2);
}

TEMPLATE_TEST_CASE("the library's own keys and options that cannot be are refused before anything is computed", "",
                   BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  int computed = 0;
  const auto compute = [&] { return ++computed; };
  CHECK_THROWS_AS(cache.get_or_compute("", compute), DataError);
  CHECK_THROWS_AS(cache.get_or_compute("lock:x", compute), DataError);
  for (const ComputeOptions& wrong :
       {ComputeOptions{.ttl = -1s}, ComputeOptions{.stale_for = -1s}, ComputeOptions{.stale_for = 1000000000h},
        ComputeOptions{.refresh_ahead = 1.5}, ComputeOptions{.refresh_ahead = -1s}, ComputeOptions{.stale_after = -1s},
        ComputeOptions{.absent_ttl = -1s}, ComputeOptions{.jitter = 2}, ComputeOptions{.lock_for = 1ms}}) {
    CHECK_THROWS_AS(cache.get_or_compute("k", compute, wrong), DataError);
  }
  CHECK(computed == 0);
}

TEST_CASE("a cache that is off computes each time, once for all who ask at once") {
  cascor::CacheConfig config;
  config.enabled = false;
  CacheManager cache{config};
  int computed = 0;
  for (int i = 0; i < 2; ++i) {
    const auto value = cache.get_or_compute("k", [&] { return ++computed; });
    CHECK(value == i + 1);
    CHECK(value.status() == CacheStatus::miss);
  }
  const auto none = [&] {
    ++computed;
    return std::optional<int>{};
  };
  for (int i = 0; i < 2; ++i) CHECK_FALSE(cache.get_or_compute("k", none, {.stale_for = 1min, .absent_ttl = 1min}));
  CHECK(computed == 4);
}

TEMPLATE_TEST_CASE("a waiter's deadline ends its waiting with a TimeoutError, and nobody else's", "", BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Gate gate;
  auto slow = std::async(std::launch::async, [&] {
    return cache.get_or_compute<int>("k", [&] {
      gate.pass();
      return 1;
    });
  });
  gate.await_arrival();
  if constexpr (TestType::remote) {
    const auto late = cache.with_deadline(30ms).get_or_compute<int>("k", fails);
    CHECK(late.status() == CacheStatus::error);
    CHECK(dynamic_cast<const cascor::TimeoutError*>(late.error()) != nullptr);
  } else {  // by the cache's own clock, which stands still
    const auto late = cache.with_deadline(0ms).get_or_compute<int>("k", fails);
    CHECK(dynamic_cast<const cascor::TimeoutError*>(late.error()) != nullptr);
  }
  gate.open();
  CHECK(slow.get() == 1);
}

TEMPLATE_TEST_CASE("a TTL is shortened by its jitter and never lengthened", "", BOTH_BACKENDS) {
  TestType backend;
  auto config = backend.config();
  std::uint64_t draw = 0;
  config.random = [&draw] { return draw += 7919; };
  CacheManager cache{config};
  std::set<std::int64_t> seen;
  for (int i = 0; i < 20; ++i) {
    const auto value = cache.get_or_compute(std::to_string(i), [] { return 1; }, {.ttl = 100s, .jitter = 0.5});
    CHECK(*value.ttl() <= 100s);
    CHECK(*value.ttl() >= 50s);
    seen.insert(value.ttl()->count());
  }
  CHECK(seen.size() > 10);
  CHECK_FALSE(cache.get_or_compute("forever", [] { return 1; }, {.ttl = no_expiry}).ttl());
}

TEMPLATE_TEST_CASE("that there is no value is remembered for as long as is asked, and until it changes", "",
                   BOTH_BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  int asked = 0;
  const auto none = [&]() -> std::optional<int> {
    ++asked;
    return std::nullopt;
  };
  CHECK_FALSE(cache.get_or_compute("k", none));
  CHECK_FALSE(cache.get_or_compute("k", none, {.absent_ttl = 1h}));
  CHECK(asked == 2);
  const auto remembered = cache.get_or_compute("k", none, {.absent_ttl = 1h});
  CHECK_FALSE(remembered);
  CHECK(remembered.status() == CacheStatus::miss);
  CHECK(asked == 2);
  CHECK_FALSE(cache.contains("k"));
  CHECK(cache.keys().empty());
  SECTION("an erase forgets it") { cache.erase("k"); }
  SECTION("an invalidation forgets it") { cache.invalidate_cache("k*"); }
  SECTION("a value that came and went forgets it") {
    cache.set("k", 1);
    CHECK(cache.get_or_compute("k", none, {.absent_ttl = 1h}) == 1);
    cache.erase("k");
  }
  cache.get_or_compute("k", none, {.absent_ttl = 1h});
  CHECK(asked == 3);
}

TEST_CASE("Redis away: one computation for all, kept in memory meanwhile and taken along on the return") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  server.kill();
  std::atomic<int> computed{0};
  std::atomic<int> right{0};
  in_threads(8, [&](std::size_t) {
    if (cache.get_or_compute("k", [&] { return ++computed; }) == 1) ++right;
  });
  CHECK(computed == 1);
  CHECK(right == 8);
  CHECK(cache.get_or_compute("k", fails).tier() == CacheTier::memory);
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:k").text == "1");
}

TEST_CASE("strict: Redis away is thrown, and what cannot be looked up is not computed") {
  CapturedLog log;
  RedisServer server;
  auto config = config_for(server, log);
  config.strict = true;
  CacheManager cache{config};
  server.kill();
  CHECK_THROWS_AS(cache.get_or_compute("k", [] { return 1; }), cascor::ConnectionError);
}

TEST_CASE("a newer value of another process's stays, as does what another program keeps under the key") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  CHECK(cache.get_or_compute("k", [&] {
    backend.server.raw("SET", "cascor:k", "2");
    return 1;
  }) == 1);
  CHECK(backend.server.raw("GET", "cascor:k").text == "2");
  backend.server.raw("RPUSH", "cascor:list", "x");
  CHECK(cache.get_or_compute("list", [] { return 1; }) == 1);
  CHECK(backend.server.raw("TYPE", "cascor:list").text == "list");
}
