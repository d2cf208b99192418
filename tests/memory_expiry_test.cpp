// MemoryCache and time: every TTL ends to the millisecond.
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "cascor/memory_cache.hpp"
#include "memory_support.hpp"

using cascor::DataError;
using cascor::MemoryCache;
using cascor::MemoryCacheOptions;
using cascor::milliseconds;
using namespace std::chrono_literals;

TEST_CASE("an entry ends exactly its TTL after it was stored, to the millisecond") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  for (const milliseconds ttl : {1ms, 2ms, 999ms, 1000ms, 86'400'000ms}) {
    cache.set("a", 1, ttl);
    timed.clock->advance(ttl - 1ns);
    CHECK(cache.get("a"));
    CHECK(cache.contains("a"));
    timed.clock->advance(1ns);
    CHECK_FALSE(cache.contains("a"));
    CHECK_FALSE(cache.get("a"));
    CHECK(cache.bytes() == 0);
  }
  cache.set("a", 1, 500us);  // rounded up
  timed.clock->advance(999us);
  CHECK(cache.get("a"));
  timed.clock->advance(1us);
  CHECK_FALSE(cache.get("a"));
  CHECK(cache.stats().expirations == 6);
}

TEST_CASE("an overwrite starts a new TTL, a read does not") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  cache.set("a", 1, 10ms);
  timed.clock->advance(9ms);
  cache.set("a", 2, 10ms);
  timed.clock->advance(9ms);
  REQUIRE(cache.get("a"));
  CHECK(*cache.get("a") == 2);
  timed.clock->advance(1ms);
  CHECK_FALSE(cache.get("a"));

  cache.set("a", 3, 10ms);
  cache.set("a", 4);  // no expiry now
  timed.clock->advance(1h);
  CHECK(cache.get("a"));
}

TEST_CASE("the default TTL is for a set without one, zero is no expiry") {
  const Timed timed;
  auto options = timed.options();
  options.default_ttl = 5ms;
  MemoryCache<int> cache{options};
  cache.set("default", 1);
  cache.set("own", 2, 1h);
  cache.set("none", 3, cascor::no_expiry);
  CHECK(cache.get("default").expires_at() == timed.clock->now() + 5ms);
  CHECK(cache.get("none").expires_at() == cascor::TimePoint::max());
  timed.clock->advance(5ms);
  CHECK_FALSE(cache.get("default"));
  CHECK(cache.get("own"));
  timed.clock->advance(100'000h);
  CHECK_FALSE(cache.get("own"));
  CHECK(cache.get("none"));
}

TEST_CASE("a TTL that cannot be is a DataError, and the cache is as it was") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options()};
  cache.set("a", "old");
  const std::size_t bytes = cache.bytes();
  CHECK_THROWS_AS(cache.set("a", "new", -1ms), DataError);
  CHECK_THROWS_AS(cache.set("a", "new", std::chrono::hours::max()), DataError);
  CHECK_THROWS_AS(cache.set("b", "new", std::chrono::duration<double>{-0.5}), DataError);
  CHECK(*cache.get("a") == "old");
  CHECK_FALSE(cache.contains("b"));
  CHECK(cache.bytes() == bytes);
}

TEST_CASE("a default TTL that cannot be is a DataError where the cache is made") {
  const Timed timed;
  for (const milliseconds ttl : {-1ms, milliseconds::min(), milliseconds::max()}) {
    auto options = timed.options();
    options.default_ttl = ttl;
    CHECK_THROWS_AS(MemoryCache<int>{options}, DataError);
  }
}

TEST_CASE("an entry that does not expire is read without asking for the time") {
  struct CountingClock final : cascor::Clock {
    cascor::TimePoint now() const noexcept override {
      ++reads;
      return cascor::TimePoint{1000h};
    }
    cascor::WallTime wall() const noexcept override { return {}; }
    mutable int reads = 0;
  };
  const auto clock = std::make_shared<CountingClock>();
  MemoryCacheOptions options;
  options.clock = clock;
  MemoryCache<int> cache{options};
  cache.set("a", 1);
  cache.set("b", 1, 1h);
  clock->reads = 0;
  CHECK(cache.get("a"));
  CHECK(clock->reads == 0);
  cascor::Now now{*clock};
  const auto hit = cache.get("b", now);
  CHECK(now() == hit.stored_at());
  CHECK(clock->reads == 1);  // by the cache and by the caller together
}

