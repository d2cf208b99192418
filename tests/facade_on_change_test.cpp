// Watching keys: what on_change tells of, on both backends.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

#define BACKENDS OnMemory, OnRedisTcp, OnRedisUnix

namespace {

class Changes {
 public:
  auto handler() const {
    return [state = state_](std::string_view key) {
      const std::lock_guard lock{state->mutex};
      state->keys.emplace_back(key);
    };
  }
  std::function<void()> gap_handler() const {
    return [state = state_] {
      const std::lock_guard lock{state->mutex};
      ++state->gaps;
    };
  }
  std::size_t count(const std::string& key) const {
    const std::lock_guard lock{state_->mutex};
    return static_cast<std::size_t>(std::count(state_->keys.begin(), state_->keys.end(), key));
  }
  std::set<std::string> keys() const {
    const std::lock_guard lock{state_->mutex};
    return {state_->keys.begin(), state_->keys.end()};
  }
  std::size_t gaps() const {
    const std::lock_guard lock{state_->mutex};
    return state_->gaps;
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::string> keys;
    std::size_t gaps = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace

TEMPLATE_TEST_CASE("on_change tells of what this process writes and removes, and of nothing else", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  const Changes metrics;
  const Changes all;
  const auto some = cache.on_change("metrics:*", metrics.handler(), {.on_gap = metrics.gap_handler()});
  const auto each = cache.on_change("*", all.handler());
  // What is written just before the server begins to tell may be told by the gap alone.
  if (TestType::remote) {
    REQUIRE(eventually([&] { return metrics.gaps() > 0; }));
  }
  cache.cache_metrics("epoch_1", 1, 1min);
  cache.set("notes", "x");
  REQUIRE(eventually([&] { return metrics.count("cascor:metrics:epoch_1") > 0; }));
  REQUIRE(eventually([&] { return all.count("cascor:notes") > 0; }));
  CHECK(cache.erase("notes"));
  REQUIRE(eventually([&] { return all.count("cascor:notes") == 2; }));
  cache.set_many(std::vector<std::pair<std::string, int>>{{"metrics:a", 1}, {"topology:b", 2}});
  REQUIRE(eventually([&] { return metrics.count("cascor:metrics:a") > 0; }));
  REQUIRE(eventually([&] { return all.count("cascor:topology:b") > 0; }));
  CHECK(metrics.keys() == std::set<std::string>{"cascor:metrics:epoch_1", "cascor:metrics:a"});
}

TEMPLATE_TEST_CASE("on_change has the rules of subscriptions: its end, its handler's exceptions, its thread", "",
                   BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  const Changes changes;
  auto watch = cache.on_change("notes*", [&](const std::string& key) {
    changes.handler()(key);
    (void)cache.get(key);
    if (key == "cascor:notes1") throw std::runtime_error{"no such note"};
  });
  cache.set("notes1", 1);
  cache.set("notes2", 2);
  REQUIRE(eventually([&] { return changes.count("cascor:notes2") == 1; }));
  CHECK(backend.log.mentions("a watch of cascor:notes*"));
  watch.close();
  cache.set("notes3", 3);
  CHECK(changes.keys() == std::set<std::string>{"cascor:notes1", "cascor:notes2"});
  CHECK_THROWS_AS(cache.on_change("", changes.handler()), cascor::DataError);
}

TEMPLATE_TEST_CASE("a cache ends with its watches while changes come", "", BACKENDS) {
  TestType backend;
  const Changes changes;
  cascor::Subscription left;
  {
    CacheManager cache{backend.config()};
    left = cache.on_change("*", changes.handler());
    for (int i = 0; i < 100; ++i) cache.cache_metrics("k" + std::to_string(i), i, 1min);
  }
  CHECK_FALSE(left.is_open());
}

TEST_CASE("on_change tells of what others write, and of what expires, where the server tells of it") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  CacheManager other{backend.config()};
  const Changes changes;
  const auto watch = cache.on_change("metrics:*", changes.handler(), {.on_gap = changes.gap_handler()});
  REQUIRE(eventually([&] { return changes.gaps() == 1; }));  // from here on the server tells
  other.cache_metrics("theirs", 1, 1min);
  backend.server.raw("SET", "cascor:metrics:raw", "1", "PX", "1");
  REQUIRE(eventually([&] { return changes.count("cascor:metrics:theirs") == 1; }));
  REQUIRE(eventually([&] { return changes.count("cascor:metrics:raw") == 2; }));  // set, and expired
  backend.server.raw("FLUSHALL");
  REQUIRE(eventually([&] { return changes.gaps() == 2; }));
}

TEST_CASE("on_change goes on while Redis is away, and tells of the gap when it is back") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  const Changes changes;
  const auto watch = cache.on_change("metrics:*", changes.handler(), {.on_gap = changes.gap_handler()});
  REQUIRE(eventually([&] { return changes.gaps() >= 1; }));
  server.kill();
  REQUIRE(eventually_away(cache));
  cache.cache_metrics("meanwhile", 1, 1min);
  REQUIRE(eventually([&] { return changes.count("cascor:metrics:meanwhile") >= 1; }));
  const auto gaps = changes.gaps();
  server.start();
  REQUIRE(eventually([&] { return changes.gaps() > gaps; }));
}
