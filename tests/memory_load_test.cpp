// MemoryCache and values that are loaded from elsewhere: what was overtaken on the way is not stored.
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"
#include "memory_support.hpp"

using cascor::MemoryCache;
using namespace std::chrono_literals;

TEST_CASE("what was loaded is stored, with its TTL, where nothing came between") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options()};
  const auto load = cache.begin_load("a");
  CHECK(cache.publish(load, "loaded", 5ms));
  CHECK(*cache.get("a") == "loaded");
  CHECK(cache.ttl("a") == 5ms);
}

TEST_CASE("a load that an invalidation or a newer value overtook is never stored") {
  MemoryCache<std::string> cache{{.max_bytes = 100'000, .shards = 4}};
  const std::vector<std::pair<std::string, std::function<void()>>> events{
      {"an erase", [&] { cache.erase("metrics:a"); }},
      {"a pattern", [&] { cache.erase_matching("metrics:*"); }},
      {"a predicate", [&] { cache.erase_if([](std::string_view key) { return key.ends_with('a'); }); }},
      {"a clear", [&] { cache.clear(); }},
      {"a newer value", [&] { cache.set("metrics:a", "newer"); }},
      {"a newer value of a condition", [&] { (void)cache.set_if("metrics:a", "newer", {}, cascor::absent); }},
      {"another load", [&] { cache.publish(cache.begin_load("metrics:a"), "newer"); }},
      {"a value that fits nowhere", [&] { cache.set("metrics:a", std::string(200'000, 'x')); }},
  };
  for (const auto& [what, happens] : events) {
    INFO(what);
    cache.clear();
    const auto load = cache.begin_load("metrics:a");
    happens();
    CHECK_FALSE(cache.publish(load, "loaded"));
    const auto hit = cache.get("metrics:a");
    CHECK((!hit || *hit == "newer"));
  }
}

TEST_CASE("what happens to other keys, and a read, an eviction or another form of the value, overtake no load") {
  MemoryCache<std::string> cache{{.max_bytes = 2'000}};
  cache.set("a", "old");
  const auto load = cache.begin_load("a");
  (void)cache.get("a");
  CHECK(cache.replace("a", cache.get("a"), "old in another form"));
  CHECK(cache.touch("a", 1h));
  CHECK(cache.set_if("a", "refused", {}, cascor::absent) == cascor::SetOutcome::condition_failed);
  cache.erase("b");
  cache.erase_matching("b*");
  for (int i = 0; i < 50; ++i) cache.set(std::to_string(i), std::string(100, 'x'));
  CHECK_FALSE(cache.contains("a"));
  CHECK(cache.publish(load, "loaded"));
  CHECK(*cache.get("a") == "loaded");
}

TEST_CASE("a load that began after an invalidation is stored; loads of one key are told apart") {
  MemoryCache<std::string> cache;
  const auto before = cache.begin_load("a");
  cache.erase("a");
  const auto after = cache.begin_load("a");
  CHECK_FALSE(cache.publish(before, "old"));
  CHECK(cache.publish(after, "new"));
  CHECK(*cache.get("a") == "new");
}
