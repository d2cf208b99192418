// What `CacheConfig::on_event` hears: each change of state, eviction and flush, whatever the handler does meanwhile.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/destroyed_inside.hpp"
#include "support/eventually.hpp"
#include "support/fork.hpp"
#include "support/gate.hpp"
#include "support/near.hpp"
#include "support/redis_client.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheEvent;
using cascor::CacheManager;

namespace {

// Remembers what it is told. Safe from any thread.
class Heard {
 public:
  auto handler() {
    return [this](const CacheEvent& event) { add(event); };
  }
  void add(const CacheEvent& event) {
    const std::lock_guard lock{mutex_};
    all_.push_back(event);
  }
  std::vector<CacheEvent> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }
  // How many happened whose detail begins so.
  std::uint64_t count(const std::string& kind, const std::string& detail = {}) const {
    std::uint64_t sum = 0;
    for (const CacheEvent& event : all()) {
      if (event.kind == kind && event.detail.starts_with(detail)) sum += event.count;
    }
    return sum;
  }
  bool mentions(const std::string& text) const {
    const auto events = all();
    return std::any_of(events.begin(), events.end(),
                       [&](const CacheEvent& event) { return event.detail.find(text) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<CacheEvent> all_;
};

cascor::CacheConfig in_memory(const CapturedLog& log) {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.log_sink = log.sink();
  config.max_memory_mb = 1;
  return config;
}

const std::string large(100'000, 'x');

void fill(CacheManager& cache, int entries, const std::string& key = "metrics:") {
  for (int i = 0; i < entries; ++i) (void)cache.set(key + std::to_string(i), large);
}

}  // namespace

TEST_CASE("on_event hears of each eviction of a full memory cache, by its key and size") {
  CapturedLog log;
  Heard heard;
  auto config = in_memory(log);
  config.on_event = heard.handler();
  std::optional<CacheManager> cache{config};
  fill(*cache, 30);
  const auto evictions = cache->stats().evictions;
  REQUIRE(evictions > 10);
  cache.reset();  // before whose end all is told
  CHECK(heard.count("eviction", "memory: cascor:metrics:") == evictions);
  REQUIRE(heard.all().size() == evictions);
  const std::string first = "memory: cascor:metrics:0, ";  // the least recently used
  const std::string detail = heard.all().front().detail;
  REQUIRE(detail.starts_with(first));
  CHECK(std::stoi(detail.substr(first.size())) > 100'000);
  CHECK(detail.ends_with(" bytes"));
}

TEST_CASE("no event has the id of a session") {
  CapturedLog log;
  const TemporaryFolder folder;
  Heard heard;
  auto config = in_memory(log);
  config.history.directory = folder.path();
  config.on_event = heard.handler();
  CacheManager cache{config};
  const std::string id = cache.sessions().create("somebody", {{"data", large}});
  cache.set("session:topsecret", large);
  fill(cache, 30);
  REQUIRE_FALSE(cache.contains("session:topsecret"));
  CHECK(eventually([&] { return heard.count("eviction") == cache.stats().evictions; }));
  CHECK(heard.count("eviction", "memory: cascor:session:***, ") == 2);
  CHECK_FALSE(heard.mentions("topsecret"));
  CHECK_FALSE(heard.mentions(id));
}

TEMPLATE_TEST_CASE("on_event hears that everything was cleared, and how much it was", "", OnMemory, OnRedisTcp) {
  TestType backend;
  Heard heard;
  auto config = backend.config();
  config.on_event = heard.handler();
  std::optional<CacheManager> cache{config};
  cache->set_many({{"a", 1}, {"metrics:b", 2}});
  cache->invalidate_cache("metrics:*");  // is no flush
  cache->clear_all_cache();
  cache->clear_all_cache();  // of nothing
  cache->set_many({{"a", 1}, {"metrics:b", 2}});
  cache->invalidate_cache("*");
  cache.reset();
  CHECK(heard.count("flush") == 2);
  CHECK(heard.count("flush", "clear_all_cache: 1 entry") == 1);
  CHECK(heard.count("flush", "clear_all_cache: 2 entries") == 1);
}

TEST_CASE("on_event hears of each flush of what is near, with its reason, of its evictions, and of Redis's absence") {
  RedisServer server;
  CapturedLog log;
  Heard heard;
  auto config = config_for(server, log);
  config.near_cache.max_memory_mb = 1;
  config.on_event = heard.handler();
  CacheManager cache{config};
  cache.set("metrics:a", 1);
  REQUIRE(eventually_near(cache, "metrics:a"));
  server.raw("FLUSHDB");
  REQUIRE(eventually([&] { return heard.count("flush", "server: ") == 1; }));
  cache.set("metrics:a", 1);
  REQUIRE(eventually_near(cache, "metrics:a"));
  cache.command({"EVAL", "return 1", "0"});
  CHECK(eventually([&] { return heard.count("flush", "command: ") == 1; }));
  fill(cache, 20);
  REQUIRE(eventually([&] {
    for (int i = 0; i < 20; ++i) (void)cache.get("metrics:" + std::to_string(i));
    return cache.stats().near_cache.evictions > 0;
  }));
  CHECK(eventually([&] { return heard.count("eviction", "near cache: cascor:metrics:") > 0; }));
  server.kill();
  (void)cache.set("k", 1);
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(eventually([&] { return heard.count("state", "LIVE: ") == 1; }));
  CHECK(heard.count("state", "FALLBACK: ") == 1);
  CHECK(eventually([&] {
    (void)cache.get("metrics:a");
    const auto counted = cache.stats().near_cache;
    return heard.count("flush", "link_up: ") == 1 && heard.count("eviction") == counted.evictions;
  }));
}

TEST_CASE("on_event hears of what memory loses in Redis's place, in order, and its handler may use the cache") {
  RedisServer server;
  CapturedLog log;
  Heard heard;
  auto config = config_for(server, log);
  config.max_memory_mb = 1;
  config.near_cache.enabled = false;
  std::atomic<CacheManager*> ready{nullptr};
  config.on_event = [&](const CacheEvent& event) {
    if (CacheManager* const cache = ready) {
      cache->set("from the handler", 1);
      (void)cache->get("from the handler");
      cache->erase("from the handler");
      (void)cache->stats();
      (void)cache->health();
    }
    heard.add(event);
  };
  CacheManager cache{config};
  ready = &cache;
  server.kill();
  fill(cache, 20);
  const auto evictions = cache.stats().evictions;
  REQUIRE(evictions > 0);
  CHECK(eventually([&] { return heard.count("eviction", "memory: cascor:metrics:") == evictions; }));
  server.start();
  REQUIRE(eventually([&] { return heard.count("state", "LIVE: ") == 1; }));
  ready = nullptr;
  const auto all = heard.all();
  CHECK(all.front().detail.starts_with("FALLBACK: "));
  CHECK(all.at(all.size() - 2).detail.starts_with("returned: "));
  CHECK(all.back().detail.starts_with("LIVE: "));
}

TEST_CASE("no call waits for a handler that stands still, and what it could not be told is told in sums") {
  CapturedLog log;
  Heard heard;
  Gate gate;
  auto config = in_memory(log);
  config.on_event = [&](const CacheEvent& event) {
    gate.pass();
    heard.add(event);
  };
  std::optional<CacheManager> cache{config};
  for (int i = 0; i < 3'000; ++i)
    cache->set((i % 2 == 0 ? "metrics:" : "") + std::to_string(i), std::string(2'000, 'x'));
  for (int i = 0; i < 3; ++i) {
    cache->clear_all_cache();
    cache->set("k", 1);
  }
  const auto stats = cache->stats();
  REQUIRE(stats.evictions > 2'000);
  CHECK(gate.arrived() <= 1);
  gate.open();
  cache.reset();
  CHECK(heard.count("eviction") == stats.evictions);
  CHECK(heard.count("flush") == 3);
  CHECK(heard.all().size() <= 1'024 + 1 + 3);  // what waited, what was told first, and a sum of each sort
  CHECK(heard.mentions(" entries under cascor:metrics:, "));
}

TEST_CASE("what a handler of evictions throws is a line of the log, not one for each") {
  CapturedLog log;
  auto config = in_memory(log);
  std::atomic<int> called{0};
  config.on_event = [&](const CacheEvent&) {
    ++called;
    throw std::runtime_error{"on_event"};
  };
  {
    CacheManager cache{config};
    fill(cache, 30);
    CHECK(cache.get("metrics:29"));
  }
  CHECK(called > 10);
  CHECK(log.count("ERROR: CacheConfig::on_event threw; the cache goes on") == 1);
}

TEST_CASE("a cache ends within shutdown_timeout though its handler causes an event with each that it hears of") {
  CapturedLog log;
  auto config = in_memory(log);
  config.shutdown_timeout = 50ms;
  std::atomic<CacheManager*> ready{nullptr};
  config.on_event = [&](const CacheEvent&) {
    if (CacheManager* const cache = ready) fill(*cache, 20);
  };
  std::optional<CacheManager> cache{config};
  ready = &*cache;
  fill(*cache, 20);
  CHECK(time_of([&] { cache.reset(); }) < 5s);
  CHECK(log.mentions("not told to CacheConfig::on_event, which was busy as the cache ended"));
}

#if !defined(FORKS_UNDER_TSAN)

TEST_CASE("a manager that is destroyed from inside on_event says so, and ends the program") {
  const auto from_on_event = [](cascor::CacheConfig& config) {
    config.on_event = [](const CacheEvent&) { DestroysTheCache{}(); };
  };
  SECTION("when it hears of a flush") {
    CHECK(ends_the_program(from_on_event, [](CacheManager& cache) {
      cache.set("k", 1);
      cache.clear_all_cache();
    }));
  }
  SECTION("when it hears that Redis is away, as the manager is made") {
    const auto on_nobody = [&](cascor::CacheConfig& config) {
      from_on_event(config);
      config.type = cascor::CacheType::redis;
      config.redis_url = "redis://127.0.0.1:" + std::to_string(free_port());
    };
    CHECK(ends_the_program(on_nobody, [](CacheManager&) {}));
  }
}

#endif
