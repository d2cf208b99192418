// What the application's own functions may do, the order in which they hear of things, and how a cache ends.
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_client.hpp"
#include "support/temporary_folder.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheTier;

namespace {

// Remembers changes of state, by what stands before the first colon.
class Events {
 public:
  void add(const cascor::CacheEvent& event) {
    if (event.kind != "state") return;
    const std::lock_guard lock{mutex_};
    all_.push_back(event.detail.substr(0, event.detail.find(':')));
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

}  // namespace

TEST_CASE("on_event hears of each change of state, once and in order") {
  RedisServer server;
  CapturedLog log;
  Events events;
  auto config = config_for(server, log);
  config.on_event = [&](const cascor::CacheEvent& event) { events.add(event); };
  CacheManager cache{config};
  std::vector<std::string> expected;
  for (std::size_t round = 1; round <= 5; ++round) {
    server.kill();
    in_threads(8, [&](std::size_t i) { cache.set("k" + std::to_string(i), i); });
    server.start();
    REQUIRE(eventually_restored(log, round));
    expected.insert(expected.end(), {"FALLBACK", "LIVE"});
    REQUIRE(eventually([&] { return events.all() == expected; }));
  }
  CHECK(changes_in(log) ==
        std::vector<std::string>{"away", "back", "away", "back", "away", "back", "away", "back", "away", "back"});
}

TEST_CASE("lines and events alternate, however fast the state changes and however slow the listeners are") {
  // Answers questions and hangs up on reads: each read is a loss, each question a return.
  ScriptedServer server{ScriptedServer::answering({{"GET", ""}})};
  CapturedLog log;
  // With those that one event stands for, as only the newest wait for a slow listener.
  std::atomic<std::uint64_t> told{0};
  std::atomic<bool> in_order{true};
  auto config = config_for_port(server.port(), log);
  config.random = [] { return std::uint64_t{0}; };
  config.connection_pool.retry_on_timeout = false;
  config.on_event = [&](const cascor::CacheEvent& event) {
    for (int i = 0; i < 200 && event.detail.starts_with("FALLBACK"); ++i) std::this_thread::yield();
    if (event.kind != "state") return;
    told += event.count;
    if (event.detail.starts_with(told % 2 == 1 ? "LIVE" : "FALLBACK")) in_order = false;
  };
  {
    CacheManager cache{config};
    in_threads(4, [&](std::size_t) {
      (void)eventually([&] {
        (void)cache.get("k");
        return changes_in(log).size() > 60;
      });
    });
    CHECK(eventually([&] { return cache.health().mode == cascor::HealthMode::live; }));
    CHECK(eventually([&] { return told == changes_in(log).size(); }));
  }
  const auto changes = changes_in(log);
  CHECK(changes.size() > 60);
  for (std::size_t i = 0; i < changes.size(); ++i) REQUIRE(changes[i] == (i % 2 == 0 ? "away" : "back"));
  CHECK(in_order);
}

TEST_CASE("what the application's functions throw stays out of its calls") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.on_event = [](const cascor::CacheEvent&) { throw std::runtime_error{"on_event"}; };
  config.random = []() -> std::uint64_t { throw 1; };
  SECTION("a sink that throws") {
    config.log_sink = [](cascor::LogLevel, std::string_view) { throw std::runtime_error{"sink"}; };
  }
  SECTION("a password provider that throws") {
    config.password_provider = []() -> std::string { throw std::runtime_error{"password"}; };
  }
  CacheManager cache{config};
  server.kill();
  CHECK_FALSE(cache.set("k", 1));
  CHECK(*cache.get("k") == 1);
  server.start();
  if (!config.password_provider) CHECK(eventually([&] { return cache.get("k").tier() == CacheTier::redis; }));
  CHECK(cache.get("k"));
}

TEST_CASE("handlers may use the cache, from whatever thread they are called") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  std::atomic<CacheManager*> ready{nullptr};
  std::atomic<int> handled{0};
  const auto use = [&] {
    CacheManager* const cache = ready;
    if (cache == nullptr) return;
    cache->set("from a handler", 1);
    (void)cache->get("from a handler");
    cache->invalidate_cache("x*");
    (void)cache->health();
    (void)cache->stats();
    ++handled;
  };
  const auto sink = log.sink();
  config.log_sink = [&, sink](cascor::LogLevel level, std::string_view line) {
    sink(level, line);
    use();
  };
  config.on_event = [&](const cascor::CacheEvent&) { use(); };
  CacheManager cache{config};
  ready = &cache;
  for (std::size_t round = 1; round <= 2; ++round) {
    server.kill();
    CHECK_FALSE(cache.set("k", round));
    server.start();
    REQUIRE(eventually_restored(log, round));
  }
  REQUIRE(eventually([&] { return cache.get("k").tier() == CacheTier::redis; }));
  CHECK(eventually([&] { return handled >= 8; }));
  ready = nullptr;
}

