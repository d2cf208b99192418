// One manager, many threads, every member at once, on memory and on a Redis that comes and goes. Run it under
// ThreadSanitizer too (preset tsan).
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::HealthStatus;
using cascor::json;

namespace {

// Values name their key: one that turns up under another key would show.
json value_for(const std::string& key, unsigned number) {
  return {{"key", key}, {"number", number}, {"more", {1, 2, 3}}};
}
bool belongs(const cascor::CacheResult<json>& result, const std::string& key) {
  return !result || result->at("key") == key;
}

// What no caller may see, from all threads.
class Wrongs {
 public:
  void add(const std::string& what) {
    const std::lock_guard lock{mutex_};
    all_.push_back(what);
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

// Calls every public member in some order.
class Caller {
 public:
  Caller(CacheManager& cache, Wrongs& wrongs, unsigned seed) : cache_{cache}, wrongs_{wrongs}, random_{seed} {}

  void calls(int count) {
    for (int i = 0; i < count; ++i) {
      const auto kind = random_() % 16;
      try {
        if (!call(kind)) wrongs_.add("wrong answer to call " + std::to_string(kind));
      } catch (const std::exception& error) {  // nothing throws in this mode
        wrongs_.add("thrown by call " + std::to_string(kind) + ": " + error.what());
      }
    }
  }

 private:
  bool call(unsigned long kind) {
    const std::string name = std::to_string(random_() % 20);
    const std::string metric = "cascor:metrics:" + name;
    const auto number = static_cast<unsigned>(random_());
    switch (kind) {
      case 0: cache_.cache_metrics(name, value_for(metric, number), 1h); return true;
      case 1: cache_.cache_metrics(value_for("cascor:metrics:latest", number)); return true;
      case 2: cache_.cache_topology(name, std::vector<unsigned>{number}, 1h); return true;
      case 3: cache_.cache_history(name, number); return true;
      case 4: return belongs(cache_.get_cached_metrics(name), metric);
      case 5: return belongs(cache_.get_cached_metrics(), "cascor:metrics:latest");
      case 6: return cache_.get_cached_topology<std::vector<unsigned>>(name).value_or(std::vector{1U}).size() == 1;
      case 7: return no_error(cache_.get_cached_history<unsigned>(name));
      case 8: cache_.set(metric, value_for(metric, number)); return true;
      case 9: return belongs(cache_.get(metric), metric);
      case 10: cache_.erase(metric); return true;
      case 11: cache_.contains(metric); return true;
      case 12: {
        const auto found = cache_.get_many({"metrics:0", "metrics:1", "metrics:2"});
        return found.size() == 3 && belongs(found[0], "cascor:metrics:0") && belongs(found[2], "cascor:metrics:2");
      }
      case 13: {
        const auto stored = cache_.set_many({{"metrics:0", value_for("cascor:metrics:0", number)},
                                             {"metrics:1", value_for("cascor:metrics:1", number)}});
        return stored.size() == 2;
      }
      case 14:
        if (number % 10 == 0) cache_.clear_all_cache();
        return cache_.invalidate_cache("metrics:1*") < 1'000'000;
      default: {
        const auto health = cache_.health();
        return cache_.stats().prefixes.size() == 6 && cache_.config().enabled && !health.timestamp.empty();
      }
    }
  }

  // Away or not, a read has a value or none; unless its own time was up before that could be known.
  template <class T>
  bool no_error(const cascor::CacheResult<T>& result) {
    const auto* const error = result.error();
    if (error == nullptr || error->code() == cascor::ErrorCode::timeout) return true;
    wrongs_.add(error->what());
    return false;
  }

  CacheManager& cache_;
  Wrongs& wrongs_;
  std::mt19937 random_;
};

}  // namespace

TEMPLATE_TEST_CASE("every member may be called from many threads at once", "", OnMemory, OnRedisTcp, OnRedisUnix) {
  TestType backend;
  CacheManager cache{backend.config()};
  Wrongs wrongs;
  in_threads(8, [&](std::size_t i) { Caller{cache, wrongs, static_cast<unsigned>(i)}.calls(400); });
  CHECK(wrongs.all() == std::vector<std::string>{});
}

TEST_CASE("every member may be called from many threads at once, on a small memory that evicts") {
  OnMemory backend;
  auto config = backend.config();
  config.max_memory_mb = 1;
  config.eviction = GENERATE(cascor::Eviction::lru, cascor::Eviction::s3fifo);
  CacheManager cache{config};
  Wrongs wrongs;
  in_threads(8, [&](std::size_t i) {
    Caller{cache, wrongs, static_cast<unsigned>(i)}.calls(200);
    for (int n = 0; n < 50; ++n) cache.set("large" + std::to_string(n % 30), std::string(60'000, 'x'));
  });
  CHECK(wrongs.all() == std::vector<std::string>{});
  CHECK(cache.stats().bytes <= 1 << 20);
}

TEST_CASE("every member may be called while the server is killed, restarted, held up and cut off") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 200ms;
  config.connection_pool.max_connections = 4;
  std::optional<CacheManager> cache{config};
  std::atomic<bool> done{false};
  Wrongs wrongs;
  std::thread callers{[&] {
    in_threads(8, [&](std::size_t i) {
      for (unsigned round = 0; !done; ++round) {
        Caller{*cache, wrongs, round * 8 + static_cast<unsigned>(i)}.calls(20);
      }
    });
  }};
  for (std::size_t round = 1; round <= 4; ++round) {
    server.kill();
    CHECK(eventually([&] { return log.count("WARNING: Redis unavailable") >= round; }));
    server.start();
    CHECK(eventually([&] { return log.count("INFO: Redis connection restored: ") >= round; }));
    server.raw("CLIENT", "KILL", "TYPE", "normal");
    server.pause();
    CHECK(eventually_away(*cache));
    server.resume();
  }
  done = true;
  callers.join();
  CHECK(wrongs.all() == std::vector<std::string>{});
  CHECK(eventually([&] { return cache->health().status == HealthStatus::up; }));
  const auto changes = changes_in(log);
  for (std::size_t i = 0; i < changes.size(); ++i) REQUIRE(changes[i] == (i % 2 == 0 ? "away" : "back"));
  CHECK(cache->set("after", 1));
  CHECK(time_of([&] { cache.reset(); }) < 10s);
}

TEST_CASE("whatever becomes of the connections, Redis ends with what each writer did last") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 100ms;
  CacheManager cache{config};
  std::atomic<bool> done{false};
  std::mutex mutex;
  std::map<std::string, std::string> expected;  // key to JSON text; empty: erased
  std::thread writers{[&] {
    in_threads(6, [&](std::size_t thread) {
      std::mt19937 random{static_cast<unsigned>(thread)};
      std::map<std::string, std::string> last;
      const std::string mine = std::to_string(thread) + ':';
      for (unsigned i = 0; !done || i < 300; ++i) {
        const std::string key = mine + std::to_string(random() % 10);
        switch (random() % 8) {
          case 0:
            cache.erase(key);
            last[key].clear();
            break;
          case 1:
            cache.set_many({{mine + "a", i}, {mine + "b", i}});
            last[mine + "a"] = last[mine + "b"] = std::to_string(i);
            break;
          case 2:
            cache.invalidate_cache(mine + "[a4]");
            for (const auto* name : {"a", "4"}) last[mine + name].clear();
            break;
          default: cache.set(key, i); last[key] = std::to_string(i);
        }
      }
      const std::lock_guard lock{mutex};
      expected.merge(last);
    });
  }};
  for (int round = 0; round < 6; ++round) {
    server.raw("CLIENT", "KILL", "TYPE", "normal");
    server.pause();
    CHECK(eventually_away(cache));
    server.resume();
    CHECK(eventually([&] { return cache.health().status == HealthStatus::up; }));
    server.raw("CLIENT", "PAUSE", "150", "WRITE");
  }
  done = true;
  writers.join();
  REQUIRE(eventually([&] {
    const auto health = cache.health();
    return health.status == HealthStatus::up && health.details.pending_writes == 0;
  }));
  CHECK(expected.size() == 6 * 12);
  for (const auto& [key, text] : expected) {
    CAPTURE(key);
    CHECK(server.raw("GET", "cascor:" + key).text == text);
  }
}

TEST_CASE("caches of several configurations live side by side") {
  OnRedisTcp redis;
  OnMemory memory;
  auto other = redis.config();
  other.key_namespace = "other:";
  CacheManager one{redis.config()};
  CacheManager two{other};
  CacheManager three{memory.config()};
  in_threads(6, [&](std::size_t i) {
    CacheManager& cache = i % 3 == 0 ? one : i % 3 == 1 ? two : three;
    for (int n = 0; n < 100; ++n) cache.set("k" + std::to_string(n), i % 3);
  });
  CHECK(*one.get("k7") == 0);
  CHECK(*two.get("k7") == 1);
  CHECK(*three.get("k7") == 2);
  CHECK(one.clear_all_cache() == 100);
  CHECK(two.clear_all_cache() == 100);
}
