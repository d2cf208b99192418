// MemoryCache and its bound: who leaves, what is refused, and what a value may claim to weigh.
#include <catch2/catch.hpp>
#include <cstddef>
#include <limits>
#include <string>

#include "cascor/memory_cache.hpp"
#include "memory_support.hpp"

using cascor::MemoryCache;
using namespace std::string_literals;

TEST_CASE("the least recently used entry goes first; a read and an overwrite are uses, contains() is none") {
  const std::size_t one = charge_of("a", std::string(100, 'x'));
  MemoryCache<std::string> cache{{.max_bytes = 3 * one}};
  const auto set = [&cache](const char* key) { cache.set(key, std::string(100, 'x')); };
  set("a");
  set("b");
  set("c");
  CHECK(cache.bytes() == 3 * one);
  SECTION("nothing was used since") {
    set("d");
    CHECK_FALSE(cache.contains("a"));
    set("e");
    CHECK_FALSE(cache.contains("b"));
    CHECK(cache.contains("c"));
  }
  SECTION("the oldest was read") {
    (void)cache.get("a");
    set("d");
    CHECK(cache.contains("a"));
    CHECK_FALSE(cache.contains("b"));
  }
  SECTION("the oldest was written") {
    set("a");
    set("d");
    CHECK(cache.contains("a"));
    CHECK_FALSE(cache.contains("b"));
  }
  SECTION("the oldest was only asked for") {
    CHECK(cache.contains("a"));
    set("d");
    CHECK_FALSE(cache.contains("a"));
  }
  SECTION("a larger one takes the room of several") {
    cache.set("d", std::string(2 * one, 'x'));
    CHECK_FALSE(cache.contains("a"));
    CHECK_FALSE(cache.contains("b"));
    CHECK(cache.contains("d"));
    CHECK(cache.bytes() <= 3 * one);
  }
  CHECK(cache.stats().evictions >= 1);
}

TEST_CASE("an overwrite that needs room takes it from others before it leaves itself") {
  const std::size_t one = charge_of("a", std::string(100, 'x'));
  MemoryCache<std::string> cache{{.max_bytes = 3 * one}};
  for (const char* key : {"a", "b", "c"}) cache.set(key, std::string(100, 'x'));
  cache.set("a", std::string(150, 'x'));  // the oldest one
  CHECK(cache.contains("a"));
  CHECK_FALSE(cache.contains("b"));
  CHECK(cache.contains("c"));
  cache.set("a", std::string(200, 'x'));  // not: c is older, and enough
  CHECK(cache.get("a")->size() == 200);
  cache.set("a", std::string(3 * one - charge_of("a", ""s) - 40, 'x'));  // needs everything
  CHECK(cache.size() == 1);
  CHECK(cache.contains("a"));
  CHECK(cache.bytes() <= 3 * one);
}

TEST_CASE("a value that fits nowhere is refused and counted, and what was there is gone") {
  MemoryCache<std::string> cache{{.max_bytes = 1000}};
  CHECK(cache.set("a", "old"));
  CHECK(cache.set("b", "other"));
  CHECK_FALSE(cache.set("a", std::string(2000, 'x')));
  CHECK_FALSE(cache.contains("a"));
  CHECK(cache.contains("b"));
  CHECK(cache.stats().refusals == 1);
  CHECK(cache.stats().evictions == 0);
  CHECK_FALSE(cache.set(std::string(2000, 'k'), "x"));
  CHECK(cache.stats().refusals == 2);

  MemoryCache<std::string> none{{.max_bytes = 0}};
  CHECK_FALSE(none.set("a", ""));
  CHECK(none.bytes() == 0);
}

TEST_CASE("a value as large as the whole cache fits, one that weighs more than what rounding takes does not") {
  const std::size_t most = charge_of("a", Weighed{5000});
  MemoryCache<Weighed> cache{{.max_bytes = most}};
  CHECK(cache.set("a", Weighed{5000}));
  CHECK(cache.bytes() == most);
  CHECK(cache.set("b", Weighed{5000}));
  CHECK(cache.size() == 1);
  CHECK_FALSE(cache.set("c", Weighed{5009}));
}

TEST_CASE("weights that make no sense break no bound") {
  MemoryCache<Weighed> cache{{.max_bytes = 10'000}};
  CHECK(cache.set("weightless", Weighed{0}));
  CHECK(cache.bytes() > 0);
  CHECK_FALSE(cache.set("all there is", Weighed{std::numeric_limits<std::size_t>::max()}));
  CHECK_FALSE(cache.set("nearly", Weighed{std::numeric_limits<std::size_t>::max() - 60}));
  CHECK(cache.bytes() <= 10'000);

  MemoryCache<Weighed> endless{{.max_bytes = std::numeric_limits<std::size_t>::max(), .shards = 1}};
  CHECK(endless.set("a", Weighed{std::size_t{1} << 43}));
  CHECK(endless.set("b", Weighed{std::size_t{1} << 43}));
  CHECK(endless.size() == 2);
  CHECK_FALSE(endless.set("c", Weighed{std::size_t{1} << 50}));  // more than any machine has
  CHECK_FALSE(endless.set("d", Weighed{std::numeric_limits<std::size_t>::max()}));
}
