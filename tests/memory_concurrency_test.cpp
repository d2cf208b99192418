// One cache, many threads, every public member in the mix. Runs under ThreadSanitizer too.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"

using cascor::CacheHandle;
using cascor::Eviction;
using cascor::ManualClock;
using cascor::MemoryCache;
using cascor::MemoryCacheOptions;
using namespace std::chrono_literals;

namespace {

std::atomic<int> alive{0};

// A value that knows which key it belongs to and can tell whether it is whole.
struct Checked {
  explicit Checked(std::string_view k, std::size_t size) : key{k}, filler(size, static_cast<char>('a' + size % 26)) {
    alive.fetch_add(1, std::memory_order_relaxed);
  }
  Checked(Checked&& other) noexcept : key{std::move(other.key)}, filler{std::move(other.filler)} {
    alive.fetch_add(1, std::memory_order_relaxed);
  }
  Checked& operator=(Checked&&) = delete;
  ~Checked() { alive.fetch_sub(1, std::memory_order_relaxed); }

  bool whole(std::string_view expected) const {
    if (key != expected) return false;
    for (const char byte : filler) {
      if (byte != static_cast<char>('a' + filler.size() % 26)) return false;
    }
    return true;
  }
  friend std::size_t weight_of(const Checked& value) {
    return sizeof value + cascor::weight_of(value.filler) - sizeof value.filler;
  }

