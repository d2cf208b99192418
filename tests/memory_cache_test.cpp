// MemoryCache: values go in, are found, kept, replaced and erased.
#include <any>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"
#include "memory_support.hpp"

using cascor::CacheHandle;
using cascor::MemoryCache;
using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_CASE("what is stored is read back, replaced and erased") {
  MemoryCache<std::string> cache;
  CHECK_FALSE(cache.get("a"));
  CHECK(cache.set("a", "1"));
  REQUIRE(cache.get("a"));
  CHECK(*cache.get("a") == "1");
  CHECK(cache.get("a")->size() == 1);
  CHECK(cache.set("a", "2"));
  CHECK(*cache.get("a") == "2");
  CHECK(cache.size() == 1);
  CHECK(cache.contains("a"));
  CHECK(cache.erase("a"));
  CHECK_FALSE(cache.erase("a"));
  CHECK_FALSE(cache.contains("a"));
  CHECK(cache.size() == 0);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("keys are bytes: empty, binary, glob characters, long ones, each its own") {
  MemoryCache<int> cache;
  const std::vector<std::string> keys{"",
                                      "\0"s,
                                      "\0\0"s,
                                      "a\0b"s,
                                      "a\0c"s,
                                      "a",
                                      "*",
                                      "[a]",
                                      "\xFF\xFE",
                                      std::string(1 << 20, 'k'),
                                      std::string((1 << 20) - 1, 'k')};
  for (std::size_t i = 0; i < keys.size(); ++i) cache.set(keys[i], static_cast<int>(i));
  CHECK(cache.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    REQUIRE(cache.get(keys[i]));
    CHECK(*cache.get(keys[i]) == static_cast<int>(i));
  }
  CHECK(*cache.get(std::string_view{}) == 0);
  CHECK(cache.set(std::string_view{}, 100));
  CHECK(cache.erase(""));
}

TEST_CASE("a value is kept as it is: lists are not wrapped, pointers move, alignment holds") {
  MemoryCache<std::vector<std::any>> lists;
  lists.set("a", {1, std::string{"two"}});
  CHECK(lists.get("a")->size() == 2);

  MemoryCache<std::unique_ptr<int>> pointers;
  pointers.set("a", std::make_unique<int>(5));
  CHECK(**pointers.get("a") == 5);

  struct alignas(64) Aligned {
    char bytes[64];
  };
  using Entry = cascor::detail::Entry<Aligned>;  // not through set(): passing such a type by value makes GCC talk
  for (const std::size_t size : {0U, 1U, 2U, 3U, 15U, 16U, 17U, 253U, 254U, 255U, 256U, 1'000U, 1'001U}) {
    const auto held = CacheHandle<Aligned>::adopt(Entry::make(std::string(size, 'k'), {}, {}, {}, size % 2 == 0));
    CHECK(reinterpret_cast<std::uintptr_t>(held.get()) % 64 == 0);
    CHECK(held.node()->key() == std::string(size, 'k'));
  }
}

TEST_CASE("a handle keeps its value through overwrite, erase, eviction, clear and the end of the cache") {
  std::vector<CacheHandle<std::string>> kept;
  {
    MemoryCache<std::string> cache{{.max_bytes = 2000}};
    cache.set("a", std::string(300, '0'));
    kept.push_back(cache.get("a"));
    cache.set("a", std::string(300, '1'));
    kept.push_back(cache.get("a"));
    cache.erase("a");
    cache.set("a", std::string(300, '2'));
    kept.push_back(cache.get("a"));
    for (int i = 0; i < 20; ++i) cache.set(std::to_string(i), std::string(300, 'x'));
    CHECK_FALSE(cache.contains("a"));
    cache.set("a", std::string(300, '3'));
    kept.push_back(cache.get("a"));
    cache.clear();
    cache.set("a", std::string(300, '4'));
    kept.push_back(cache.get("a"));
  }
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(*kept[i] == std::string(300, static_cast<char>('0' + i)));
}

TEST_CASE("handles copy, move and compare as shared pointers do") {
  MemoryCache<std::string> cache;
  cache.set("a", "1");
  CacheHandle<std::string> empty;
  CHECK_FALSE(empty);
  CHECK(empty.get() == nullptr);
  CacheHandle<std::string> one = cache.get("a");
  CacheHandle<std::string> other = one;
  CHECK(one == other);
  CHECK(one.get() == other.get());
  CacheHandle<std::string> moved = std::move(one);
  CHECK_FALSE(one);  // NOLINT(bugprone-use-after-move): that it is empty is the promise
  CHECK(moved == other);
  other = empty;
  CHECK_FALSE(other);
  moved = *&moved;
  CHECK(*moved == "1");
  cache.set("a", "1");
  CHECK_FALSE(moved == cache.get("a"));
}

TEST_CASE("erase and erase_matching count what was alive, and remove what had expired too") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  const auto fill = [&cache] {
    cache.set("metrics:1", 1, 5ms);
    cache.set("metrics:2", 2);
    cache.set("metrics:3", 3, 10ms);
    cache.set("topology:1", 4);
  };
  fill();
  timed.clock->advance(5ms);
  CHECK_FALSE(cache.erase("metrics:1"));
  CHECK(cache.size() == 3);
  fill();
  timed.clock->advance(5ms);
  CHECK(cache.erase_matching("metrics:*") == 2);
  CHECK(cache.size() == 1);
  CHECK(cache.contains("topology:1"));
  fill();
  CHECK(cache.erase_matching("[mt]*:1") == 2);
  CHECK(cache.erase_matching("nothing*") == 0);
  CHECK(cache.erase_if([](std::string_view key) { return key.ends_with('2'); }) == 1);
  CHECK(cache.erase_matching("*") == 1);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("clear removes everything, from every shard") {
  MemoryCache<std::string> cache{{.max_bytes = 1 << 20, .shards = 8}};
  for (int i = 0; i < 500; ++i) cache.set(std::to_string(i), "value");
  CHECK(cache.size() == 500);
  cache.clear();
  CHECK(cache.size() == 0);
  cache.remove_expired();
  CHECK(cache.bytes() == 0);
  CHECK_FALSE(cache.get("7"));
  CHECK(cache.set("7", "again"));
}

TEST_CASE("replace puts a value in the place of the very entry that was read, with its times") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options(5000)};
  cache.set("a", "1", 10ms);
  const auto read = cache.get("a");
  timed.clock->advance(4ms);
  CHECK(cache.replace("a", read, std::string(1000, '2')));
  const auto replaced = cache.get("a");
  CHECK(replaced->size() == 1000);
  CHECK(replaced.stored_at() == read.stored_at());
  CHECK(replaced.expires_at() == read.expires_at());
  CHECK(*read == "1");
  CHECK(cache.bytes() == charge_of("a", std::string(1000, '2'), 10ms));

  SECTION("not once it was overwritten, even with the same value") {
    cache.set("a", std::string(1000, '2'));
    CHECK_FALSE(cache.replace("a", replaced, "3"));
    CHECK(cache.get("a")->size() == 1000);
  }
  SECTION("not once it was erased, or under another key, or for no handle") {
    CHECK_FALSE(cache.replace("b", replaced, "3"));
    CHECK_FALSE(cache.replace("a", {}, "3"));
    cache.erase("a");
    CHECK_FALSE(cache.replace("a", replaced, "3"));
    CHECK_FALSE(cache.contains("a"));
    CHECK(cache.bytes() == 0);
  }
  SECTION("not once it has expired, which is counted once") {
    timed.clock->advance(6ms);
    CHECK_FALSE(cache.replace("a", replaced, "3"));
    CHECK_FALSE(cache.get("a"));
    CHECK(cache.stats().expirations == 1);
  }
  SECTION("not with what fits nowhere: what is there stays") {
    CHECK_FALSE(cache.replace("a", replaced, std::string(10'000, 'x')));
    CHECK(cache.get("a") == replaced);
    CHECK(cache.stats().refusals == 1);
  }
  SECTION("when room is short, others make way") {
    cache.set("b", std::string(3000, 'x'));
    CHECK(cache.replace("a", replaced, std::string(4000, 'y')));
    CHECK_FALSE(cache.contains("b"));
    CHECK(cache.get("a")->size() == 4000);
  }
}

TEST_CASE(
    "an overwrite by a copy gives what was written, whatever is there: shorter, longer, held, expired, with a TTL") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options()};
  std::vector<MemoryCache<std::string>::Handle> held;
  std::vector<std::string> expected;
  for (int round = 0; round < 400; ++round) {
    const std::string value(static_cast<std::size_t>(round * 37 % 611), static_cast<char>('a' + round % 26));
    REQUIRE(cache.set("a", value, round % 3 == 0 ? 5ms : 0ms));
    if (round % 7 == 0) timed.clock->advance(1ms);
    const auto hit = cache.get("a");
    REQUIRE(hit);
    REQUIRE(*hit == value);
    REQUIRE(cache.bytes() >= charge_of("a", value));
    if (round % 11 == 0) {
      held.push_back(hit);
      expected.push_back(value);
    }
    if (round % 13 == 0) timed.clock->advance(5ms);
    if (round % 50 == 0) cache.set("a", std::string(10'000, 'L'));
  }
  for (std::size_t i = 0; i < held.size(); ++i) CHECK(*held[i] == expected[i]);
  const std::vector<int> numbers(100, 7);
  MemoryCache<std::vector<int>> vectors;
  for (int i = 0; i < 3; ++i) CHECK(vectors.set("a", numbers));
  CHECK(*vectors.get("a") == numbers);
  cache.clear();
  CHECK(cache.bytes() == 0);
}

TEST_CASE("a short value leaves no large buffer behind where it overwrites a long one") {
  MemoryCache<std::string> cache;
  const std::string small(10, 's');
  for (const std::size_t size : {200U, 4'000U, 100'000U}) {
    cache.set("a", std::string(size, 'x'));
    for (int i = 0; i < 3; ++i) cache.set("a", small);
    CHECK(cache.bytes() == charge_of("a", small));
  }
}
