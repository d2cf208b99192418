// MemoryCache as its documentation promises it, one cache and one thread.
#include <any>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"

using cascor::CacheHandle;
using cascor::DataError;
using cascor::ManualClock;
using cascor::MemoryCache;
using cascor::MemoryCacheOptions;
using cascor::milliseconds;
using Catch::Matchers::Contains;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

struct Timed {
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  MemoryCacheOptions options(std::size_t max_bytes = 1 << 20) const {
    MemoryCacheOptions given;
    given.max_bytes = max_bytes;
    given.clock = clock;
    return given;
  }
};

// Weighs what the test says.
struct Weighed {
  std::size_t weight = 0;
  friend std::size_t weight_of(const Weighed& value) {
    if (value.weight == 13) throw std::runtime_error{"the scales are broken"};
    return value.weight;
  }
};

// Throws from its n-th move on.
struct Brittle {
  Brittle(int n, int moves) : number{n}, moves_left{moves} {}
  Brittle(Brittle&& other) : number{other.number}, moves_left{other.moves_left - 1} {
    if (moves_left < 0) throw std::runtime_error{"broken on the way"};
  }
  Brittle& operator=(Brittle&&) = delete;
  ~Brittle() = default;
  int number;
  int moves_left;
};

// Does something when its last owner lets go.
struct Calls {
  std::shared_ptr<std::function<void()>> last_words;
  explicit Calls(std::function<void()> words)
      : last_words{std::make_shared<std::function<void()>>(std::move(words))} {}
  Calls(Calls&&) noexcept = default;
  Calls& operator=(Calls&&) noexcept = default;
  ~Calls() {
    if (last_words) (*last_words)();
  }
};

template <class Value>
std::size_t charge_of(std::string_view key, Value value) {
  MemoryCache<Value> probe;
  probe.set(key, std::move(value));
  return probe.bytes();
}

}  // namespace

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
  const std::vector<std::string> keys{"", "\0"s, "\0\0"s, "a\0b"s, "a\0c"s, "a", "*", "[a]", "\xFF\xFE", std::string(1 << 20, 'k'),
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
  for (std::size_t size = 0; size < 20; ++size) {
    const auto held = CacheHandle<Aligned>::adopt(Entry::make(std::string(size, 'k'), {}, {}, {}));
    CHECK(reinterpret_cast<std::uintptr_t>(held.get()) % 64 == 0);
    CHECK(held.node()->key() == std::string(size, 'k'));
  }
}

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
  CHECK_FALSE(cache.get("c"));
  CHECK(clock->reads == 0);
  cascor::Now now{*clock};
  const auto hit = cache.get("b", now);
  CHECK(now() == hit.stored_at());
  CHECK(clock->reads == 1);  // by the cache and by the caller together
}

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

TEST_CASE("a value as large as the whole cache fits, one byte more does not") {
  const std::size_t most = charge_of("a", Weighed{5000});
  MemoryCache<Weighed> cache{{.max_bytes = most}};
  CHECK(cache.set("a", Weighed{5000}));
  CHECK(cache.bytes() == most);
  CHECK(cache.set("b", Weighed{5000}));
  CHECK(cache.size() == 1);
  CHECK_FALSE(cache.set("c", Weighed{5001}));
}

