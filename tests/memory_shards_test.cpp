// MemoryCache in many shards, and under either policy: one cache with one bound.
#include <catch2/catch.hpp>
#include <cstddef>
#include <string>

#include "cascor/memory_cache.hpp"

using cascor::MemoryCache;

TEST_CASE("many shards are one cache: a value larger than a shard's share fits, and the bound is one") {
  const std::size_t limit = 1 << 20;
  MemoryCache<std::string> cache{{.max_bytes = limit, .shards = 16}};
  for (int i = 0; i < 20'000; ++i) {
    cache.set("key" + std::to_string(i), std::string(200, 'v'));
    REQUIRE(cache.bytes() <= limit);
  }
  CHECK(cache.bytes() > limit - 1000);
  CHECK(cache.set("large", std::string(limit * 3 / 4, 'L')));
  CHECK(cache.bytes() <= limit);
  CHECK(cache.get("large"));
  CHECK(cache.size() > 100);
}

TEST_CASE("a large value that is always in use leaves room for the keys of its own shard as for those of others") {
  const std::size_t limit = 1 << 20;
  for (const std::size_t shards : {2U, 8U}) {
    MemoryCache<std::string> cache{{.max_bytes = limit, .shards = shards}};
    const auto fill = [&cache](int count) {
      for (int i = 0; i < count; ++i) {
        (void)cache.get("large");
        cache.set(std::to_string(i), std::string(100, 'v'));
      }
    };
    fill(20'000);
    REQUIRE(cache.set("large", std::string(limit * 7 / 10, 'L')));
    fill(20'000);
    CHECK(cache.contains("large"));
    int newest = 0;  // of the last 1,000; some 1,100 fit
    for (int i = 19'000; i < 20'000; ++i) newest += cache.contains(std::to_string(i)) ? 1 : 0;
    CHECK(newest > 850);
  }
}

TEST_CASE("shards that were emptied by a large value fill evenly again") {
  const std::size_t limit = 1 << 20;
  MemoryCache<std::string> cache{{.max_bytes = limit, .shards = 8}};
  for (int round = 1; round <= 4; ++round) {
    REQUIRE(cache.set("large" + std::to_string(round), std::string(limit - 1'000, 'L')));
    for (int i = 0; i < 20'000; ++i) cache.set(std::to_string(i), std::string(100, 'v'));
    int newest = 0;
    for (int i = 18'000; i < 20'000; ++i) newest += cache.contains(std::to_string(i)) ? 1 : 0;
    CHECK(newest == 2'000);
  }
}

TEST_CASE("any number of shards that is asked for works") {
  for (const std::size_t shards : {0U, 1U, 2U, 3U, 7U, 16U, 100U, 256U, 100'000U}) {
    MemoryCache<int> cache{{.max_bytes = 1 << 20, .shards = shards}};
    for (int i = 0; i < 200; ++i) cache.set(std::to_string(i), i);
    CHECK(cache.size() == 200);
    CHECK(*cache.get("199") == 199);
  }
}

TEST_CASE("s3fifo keeps what is used through a scan that pushes everything out of lru") {
  const auto survivors = [](cascor::Eviction eviction) {
    MemoryCache<std::string> cache{{.max_bytes = 200'000, .eviction = eviction}};
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 100; ++i) {
        const std::string key = "hot" + std::to_string(i);
        if (!cache.get(key)) cache.set(key, std::string(100, 'h'));
      }
    }
    for (int i = 0; i < 10'000; ++i) cache.set("scan" + std::to_string(i), std::string(100, 's'));
    int alive = 0;
    for (int i = 0; i < 100; ++i) alive += cache.contains("hot" + std::to_string(i)) ? 1 : 0;
    return alive;
  };
  CHECK(survivors(cascor::Eviction::lru) == 0);
  CHECK(survivors(cascor::Eviction::s3fifo) == 100);
}
