// Invalidation of whole groups and of everything: at once for whoever reads and counts, and the memory soon after.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/memory/memory_backend.hpp"
#include "memory_support.hpp"

using cascor::Eviction;
using cascor::KeySpace;
using cascor::MemoryCache;
using cascor::MemoryCacheOptions;
using cascor::Stats;
using namespace cascor::detail;
using namespace std::chrono_literals;

namespace {

StoredValue text(std::string bytes) { return StoredValue{std::make_shared<const std::string>(std::move(bytes))}; }

struct Tier : Timed {
  explicit Tier(const MemoryCacheOptions& given) : backend{given, MemoryObserver<>{counts}} {}
  explicit Tier(std::size_t max_bytes = 50 << 20) : backend{options(max_bytes), MemoryObserver<>{counts}} {}

  std::shared_ptr<const KeySpace> keys = std::make_shared<const KeySpace>(
      "c:", std::array<std::string, 5>{"c:metrics:", "c:topology:", "c:session:", "c:history:", "c:control:"});
  std::shared_ptr<MemoryCounts<>> counts = std::make_shared<MemoryCounts<>>(keys);
  MemoryBackend<> backend;

  void fill(const std::string& prefix, int entries, cascor::Ttl ttl = {}) {
    for (int i = 0; i < entries; ++i) backend.set(prefix + std::to_string(i), text("value"), ttl);
  }
  std::size_t entries(const char* prefix) const {
    Stats stats;
    counts->add_to(stats);
    return stats.prefixes.at(prefix).entries;
  }
  std::size_t counted_bytes() const {
    Stats stats;
    counts->add_to(stats);
    return stats.bytes;
  }
};

}  // namespace

