// MemoryCache: conditional writes, TTLs asked for and given anew, lists of keys.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/memory_cache.hpp"
#include "memory_support.hpp"

using cascor::MemoryCache;
using cascor::SetOutcome;
using namespace std::chrono_literals;

TEST_CASE("a set for an absent key leaves a live entry, and takes the place of an expired one") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options()};
  CHECK(cache.set_if("a", "1", 5ms, cascor::absent) == SetOutcome::stored);
  CHECK(cache.set_if("a", "2", 1h, cascor::absent) == SetOutcome::condition_failed);
  CHECK(*cache.get("a") == "1");
  CHECK(cache.ttl("a") == 5ms);
  timed.clock->advance(5ms);
  CHECK(cache.set_if("a", "3", 5ms, cascor::absent) == SetOutcome::stored);
  CHECK(*cache.get("a") == "3");
}

TEST_CASE("a set for a present key needs a live entry, and gives it the new TTL") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options()};
  CHECK(cache.set_if("a", "1", {}, cascor::present) == SetOutcome::condition_failed);
  CHECK_FALSE(cache.contains("a"));
  cache.set("a", "2", 5ms);
  CHECK(cache.set_if("a", "3", 7ms, cascor::present) == SetOutcome::stored);
  CHECK(cache.ttl("a") == 7ms);
  timed.clock->advance(7ms);
  CHECK(cache.set_if("a", "4", {}, cascor::present) == SetOutcome::condition_failed);
  CHECK_FALSE(cache.contains("a"));
}

TEST_CASE("a conditional set of what fits nowhere is refused, and what is there stays") {
  MemoryCache<std::string> cache{{.max_bytes = 1'000}};
  cache.set("a", "1");
  CHECK(cache.set_if("a", std::string(2'000, 'x'), {}, cascor::present) == SetOutcome::too_large);
  CHECK(*cache.get("a") == "1");
  CHECK(cache.stats().refusals == 1);
  CHECK(cache.set_if("a", std::string(2'000, 'x'), {}, cascor::OnlyIf::always) == SetOutcome::too_large);
  CHECK_FALSE(cache.contains("a"));
}

TEST_CASE("ttl() tells what is left, that there is no end, or that there is no entry") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  CHECK(cache.ttl("a") == std::nullopt);
  cache.set("a", 1);
  CHECK(cache.ttl("a") == cascor::no_expiry);
  cache.set("a", 1, 10ms);
  timed.clock->advance(3ms + 1ns);
  CHECK(cache.ttl("a") == 7ms);
  timed.clock->advance(7ms);
  CHECK(cache.ttl("a") == std::nullopt);
}

TEST_CASE("touch() gives a live entry a new end, none included, and leaves the value and its age") {
  const Timed timed;
  MemoryCache<std::string> cache{timed.options()};
  CHECK_FALSE(cache.touch("a", 1h));
  cache.set("a", "1", 10ms);
  const auto stored = timed.clock->now();
  timed.clock->advance(9ms);
  CHECK(cache.touch("a", 10ms));
  timed.clock->advance(9ms);
  REQUIRE(cache.get("a"));
  CHECK(cache.get("a").stored_at() == stored);
  CHECK(cache.ttl("a") == 1ms);
  CHECK(cache.touch("a", cascor::no_expiry));
  timed.clock->advance(100h);
  CHECK(cache.ttl("a") == cascor::no_expiry);
  CHECK(cache.touch("a", 1ms));
  CHECK(cache.get("a").expires_at() == timed.clock->now() + 1ms);
  timed.clock->advance(1ms);
  CHECK_FALSE(cache.touch("a", 1h));
  CHECK_FALSE(cache.get("a"));
}

TEST_CASE("touch() with a TTL that cannot be is a DataError, and the entry keeps its own") {
  MemoryCache<int> cache;
  cache.set("a", 1);
  CHECK_THROWS_AS(cache.touch("a", -1ms), cascor::DataError);
  CHECK(cache.ttl("a") == cascor::no_expiry);
}

TEST_CASE("a replace with a TTL counts from now, and only in place of what was read") {
  const Timed timed;
  MemoryCache<int> cache{timed.options()};
  cache.set("a", 1, 10ms);
  const auto read = cache.get("a");
  timed.clock->advance(4ms);
  CHECK(cache.replace("a", read, 2, 10ms));
  CHECK(*cache.get("a") == 2);
  CHECK(cache.ttl("a") == 10ms);
  CHECK(cache.get("a").stored_at() == timed.clock->now());
  CHECK_FALSE(cache.replace("a", read, 3, 10ms));
  CHECK_FALSE(cache.replace("a", {}, 3, 10ms));
  CHECK(*cache.get("a") == 2);
}

TEST_CASE("keys_matching lists live keys, each once, and no more than asked for") {
  const Timed timed;
  auto options = timed.options();
  options.shards = 4;
  MemoryCache<int> cache{options};
  for (int i = 0; i < 100; ++i) cache.set("a" + std::to_string(i), i, i < 10 ? 1ms : cascor::no_expiry);
  cache.set("b", 1);
  timed.clock->advance(1ms);
  const auto of_a = [](std::string_view key) { return key.front() == 'a'; };
  auto keys = cache.keys_matching(of_a, 1'000);
  std::sort(keys.begin(), keys.end());
  CHECK(keys.size() == 90);
  CHECK(std::unique(keys.begin(), keys.end()) == keys.end());
  CHECK(std::find(keys.begin(), keys.end(), "a5") == keys.end());
  CHECK(std::find(keys.begin(), keys.end(), "b") == keys.end());
  CHECK(cache.keys_matching(of_a, 7).size() == 7);
  CHECK(cache.keys_matching(of_a, 0).empty());
}