TEST_CASE("a cache whose server is away ends quickly, and says what is lost with it") {
  CapturedLog log;
  const auto took = time_of([&] {
    const int nobody = free_port();
    CacheManager cache{config_for_port(nobody, log)};
    cache.set("a", 1);
    cache.set("b", 2);
    cache.set("b", 3);
  });
  CHECK(took < soon);
  CHECK(log.lines().size() == 2);
  CHECK(log.count("WARNING: ") == 1);  // that it was never there: what was kept for it was never more than kept
  CHECK(log.count("INFO: Redis did not return: 2 writes that waited for it are lost") == 1);
}

TEST_CASE("a cache whose server stands still ends within a few seconds, whatever it was doing") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 300ms;
  config.shutdown_timeout = 500ms;
  std::optional<CacheManager> cache{config};
  server.pause();
  cache->set("k", 1);
  config.connection_pool.timeout = 60s;
  const bool in_the_middle = GENERATE(false, true);
  if (in_the_middle) REQUIRE(eventually([&] { return cache->health().details.connection_attempts > 0; }));
  CHECK(time_of([&] { cache.reset(); }) < soon);
}

TEST_CASE("a cache ends within shutdown_timeout, whatever its threads are waiting for") {
  RedisServer server;
  FaultProxy proxy{server};
  const TemporaryFolder folder;
  CapturedLog log;
  auto config = config_for_port(proxy.endpoint().port, log);
  config.history.directory = folder.path();
  config.shutdown_timeout = 100ms;
  proxy.set(Fault::refuse());
  {
    CacheManager cache{config};
    REQUIRE(cache.history("run").append({{"epoch", 1}}).tier() == CacheTier::memory);
  }
  proxy.heal();
  config.connection_pool.timeout = 60s;
  config.strict = GENERATE(false, true);
  CAPTURE(config.strict);
  std::optional<CacheManager> cache{config};
  (void)cache->get("metrics:a");  // opens the link of what is near
  const auto subscription = cache->subscribe({"c"}, [](const cascor::Message&) {});
  proxy.set(Fault::mute());
  cache->set("k", 1, {.background = true});
  REQUIRE(eventually([&] { return server.raw("EXISTS", "cascor:k").integer == 1; }));
  const auto connections = proxy.connections();
  (void)cache->history("run");  // whose record begins to go to Redis, over another connection
  REQUIRE(eventually([&] { return proxy.connections() > connections; }));
  CHECK(time_of([&] { cache.reset(); }) < soon);
  CHECK(log.count("WARNING: 1 queued write could not be sent") == 1);
  CHECK(log.count("WARNING: ") == 2);  // with the one of the first cache
}

TEST_CASE("a cache that is destroyed just when its server is back delivers what was waiting") {
  RedisServer server;
  server.kill();
  CapturedLog log;
  auto config = config_for(server, log);
  config.random = [] { return std::uint64_t{2'000}; };  // the longest wait between attempts
  {
    CacheManager cache{config};
    REQUIRE(eventually([&] { return cache.health().details.connection_attempts >= 5; }));
    cache.set("k", 1);
    cache.set("l", 1);
    cache.erase("l");
    server.start();
  }
  CHECK(server.raw("GET", "cascor:k").text == "1");
  CHECK(log.count("INFO: Redis connection restored: " + server.address() + " (replayed 1 write, 1 invalidation)") == 1);
  CHECK_FALSE(log.mentions("are lost"));
}

TEST_CASE("without a shutdown_timeout nothing is waited for at the end, and what Redis missed is a WARNING") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 200ms;
  config.shutdown_timeout = 0ms;
  {
    CacheManager cache{config};
    server.kill();
    cache.set("k", 1);
  }
  CHECK(log.count("WARNING: Redis did not return: 1 write that waited for it is lost") == 1);
}

TEST_CASE("caches are made and destroyed while their servers come and go, and nothing is left behind") {
  RedisServer server;
  CapturedLog log;
  std::atomic<bool> done{false};
  std::thread flapping{[&] {
    while (!done) {
      server.pause();
      std::this_thread::yield();
      server.resume();
      std::this_thread::yield();
    }
  }};
  const auto took = time_of([&] {
    in_threads(4, [&](std::size_t i) {
      for (int round = 0; round < 20; ++round) {
        auto config = config_for(server, log);
        config.connection_pool.timeout = cascor::milliseconds{1 + 10 * static_cast<int>(i)};
        config.shutdown_timeout = 100ms;
        CacheManager cache{config};
        cache.set("k", round);
        (void)cache.get("k");
        (void)cache.health();
      }
    });
  });
  done = true;
  flapping.join();
  CHECK(took < 60s);
  CHECK(eventually([&] { return server.clients() == 0; }));
}

TEST_CASE("a path that no Unix socket can have is a ConfigError at once") {
  cascor::CacheConfig config;
  config.redis_url = "unix:///" + std::string(200, 'p');
  CHECK_THROWS_AS(CacheManager{config}, cascor::ConfigError);
}
