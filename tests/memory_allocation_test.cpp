// Allocation in the memory cache: a hit makes none, and whichever one fails leaves the cache as it was.
//
// The operators below are those of the whole test program. They count, and fail where a test asks for it in its own
// thread; all other tests see them pass everything on to malloc. Not inlined, as GCC then takes free() for a mismatch.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"

namespace {

constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
thread_local std::size_t allocations = 0;
thread_local std::size_t failing = never;  // the number of the allocation that fails

void* allocate(std::size_t size, std::size_t alignment) {
  if (allocations++ == failing) throw std::bad_alloc{};
  const std::size_t at_least_one = size == 0 ? 1 : size;
  void* const block = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                          ? std::malloc(at_least_one)
                          : std::aligned_alloc(alignment, (at_least_one + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc{};
  return block;
}

void* allocate_or_null(std::size_t size) noexcept {
  try {
    return allocate(size, 1);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 1); }
void* operator new[](std::size_t size) { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate_or_null(size); }
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace {

using cascor::Eviction;
using Cache = cascor::MemoryCache<std::string>;

// How many allocations `call` makes in this thread.
template <class Call>
std::size_t allocations_of(Call call) {
  const std::size_t before = allocations;
  call();
  return allocations - before;
}

// Runs `call` with its n-th allocation failing; false where it made fewer and so came through.
template <class Call>
bool fails_at(std::size_t n, Call call) {
  failing = allocations + n;
  try {
    call();
  } catch (const std::bad_alloc&) {
    failing = never;
    return true;
  } catch (...) {
    failing = never;
    throw;
  }
  failing = never;
  return false;
}

struct State {
  std::vector<std::pair<std::string, std::string>> entries;
  std::size_t bytes = 0;
  std::size_t size = 0;
  friend bool operator==(const State&, const State&) = default;
};

State state_of(Cache& cache) {
  State state;
  for (int i = 0; i < 200; ++i) {
    const std::string key = std::to_string(i);
    if (const auto hit = cache.get(key)) state.entries.emplace_back(key, *hit);
  }
  state.bytes = cache.bytes();
  state.size = cache.size();
  return state;
}

}  // namespace

TEST_CASE("a hit, a miss, a look and an erase allocate nothing; a set allocates one block for the entry") {
  Cache cache;
  for (int i = 0; i < 100; ++i) cache.set(std::to_string(i), std::string(100, 'x'));
  CHECK(allocations_of([&] { CHECK(cache.get("7")); }) == allocations_of([] { CHECK(true); }));
  std::size_t found = 0;
  CHECK(allocations_of([&] {
          found += cache.get("8") ? 1U : 0U;
          found += cache.get("none") ? 1U : 0U;
          found += cache.contains("9") ? 1U : 0U;
          found += cache.erase("10") ? 1U : 0U;
          found += cache.erase_matching("1?");
        }) == 0);
  CHECK(found == 12);
  std::string value(100, 'y');
  CHECK(allocations_of([&] { cache.set("7", std::move(value)); }) == 1);
  const std::string copied(90, 'z');
  cache.set("7", copied);
  CHECK(allocations_of([&] { cache.set("7", copied); }) == 0);  // into the place of what is there
  CHECK(allocations_of([&] { cache.clear(); }) == 0);
}

TEST_CASE("whichever allocation of a set fails, the cache is as it was") {
  const auto eviction = GENERATE(Eviction::lru, Eviction::s3fifo);
  const auto entries = GENERATE(0, 11, 12, 47, 48, 100);  // 12 and 48: the table is about to grow
  const std::string key = GENERATE("new", "3", "a key that is too long for the inside of a string");
  CAPTURE(to_string(eviction), entries, key);
  Cache cache{{.max_bytes = 100'000, .eviction = eviction}};
  for (int i = 0; i < entries; ++i) cache.set(std::to_string(i), "value");
  const State before = state_of(cache);
  std::size_t n = 0;
  while (true) {
    std::string value(500, 'x');
    if (!fails_at(n, [&] { cache.set(key, std::move(value)); })) break;
    CHECK(state_of(cache) == before);
    CHECK_FALSE(cache.contains("new"));
    ++n;
  }
  CHECK(n >= 1);
  CHECK(cache.get(key)->size() == 500);
}

TEST_CASE("whichever allocation of a replace fails, the old value stays") {
  Cache cache;
  cache.set("a", "old");
  const std::size_t bytes = cache.bytes();
  const auto read = cache.get("a");
  std::string value(500, 'x');
  CHECK(fails_at(0, [&] { (void)cache.replace("a", read, std::move(value)); }));
  CHECK(cache.get("a") == read);
  CHECK(cache.bytes() == bytes);
}

TEST_CASE("whichever allocation of a copy, a touch, a load or an invalidation fails, the cache is as it was") {
  const std::vector<std::pair<std::string, std::function<void(Cache&)>>> calls{
      {"a copy", [](Cache& cache) { cache.set("3", std::as_const(*std::make_unique<std::string>(500, 'x'))); }},
      {"a copy in place", [](Cache& cache) { cache.set("3", std::as_const(*std::make_unique<std::string>(90, 'x'))); }},
      {"a copy with a TTL", [](Cache& cache) { cache.set("3", std::string(500, 'x'), std::chrono::hours{1}); }},
      {"a touch", [](Cache& cache) { cache.touch("3", std::chrono::hours{1}); }},
      {"a load", [](Cache& cache) { cache.publish(cache.begin_load("new"), std::string(500, 'x')); }},
      {"a pattern", [](Cache& cache) { cache.erase_matching("a pattern that is too long for a string's inside*"); }},
  };
  for (const auto& [what, call] : calls) {
    CAPTURE(what);
    Cache cache{{.max_bytes = 100'000}};
    for (int i = 0; i < 48; ++i) cache.set(std::to_string(i), std::string(100, 'v'));
    const State before = state_of(cache);
    std::size_t n = 0;
    while (fails_at(n, [&, &one = call] { one(cache); })) {
      REQUIRE(state_of(cache) == before);
      ++n;
    }
    CHECK(n >= 1);
  }
}

TEST_CASE("a full cache goes on evicting while there is no memory for what its policy would remember") {
  Cache cache{{.max_bytes = 20'000, .eviction = Eviction::s3fifo}};
  for (int i = 0; cache.bytes() < 19'000; ++i) cache.set("first" + std::to_string(i), std::string(200, 'x'));
  REQUIRE(cache.stats().evictions == 0);
  std::size_t needed = 0;
  for (int i = 0; i < 500; ++i) {
    std::string value(200, 'x');
    const std::string key = std::to_string(i);
    const std::size_t before = allocations;
    // The entry itself is the first allocation; one that comes after it is the ghost's.
    CHECK_FALSE(fails_at(1, [&] { cache.set(key, std::move(value)); }));
    needed += allocations - before > 1 ? 1U : 0U;
    REQUIRE(cache.bytes() <= 20'000);
  }
  CHECK(needed > 100);
  CHECK(cache.stats().evictions > 400);
  CHECK(cache.size() > 40);
  cache.clear();
  CHECK(cache.bytes() == 0);
}

TEST_CASE("whichever allocation fails while a cache is made, nothing is left behind") {
  std::size_t n = 0;
  while (fails_at(n, [] { const Cache cache{{.max_bytes = 1 << 20, .eviction = Eviction::lru, .shards = 4}}; })) ++n;
  CHECK(n >=
        5);  // the shards, and lists for each; what was made before the one that failed is LeakSanitizer's to watch
}