TEST_CASE("a handle tells when its value was stored and when it ends") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  const auto stored = timed.clock->now();
  cache.set("a", 1, 5s);
  timed.clock->advance(2s);
  const auto hit = cache.get("a");
  CHECK(hit.stored_at() == stored);
  CHECK(hit.expires_at() == stored + 5s);
}

TEST_CASE("what has expired gives its memory back though nobody reads it: other operations remove some each") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options(10 << 20)};
  for (int i = 0; i < 1'000; ++i) cache.set("short" + std::to_string(i), std::string(100, 'x'), 1s);
  for (int i = 0; i < 10; ++i) cache.set("long" + std::to_string(i), std::string(100, 'x'), 1h);
  cache.set("kept", "value");
  timed.clock->advance(1s);
  CHECK(cache.size() == 1'011);
  SECTION("writes and misses") {
    for (int i = 0; i < 400; ++i) cache.set("kept", "another value");
    for (int i = 0; i < 400; ++i) CHECK_FALSE(cache.get("none"));
  }
  SECTION("hits") {
    int hits = 0;
    for (int i = 0; i < 20'000; ++i) hits += cache.get("kept") ? 1 : 0;
    CHECK(hits == 20'000);
  }
  CHECK(cache.size() == 11);
  CHECK(cache.stats().expirations == 1'000);
  CHECK(cache.bytes() < 11 * 350);
}

TEST_CASE("remove_expired removes what has expired, as many as are asked for and no live ones") {
  const Timed timed;
  auto options = timed.options(10 << 20);
  options.shards = 4;
  MemoryCache<int> cache{options};
  for (int i = 0; i < 100; ++i) cache.set(std::to_string(i), i, milliseconds{1 + i});
  timed.clock->advance(50ms);
  CHECK(cache.remove_expired(20) == 20);
  CHECK(cache.size() == 80);
  CHECK(cache.remove_expired() == 30);
  CHECK(cache.remove_expired() == 0);
  CHECK(cache.size() == 50);
}

TEST_CASE("expired entries make room before any live one, however lately they were used") {
  const Timed timed;
  const std::size_t one = charge_of("short0", std::string(100, 'x'), 1s);
  MemoryCache<std::string> cache{timed.options(20 * one)};
  for (int i = 0; i < 10; ++i) cache.set("live" + std::to_string(i), std::string(100, 'x'), 1h);
  for (int i = 0; i < 10; ++i) cache.set("short" + std::to_string(i), std::string(100, 'x'), 1s);
  timed.clock->advance(1s);
  for (int i = 0; i < 10; ++i) cache.set("fresh" + std::to_string(i), std::string(100, 'x'), 1h);
  for (int i = 0; i < 10; ++i) CHECK(cache.contains("live" + std::to_string(i)));
  CHECK(cache.stats().evictions == 0);
}

TEST_CASE("the index of ends gives records in the order of their time, whatever order and TTL they came in") {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    std::mt19937 random{seed};
    cascor::detail::ExpiryIndex<> index;
    std::multiset<cascor::TimePoint> model;
    std::int64_t now = 0;
    for (int i = 0; i < 20'000; ++i) {
      now += 1;
      if (random() % 3 != 0 || model.empty()) {
        const std::int64_t lives = random() % 10 == 0 ? static_cast<std::int64_t>(random() % 5'000)
                                                      : std::array<std::int64_t, 3>{100, 500, 2'000}[random() % 3];
        const cascor::TimePoint at{std::chrono::nanoseconds{now + lives}};
        index.add({at, random()});
        model.insert(at);
      } else {
        REQUIRE(index.earliest() == *model.begin());
        REQUIRE(index.take_first().at == *model.begin());
        model.erase(model.begin());
      }
      REQUIRE(index.size() == model.size());
    }
    while (!model.empty()) {
      REQUIRE(index.take_first().at == *model.begin());
      model.erase(model.begin());
    }
    CHECK(index.earliest() == cascor::TimePoint::max());
  }
}

TEST_CASE("an overwritten, touched or erased key leaves no more than a few records of its ends behind") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  for (int i = 0; i < 10'000; ++i) {
    cache.set("a", i, i % 2 == 0 ? 1h : 2h);
    cache.touch("a", 30min);
    if (i % 3 == 0) cache.erase("a");
  }
  cache.set("a", 1, 1h);
  timed.clock->advance(1h - 1ns);
  CHECK(cache.get("a"));
  timed.clock->advance(1ns);
  CHECK(cache.remove_expired() == 1);
  CHECK(cache.size() == 0);
}