TEST_CASE("weights that make no sense break no bound") {
  MemoryCache<Weighed> cache{{.max_bytes = 10'000}};
  CHECK(cache.set("weightless", Weighed{0}));
  CHECK(cache.bytes() > 0);
  CHECK_FALSE(cache.set("all there is", Weighed{std::numeric_limits<std::size_t>::max()}));
  CHECK_FALSE(cache.set("nearly", Weighed{std::numeric_limits<std::size_t>::max() - 60}));
  CHECK(cache.bytes() <= 10'000);

  MemoryCache<Weighed> endless{{.max_bytes = std::numeric_limits<std::size_t>::max(), .shards = 1}};
  const std::size_t half = std::numeric_limits<std::size_t>::max() / 2 + 1;
  CHECK(endless.set("a", Weighed{half}));
  CHECK(endless.set("b", Weighed{half}));  // the sum would not fit into a number
  CHECK(endless.size() == 1);
  CHECK_FALSE(endless.set("c", Weighed{std::numeric_limits<std::size_t>::max()}));
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
  CHECK(cache.bytes() == 0);
  CHECK_FALSE(cache.get("7"));
  CHECK(cache.set("7", "again"));
}

TEST_CASE("a predicate that throws leaves the accounts right") {
  MemoryCache<std::string> cache;
  for (int i = 0; i < 100; ++i) cache.set(std::to_string(i), "value");
  int calls = 0;
  const auto throws_late = [&calls](std::string_view) {
    if (++calls == 50) throw std::runtime_error{"no more"};
    return true;
  };
  CHECK_THROWS_AS(cache.erase_if(throws_late), std::runtime_error);
  CHECK(cache.size() == 51);
  CHECK(cache.erase_matching("*") == 51);
  CHECK(cache.bytes() == 0);
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
  CHECK(cache.bytes() == charge_of("a", std::string(1000, '2')));

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

TEST_CASE("a value whose move or weighing throws leaves the cache as it was") {
  MemoryCache<Brittle> brittle;
  CHECK(brittle.set("a", Brittle{1, 10}));
  const std::size_t bytes = brittle.bytes();
  for (const char* key : {"a", "b"}) CHECK_THROWS_WITH(brittle.set(key, Brittle{2, 0}), Contains("broken"));
  CHECK(brittle.get("a")->number == 1);
  CHECK(brittle.size() == 1);
  CHECK(brittle.bytes() == bytes);

  MemoryCache<Weighed> weighed;
  weighed.set("a", Weighed{100});
  const std::size_t before = weighed.bytes();
  CHECK_THROWS_WITH(weighed.set("a", Weighed{13}), Contains("scales"));
  CHECK_THROWS_WITH(weighed.replace("a", weighed.get("a"), Weighed{13}), Contains("scales"));
  CHECK(weighed.get("a")->weight == 100);
  CHECK(weighed.bytes() == before);
}

TEST_CASE("a value's destructor may use the cache that lets go of it, whatever the reason") {
  const Timed timed;
  int deaths = 0;
  std::optional<MemoryCache<Calls>> cache;
  auto options = timed.options(4'000);
  options.default_ttl = 10ms;
  cache.emplace(options);
  const auto mortal = [&] {
    return Calls{[&] {
      ++deaths;
      (void)cache->get("b");
      cache->set("from a destructor", Calls{[] {}});
      cache->erase("from a destructor");
      cache->erase_matching("none");
    }};
  };
  cache->set("a", mortal());
  cache->set("a", mortal());
  CHECK(deaths == 1);
  cache->erase("a");
  CHECK(deaths == 2);
  cache->set("a", mortal());
  timed.clock->advance(10ms);
  CHECK_FALSE(cache->get("a"));
  CHECK(deaths == 3);
  cache->set("a", mortal());
  cache->clear();
  CHECK(deaths == 4);
  cache->set("a", mortal());
  cache->erase_matching("a");
  CHECK(deaths == 5);
  for (int i = 0; i < 100; ++i) cache->set(std::to_string(i), mortal());
  const int evicted = deaths - 5;
  CHECK(evicted > 50);
  CHECK(cache->stats().evictions >= static_cast<std::uint64_t>(evicted));
  cache->clear();
  CHECK(deaths == 105);
  CHECK(cache->bytes() == 0);
}

TEST_CASE("an observer hears of every entry that comes and goes, with its charge and the reason") {
  struct Heard {
    std::vector<std::string> lines;
    std::size_t bytes = 0;
  };
  struct Observer {
    std::shared_ptr<Heard> heard = std::make_shared<Heard>();
    void inserted(std::string_view key, std::size_t charge) const noexcept {
      heard->lines.push_back("+" + std::string{key});
      heard->bytes += charge;
    }
    void removed(std::string_view key, std::size_t charge, cascor::detail::Removal why) const noexcept {
      heard->lines.push_back("-" + std::string{key} + std::to_string(static_cast<int>(why)));
      heard->bytes -= charge;
    }
  };
  const Timed timed;
  const Observer observer;
  const std::size_t one = charge_of("a", std::string{});
  MemoryCache<std::string, Observer> cache{timed.options(2 * one), observer};
  auto& lines = observer.heard->lines;
  const auto heard = [&](std::vector<std::string> expected) {
    CHECK(lines == expected);
    CHECK(observer.heard->bytes == cache.bytes());
    lines.clear();
  };
  cache.set("a", "");
  heard({"+a"});
  cache.set("a", "");
  heard({"-a2", "+a"});  // replaced
  cache.set("b", "", 1ms);
  cache.set("c", "");
  heard({"+b", "-a4", "+c"});  // evicted
  timed.clock->advance(1ms);
  (void)cache.get("b");
  heard({"-b3"});  // expired
  cache.erase("c");
  heard({"-c1"});
  cache.set("c", "");
  cache.set("c", std::string(1000, 'x'));  // refused
  heard({"+c", "-c1"});
  cache.set("d", "");
  cache.clear();
  heard({"+d", "-d1"});
}

TEST_CASE("an observer may use the cache that it watches, also to store what needs room") {
  struct Observer {
    std::shared_ptr<MemoryCache<std::string, Observer>*> cache =
        std::make_shared<MemoryCache<std::string, Observer>*>(nullptr);
    static void inserted(std::string_view, std::size_t) noexcept {}
    void removed(std::string_view key, std::size_t, cascor::detail::Removal) const noexcept {
      if (key == "large") (*cache)->set("other", std::string(3'000, 'o'));
    }
  };
  const Observer observer;
  MemoryCache<std::string, Observer> cache{{.max_bytes = 4'000}, observer};
  *observer.cache = &cache;
  cache.set("large", std::string(3'000, 'l'));
  cache.erase("large");
  CHECK(cache.contains("other"));
}

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

TEST_CASE("a shard that a large value emptied gets its share back") {
  const std::size_t limit = 1 << 20;
  MemoryCache<std::string> cache{{.max_bytes = limit, .shards = 2}};
  const auto fill = [&cache](int from) {
    for (int i = from; i < from + 20'000; ++i) cache.set(std::to_string(i), std::string(100, 'v'));
  };
  // How many of the 1,000 newest are still there: all, if no shard has to do with a few entries.
  const auto newest = [&cache](int end) {
    int there = 0;
    for (int i = end - 1'000; i < end; ++i) there += cache.contains(std::to_string(i)) ? 1 : 0;
    return there;
  };
  fill(0);
  CHECK(newest(20'000) == 1'000);
  for (int i = 0; i < 4; ++i) {
    const std::string key = "large" + std::to_string(i);
    REQUIRE(cache.set(key, std::string(limit - 1'000, 'L')));
    cache.erase(key);
    fill(100'000 * (i + 1));
    CHECK(newest(100'000 * (i + 1) + 20'000) == 1'000);
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
