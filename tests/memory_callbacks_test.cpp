// MemoryCache and the code of others that it calls: moves, weights, predicates, destructors, observers.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"
#include "memory_support.hpp"

using cascor::MemoryCache;
using Catch::Matchers::Contains;
using namespace std::chrono_literals;

namespace {

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
  explicit Calls(std::function<void()> words) : last_words{std::make_shared<std::function<void()>>(std::move(words))} {}
  Calls(Calls&&) noexcept = default;
  Calls& operator=(Calls&&) noexcept = default;
  ~Calls() {
    if (last_words) (*last_words)();
  }
};

}  // namespace

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
      heard->lines.push_back(std::string{"+"}.append(key));
      heard->bytes += charge;
    }
    void removed(std::string_view key, std::size_t charge, cascor::detail::Removal why) const noexcept {
      heard->lines.push_back(std::string{"-"}.append(key).append(std::to_string(static_cast<int>(why))));
      heard->bytes -= charge;
    }
  };
  const Timed timed;
  const Observer observer;
  const std::size_t one = charge_of("a", std::string{});
  MemoryCache<std::string, Observer> cache{timed.options(one + charge_of("a", std::string{}, 1ms)), observer};
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
