// What on_event hears of what goes on inside: evictions, and what the near cache gives up.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/gate.hpp"
#include "support/near.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

namespace {

class Events {
 public:
  void add(const cascor::CacheEvent& event) {
    const std::lock_guard lock{mutex_};
    all_.push_back(event.kind + ": " + event.detail);
  }
  std::size_t count(const std::string& event) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::count(all_.begin(), all_.end(), event));
  }
  bool mentions(const std::string& text) const {
    const std::lock_guard lock{mutex_};
    return std::any_of(all_.begin(), all_.end(), [&](const auto& one) { return one.find(text) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

}  // namespace

TEST_CASE(
    "on_event hears of each key for which memory has no room, of sessions without their ids, and may use the cache") {
  Events events;
  std::atomic<int> used{0};
  cascor::CacheConfig config;
  std::unique_ptr<CacheManager> cache;
  config.type = cascor::CacheType::memory;
  config.max_memory_mb = 1;
  config.on_event = [&](const cascor::CacheEvent& event) {
    events.add(event);
    if (cache->set("from the handler", 1)) ++used;
  };
  cache = std::make_unique<CacheManager>(config);
  const std::string id = cache->sessions().create("user", {{"data", std::string(100'000, 'x')}});
  for (int i = 0; i < 30; ++i) cache->set("k" + std::to_string(i), std::string(100'000, 'x'));
  CHECK(eventually([&] { return events.count("eviction: cascor:k0") == 1; }));
  CHECK(eventually([&] { return events.count("eviction: cascor:session:") == 1; }));
  CHECK_FALSE(events.mentions(id));
  CHECK(eventually([&] { return used > 0; }));
}

TEST_CASE("a listener that is slow costs the cache nothing, and what it could not hear is counted") {
  Gate gate;
  Events events;
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.max_memory_mb = 1;
  config.on_event = [&](const cascor::CacheEvent& event) {
    gate.pass();
    events.add(event);
  };
  CacheManager cache{config};
  for (int i = 0; i < 2'500; ++i) cache.set("k" + std::to_string(i), std::string(2'000, 'x'));
  gate.open();
  CHECK(eventually([&] { return events.mentions(" more, of which the particulars were not kept"); }));
}

TEST_CASE("on_event hears of what the near cache gives up, and why") {
  RedisServer server;
  CapturedLog log;
  Events events;
  auto config = config_for(server, log);
  config.on_event = [&](const cascor::CacheEvent& event) { events.add(event); };
  CacheManager cache{config};
  cache.cache_metrics("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "metrics:latest"));
  server.raw("FLUSHALL");
  CHECK(eventually([&] { return events.count("flush: near cache: the server removed everything") == 1; }));
  cache.cache_metrics("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "metrics:latest"));
  server.raw("CLIENT", "KILL", "TYPE", "pubsub");
  CHECK(eventually([&] { return events.count("flush: near cache: its link to Redis came up again") == 1; }));
}