TEST_CASE("an invalidated prefix is gone at once, with an exact count, and nothing else is") {
  Tier tier;
  tier.fill("c:metrics:", 5'000);
  tier.fill("c:history:", 1'000);
  CHECK(tier.backend.erase_matching("c:metrics:*") == 5'000);
  CHECK(tier.backend.size() == 1'000);
  CHECK(tier.entries("metrics") == 0);
  CHECK(tier.entries("history") == 1'000);
  for (int i = 0; i < 5'000; i += 7) {
    const std::string key = "c:metrics:" + std::to_string(i);
    CHECK_FALSE(tier.backend.get(key));
    CHECK_FALSE(tier.backend.contains(key));
    CHECK_FALSE(tier.backend.ttl(key));
    CHECK_FALSE(tier.backend.erase(key));
  }
  CHECK(tier.backend.keys_matching([](std::string_view) { return true; }, 10'000).size() == 1'000);
  CHECK(tier.backend.erase_matching("c:metrics:*") == 0);
  CHECK(tier.backend.erase_if([](std::string_view) { return true; }) == 1'000);
  CHECK(tier.backend.stats().evictions == 0);
  CHECK(tier.backend.stats().expirations == 0);
}

TEST_CASE("the count of an invalidation leaves out what had expired") {
  Tier tier;
  tier.fill("c:metrics:a", 700, 1s);
  tier.fill("c:metrics:b", 900, 1h);
  tier.fill("c:metrics:c", 300);
  tier.clock->advance(1s);
  CHECK(tier.backend.erase_matching("c:metrics:*") == 1'200);
  CHECK(tier.backend.stats().expirations == 700);

  MemoryCache<int> plain{tier.options()};
  for (int i = 0; i < 1'000; ++i) plain.set(std::to_string(i), i, i % 4 == 0 ? 1ms : 1h);
  tier.clock->advance(1ms);
  CHECK(plain.erase_matching("*") == 750);
  CHECK(plain.size() == 0);
}

TEST_CASE("a whole namespace goes but for what is no cache: locks, runs, tags") {
  Tier tier;
  for (const char* prefix : {"c:metrics:", "c:topology:", "c:x", "c:session:"}) tier.fill(prefix, 1'000);
  for (const char* own : {"c:lock:a", "c:run:1:history", "c:tag:a", "c:runs"}) tier.backend.set(own, text("kept"));
  CHECK(tier.backend.erase_matching("c:*") == 4'000);
  CHECK(tier.backend.erase_matching("*") == 0);
  CHECK(tier.backend.size() == 4);
  CHECK(tier.entries("other") == 4);
  for (const char* own : {"c:lock:a", "c:run:1:history", "c:tag:a", "c:runs"}) CHECK(tier.backend.contains(own));
  tier.backend.clear();
  CHECK(tier.backend.size() == 0);
  CHECK(tier.entries("other") == 0);
}

TEST_CASE("a key that was invalidated is written again as if it had never been there") {
  Tier tier;
  const auto old = [&] {
    tier.fill("c:metrics:", 2'000);
    return tier.backend.get("c:metrics:1999");
  };
  auto held = old();
  tier.backend.erase_matching("c:metrics:*");
  REQUIRE(tier.backend.bytes() > 0);  // its memory is there yet
  CHECK_FALSE(tier.backend.replace("c:metrics:1999", held, text("new")));
  CHECK_FALSE(tier.backend.touch("c:metrics:1999", 1h));
  CHECK(tier.backend.set_if("c:metrics:1999", text("new"), {}, cascor::present) ==
        cascor::SetOutcome::condition_failed);
  CHECK(tier.backend.set_if("c:metrics:1999", text("new"), {}, cascor::absent) == cascor::SetOutcome::stored);
  CHECK(*tier.backend.get("c:metrics:1999")->bytes() == "new");
  CHECK(*held->bytes() == "value");
  CHECK(tier.entries("metrics") == 1);
  for (int i = 0; i < 2'000; ++i) tier.backend.set("c:metrics:" + std::to_string(i), text("newer"));
  CHECK(tier.backend.size() == 2'000);
  CHECK(tier.entries("metrics") == 2'000);
  CHECK(tier.counted_bytes() == tier.backend.bytes());
  CHECK(tier.backend.erase_matching("c:metrics:*") == 2'000);
}

TEST_CASE("memory of what was invalidated comes back with the operations that follow, also with hits alone") {
  const auto eviction = GENERATE(Eviction::lru, Eviction::s3fifo);
  Timed timed;
  auto options = timed.options(50 << 20);
  options.eviction = eviction;
  Tier tier{options};
  MemoryCache<std::string> plain{options};
  tier.fill("c:history:", 1);
  const std::size_t rest = tier.backend.bytes();
  const auto fill = [&] {
    tier.fill("c:metrics:", 3'000);
    for (int i = 0; i < 3'000; ++i) plain.set(std::to_string(i), std::string(100, 'x'));
  };
  const auto invalidate = [&] {
    CHECK(tier.backend.erase_matching("c:metrics:*") == 3'000);
    plain.clear();
    CHECK(plain.size() == 0);
    CHECK(tier.backend.bytes() > 1'000 * 100);
    CHECK(plain.bytes() > 1'000 * 100);
  };
  SECTION("misses") {
    fill();
    invalidate();
    for (int i = 0; i < 1'000; ++i) CHECK_FALSE(tier.backend.get("none"));
    for (int i = 0; i < 1'000; ++i) CHECK_FALSE(plain.get("none"));
    CHECK(plain.bytes() == 0);
  }
  SECTION("writes") {
    fill();
    invalidate();
    for (int i = 0; i < 3'000; ++i) tier.backend.set("c:history:0", text("value"));
    for (int i = 0; i < 3'000; ++i) plain.set("a", std::string(100, 'x'));
    CHECK(plain.bytes() < 300);
  }
  SECTION("hits") {
    fill();
    invalidate();
    plain.set("a", "value");
    for (int i = 0; i < 200'000; ++i) CHECK_FALSE(!plain.get("a"));
    for (int i = 0; i < 200'000; ++i) CHECK_FALSE(!tier.backend.get("c:history:0"));
    CHECK(plain.bytes() < 300);
  }
  SECTION("remove_expired()") {
    fill();
    invalidate();
    CHECK(tier.backend.remove_expired(1'000) == 1'000);
    CHECK(tier.backend.remove_expired() > 1'000);
    CHECK(plain.remove_expired() > 1'000);
    CHECK(plain.bytes() == 0);
  }
  CHECK(tier.backend.bytes() == rest);
  CHECK(tier.counted_bytes() == rest);
}

TEST_CASE("what was invalidated makes room before anything alive does") {
  const auto eviction = GENERATE(Eviction::lru, Eviction::s3fifo);
  Timed timed;
  auto options = timed.options(1'000'000);
  options.eviction = eviction;
  MemoryCache<std::string> plain{options};
  for (int i = 0; plain.stats().evictions == 0; ++i) plain.set(std::to_string(i), std::string(100, 'x'));
  const std::size_t full = plain.size();
  plain.clear();
  const std::size_t before = plain.stats().evictions;
  for (std::size_t i = 0; i < full - 1; ++i) REQUIRE(plain.set("n" + std::to_string(i), std::string(98, 'x')));
  CHECK(plain.stats().evictions == before);
  CHECK(plain.size() == full - 1);

  Tier tier{options};
  tier.fill("c:history:", 1'000);
  int filled = 0;
  for (; tier.backend.stats().evictions == 0; ++filled) {
    tier.backend.set("c:metrics:" + std::to_string(filled), text("value"));
  }
  tier.backend.erase_matching("c:metrics:*");
  const std::size_t evicted = tier.backend.stats().evictions;
  for (int i = 0; i < filled - 1; ++i) tier.backend.set("c:topology:" + std::to_string(i), text("value"));
  CHECK(tier.backend.stats().evictions == evicted);
  // A value that needs nearly everything gets it from what is left over too.
  tier.backend.erase_matching("c:topology:*");
  CHECK(tier.backend.set("c:topology:large", text(std::string(600'000, 'L'))));
  CHECK(tier.backend.stats().evictions == evicted);
}

TEST_CASE(
    "random operations with invalidations give what a set of keys gives, of either policy, in one shard or four") {
  for (std::uint32_t seed = 1; seed <= 16; ++seed) {
    CAPTURE(seed);
    std::mt19937 random{seed};
    const auto up_to = [&random](std::size_t most) { return random() % (most + 1); };
    Timed timed;
    auto options = timed.options(10 << 20);
    options.eviction = seed % 2 == 0 ? Eviction::lru : Eviction::s3fifo;
    options.shards = seed % 4 < 2 ? 1 : 4;
    Tier tier{options};
    std::set<std::string> model;
    const auto erase_from_model = [&model](const std::string& begin) {
      std::size_t count = 0;
      for (auto at = model.begin(); at != model.end();) {
        const bool goes = at->starts_with(begin);
        count += goes ? 1U : 0U;
        at = goes ? model.erase(at) : std::next(at);
      }
      return count;
    };
    for (int i = 0; i < 20'000; ++i) {
      const std::string prefix = std::vector<std::string>{"c:metrics:", "c:history:", "c:"}[up_to(2)];
      const std::string key = prefix + std::to_string(up_to(800));
      const auto kind = up_to(1'000);
      if (kind < 600) {
        REQUIRE(tier.backend.set(key, text("value"), up_to(1) == 0 ? cascor::Ttl{1h} : cascor::Ttl{}));
        model.insert(key);
      } else if (kind < 900) {
        REQUIRE(static_cast<bool>(tier.backend.get(key)) == model.contains(key));
      } else if (kind < 990) {
        REQUIRE(tier.backend.erase(key) == (model.erase(key) == 1));
      } else if (kind < 998) {
        const std::string begin = up_to(5) == 0 ? prefix + "1" : prefix;
        REQUIRE(tier.backend.erase_matching(begin + "*") == erase_from_model(begin));
      } else if (kind < 999) {
        tier.backend.clear();
        model.clear();
      } else {
        tier.backend.remove_expired(up_to(500));
      }
      REQUIRE(tier.backend.size() == model.size());
    }
    REQUIRE(tier.counted_bytes() == tier.backend.bytes());
    REQUIRE(tier.backend.erase_matching("*") == model.size());
    tier.backend.remove_expired();
    REQUIRE(tier.backend.bytes() == 0);
    REQUIRE(tier.counted_bytes() == 0);
  }
}

TEST_CASE("handles outlive an invalidation, and the reclaiming of what they held") {
  Tier tier;
  tier.fill("c:metrics:", 1'000);
  std::vector<StoredHandle> held;
  for (int i = 0; i < 1'000; i += 100) held.push_back(tier.backend.get("c:metrics:" + std::to_string(i)));
  tier.backend.erase_matching("c:metrics:*");
  tier.backend.remove_expired();
  CHECK(tier.backend.bytes() == 0);
  for (const auto& one : held) CHECK(*one->bytes() == "value");
}

TEST_CASE("of many threads that write, read and invalidate, none sees what was invalidated before it asked") {
  Tier tier{5 << 20};
  std::atomic<int> wrong{0};
  std::atomic<std::size_t> stored{0};
  std::atomic<std::size_t> removed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string own = "c:metrics:" + std::to_string(t) + ":";
      for (int i = 0; i < 1'500; ++i) {
        const std::string key = own + std::to_string(i % 300);
        const auto load = tier.backend.begin_load(key);
        stored += tier.backend.set_if(key, text("value"), {}, cascor::absent) == cascor::SetOutcome::stored ? 1U : 0U;
        (void)tier.backend.get("c:metrics:" + std::to_string((t + 1) % 4) + ":" + std::to_string(i % 300));
        if (i % 100 != t) continue;
        removed += tier.backend.erase_matching(i % 200 < 100 ? "c:metrics:*" : "c:*");
        // Nobody else writes these keys.
        if (tier.backend.get(key) || tier.backend.publish(load, text("older"))) wrong = 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  removed += tier.backend.erase_matching("c:metrics:*");
  CHECK(removed == stored);  // each entry was counted once
  CHECK(tier.backend.size() == 0);
  CHECK(tier.entries("metrics") == 0);
  tier.backend.remove_expired();
  CHECK(tier.backend.bytes() == 0);
}