  std::string key;
  std::string filler;
};

struct Counts {
  std::atomic<std::int64_t> entries{0};
  std::atomic<std::int64_t> bytes{0};
};
struct Observer {
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();
  void inserted(std::string_view, std::size_t charge) const noexcept {
    counts->entries.fetch_add(1, std::memory_order_relaxed);
    counts->bytes.fetch_add(static_cast<std::int64_t>(charge), std::memory_order_relaxed);
  }
  void removed(std::string_view, std::size_t charge, cascor::detail::Removal) const noexcept {
    counts->entries.fetch_sub(1, std::memory_order_relaxed);
    counts->bytes.fetch_sub(static_cast<std::int64_t>(charge), std::memory_order_relaxed);
  }
};

template <class Work>
void in_threads(int count, Work work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&work, t] { work(t); });
  for (auto& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("many threads on every member at once: values are whole, the bound holds, the counts come to nothing") {
  const auto eviction = GENERATE(Eviction::lru, Eviction::s3fifo);
  const auto shards = GENERATE(std::size_t{1}, std::size_t{4});
  CAPTURE(to_string(eviction), shards);
  constexpr std::size_t max_bytes = 20'000;
  std::vector<CacheHandle<Checked>> kept;
  {
    const auto clock = std::make_shared<ManualClock>();
    MemoryCacheOptions options;
    options.max_bytes = max_bytes;
    options.eviction = eviction;
    options.shards = shards;
    options.clock = clock;
    const Observer observer;
    MemoryCache<Checked, Observer> cache{options, observer};
    std::atomic<int> wrong{0};
    in_threads(6, [&](int t) {
      std::mt19937 random{static_cast<std::uint32_t>(t)};
      const auto up_to = [&random](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>{0, most}(random);
      };
      CacheHandle<Checked> held;
      for (int i = 0; i < 3'000; ++i) {
        const std::string key = "key" + std::to_string(up_to(40));
        const std::size_t size = up_to(30) == 0 ? up_to(25'000) : up_to(600);
        switch (up_to(20)) {
          case 0: cache.erase(key); break;
          case 1: (void)cache.contains(key); break;
          case 2: clock->advance(1ms); break;
          case 3:
            if (up_to(20) == 0) cache.clear();
            break;
          case 4:
            if (up_to(5) == 0) cache.erase_matching("key1*");
            break;
          case 5: cache.erase_if([](std::string_view one) { return one.ends_with('3'); }); break;
          case 6:
          case 7:
            if (const auto hit = cache.get(key)) (void)cache.replace(key, hit, Checked{key, size});
            break;
          case 8:
            if (cache.size() > 1'000 || cache.stats().refusals > 1'000'000) wrong = 1;
            break;
          case 9:
          case 10:
          case 11:
          case 12:
          case 13: cache.set(key, Checked{key, size}, up_to(1) == 0 ? cascor::Ttl{3ms} : cascor::Ttl{}); break;
          default:
            if (const auto hit = cache.get(key)) {
              if (!hit->whole(key)) wrong = 1;
              if (up_to(10) == 0) held = hit;
            }
        }
        if (held && !held->whole(held->key)) wrong = 1;
        if (cache.bytes() > max_bytes) wrong = 1;
      }
    });
    CHECK(wrong == 0);
    CHECK(observer.counts->entries == static_cast<std::int64_t>(cache.size()));
    CHECK(observer.counts->bytes == static_cast<std::int64_t>(cache.bytes()));
    for (int i = 0; i <= 40; ++i) {
      if (auto hit = cache.get("key" + std::to_string(i))) kept.push_back(std::move(hit));
    }
    for (int i = 0; i <= 40; ++i) cache.erase("key" + std::to_string(i));
    CHECK(cache.size() == 0);
    CHECK(cache.bytes() == 0);
    CHECK(observer.counts->entries == 0);
    CHECK(observer.counts->bytes == 0);
    CHECK(static_cast<std::size_t>(alive) == kept.size());
  }
  for (const auto& one : kept) CHECK(one->whole(one->key));
  kept.clear();
  CHECK(alive == 0);
}

TEST_CASE("a value that needs most of the room gets it while others fill every byte that becomes free") {
  constexpr std::size_t max_bytes = 200'000;
  MemoryCache<std::string> cache{{.max_bytes = max_bytes, .shards = 4}};
  std::atomic<int> large_left{150};
  in_threads(4, [&](int t) {
    if (t == 0) {
      for (; large_left > 0; --large_left) cache.set("large", std::string(max_bytes - 1'000, 'L'));
      return;
    }
    for (int i = 0; large_left > 0; ++i) cache.set(std::to_string(t * 100'000 + i % 5'000), std::string(100, 's'));
  });
  CHECK(large_left == 0);  // it was not starved: the test ends
  CHECK(cache.bytes() <= max_bytes);
}

TEST_CASE("values of which only one fits at a time do not wait for each other") {
  constexpr std::size_t max_bytes = 100'000;
  for (const std::size_t shards : {1U, 8U}) {
    MemoryCache<std::string> cache{{.max_bytes = max_bytes, .shards = shards}};
    in_threads(4, [&cache](int t) {
      for (int i = 0; i < 300; ++i) {
        cache.set("small" + std::to_string(i % 50), std::string(500, 's'));
        cache.set("large" + std::to_string(t), std::string(60'000 + static_cast<std::size_t>(t) * 5'000, 'L'));
      }
    });
    CHECK(cache.bytes() <= max_bytes);
    cache.clear();
    CHECK(cache.bytes() == 0);
  }
}

TEST_CASE("more threads than lists of recent hits read, write and evict at once: what they read is whole") {
  {
    MemoryCache<Checked> cache{{.max_bytes = 8'000, .shards = 1}};
    std::atomic<int> wrong{0};
    std::atomic<int> ready{0};
    constexpr int threads = 40;
    in_threads(threads, [&](int t) {
      ++ready;
      while (ready < threads) std::this_thread::yield();  // so that each has a number of its own
      for (int i = 0; i < 400; ++i) {
        const std::string key = std::to_string((i * 7 + t) % 60);
        if (const auto hit = cache.get(key)) {
          if (!hit->whole(key)) wrong = 1;
        } else {
          cache.set(key, Checked{key, static_cast<std::size_t>(i % 500)});
        }
      }
    });
    CHECK(wrong == 0);
    CHECK(cache.stats().evictions > 0);
    CHECK(cache.bytes() <= 8'000);
  }
  CHECK(alive == 0);
}

TEST_CASE("of many threads that replace one entry at once, each read of it, one does") {
  MemoryCache<int> cache;
  for (int round = 0; round < 200; ++round) {
    cache.set("a", 0);
    std::atomic<int> replaced{0};
    const auto read = cache.get("a");
    in_threads(3, [&](int t) { replaced += cache.replace("a", read, t + 1) ? 1 : 0; });
    REQUIRE(replaced == 1);
    REQUIRE(*cache.get("a") != 0);
  }
}

TEST_CASE("of many threads that erase one entry, one is told that it was there") {
  MemoryCache<int> cache;
  for (int round = 0; round < 200; ++round) {
    cache.set("a", 0);
    std::atomic<int> erased{0};
    in_threads(
        3, [&](int t) { erased += t == 0 ? static_cast<int>(cache.erase_matching("a")) : (cache.erase("a") ? 1 : 0); });
    REQUIRE(erased == 1);
  }
}

TEST_CASE("a reader sees what its own thread has just written, though others write other keys") {
  MemoryCache<int> cache{{.max_bytes = 50'000'000}};
  std::atomic<int> wrong{0};
  in_threads(4, [&](int t) {
    for (int i = 0; i < 3'000; ++i) {
      const std::string key = std::to_string(t) + ":" + std::to_string(i % 100);
      cache.set(key, i);
      const auto hit = cache.get(key);
      if (!hit || *hit != i) wrong = 1;
    }
  });
  CHECK(wrong == 0);
}
