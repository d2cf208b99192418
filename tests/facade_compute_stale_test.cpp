// get_or_compute with .stale_for, .stale_after and .refresh_ahead: what stands in while or after a computation, and
// what nobody waits for.
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::ComputeOptions;

namespace {

int fails() { throw std::runtime_error{"database away"}; }

// A cache in memory whose time the test moves.
struct InMemory {
  std::shared_ptr<cascor::ManualClock> clock = std::make_shared<cascor::ManualClock>();
  CapturedLog log;
  CacheManager cache{config()};

  cascor::CacheConfig config() const {
    cascor::CacheConfig config;
    config.type = cascor::CacheType::memory;
    config.clock = clock;
    config.log_sink = log.sink();
    return config;
  }
};

}  // namespace

TEST_CASE("a computation that fails is stood in for by the value before it, for as long as is asked") {
  InMemory in;
  const ComputeOptions options{.ttl = 10s, .stale_for = 1min};
  CHECK(in.cache.get_or_compute(
            "metrics:k", [] { return 42; }, options) == 42);
  in.clock->advance(11s);
  CHECK_FALSE(in.cache.get("metrics:k"));  // its entry is over
  const auto stale = in.cache.get_or_compute("metrics:k", fails, options);
  CHECK(stale == 42);
  CHECK(stale.status() == CacheStatus::stale);
  CHECK(stale.tier() == CacheTier::memory);
  CHECK(stale.age() == 11s);
  REQUIRE(stale.error() != nullptr);
  CHECK(std::string{stale.error()->what()} == "computing cascor:metrics:k failed: database away");
  CHECK(in.cache.stats().stale == 1);

  in.clock->advance(50s);
  CHECK_THROWS_WITH(in.cache.get_or_compute("metrics:k", fails, {.ttl = 10s, .stale_for = 20s}), "database away");
  CHECK_THROWS_WITH(in.cache.get_or_compute("metrics:k", fails), "database away");
  CHECK(in.cache.get_or_compute("metrics:k", fails, options) == 42);
  in.clock->advance(10s);
  CHECK_THROWS_WITH(in.cache.get_or_compute("metrics:k", fails, options), "database away");
}

TEST_CASE("what this process erased, replaced or knows to be gone stands in for nothing") {
  InMemory in;
  const ComputeOptions options{.ttl = 10s, .stale_for = 1min};
  CHECK(in.cache.get_or_compute(
            "k", [] { return 1; }, options) == 1);
  SECTION("erased") { in.cache.erase("k"); }
  SECTION("invalidated") { in.cache.invalidate_cache("k"); }
  SECTION("invalidated when it had expired") {
    in.clock->advance(11s);
    CHECK(in.cache.invalidate_cache("*") == 0);
  }
  SECTION("cleared") { CHECK(in.cache.clear_all_cache() == 1); }
  SECTION("replaced") { in.cache.set("k", 2, {.ttl = 1s}); }
  SECTION("found to be absent") {
    in.clock->advance(11s);
    CHECK_FALSE(in.cache.get_or_compute<int>(
        "k", [] { return std::optional<int>{}; }, options));
  }
  in.clock->advance(11s);
  CHECK_THROWS_WITH(in.cache.get_or_compute<int>("k", fails, options), "database away");
}

TEMPLATE_TEST_CASE("what ends sooner by touch() stands in for no longer than is asked past that end", "", OnMemory,
                   OnRedisTcp) {
  TestType backend;
  auto config = backend.config();
  const auto clock = std::make_shared<cascor::ManualClock>();
  config.clock = clock;
  CacheManager cache{config};
  const ComputeOptions options{.ttl = 1h, .stale_for = 10s};
  const std::string key = GENERATE("k", "metrics:k");
  CHECK(cache.get_or_compute(
            key, [] { return 1; }, options) == 1);
  CHECK(cache.touch(key, 1ms));
  clock->advance(1min);
  CHECK(eventually([&] { return !cache.contains(key); }));
  CHECK_THROWS_WITH(cache.get_or_compute<int>(key, fails, options), "database away");
}

TEST_CASE("a computation that was overtaken is not kept to stand in either") {
  InMemory in;
  const ComputeOptions options{.ttl = 10s, .stale_for = 1min};
  in.cache.get_or_compute(
      "k",
      [&] {
        in.cache.invalidate_cache("*");
        return 1;
      },
      options);
  CHECK_THROWS_WITH(in.cache.get_or_compute<int>("k", fails, options), "database away");
}

TEST_CASE("a value that was set, and is only read here, stands in too") {
  InMemory in;
  in.cache.set("k", 7, {.ttl = 10s});
  const ComputeOptions options{.stale_for = 1min};
  CHECK(in.cache.get_or_compute<int>("k", fails, options) == 7);
  in.clock->advance(11s);
  CHECK(in.cache.get_or_compute<int>("k", fails, options) == 7);
}

TEST_CASE("what is kept to stand in is within the memory limit, and nobody else's to see") {
  InMemory in;
  const ComputeOptions options{.ttl = 1h, .stale_for = 1h};
  in.cache.get_or_compute(
      "metrics:k", [] { return std::string(1000, 'x'); }, options);
  CHECK(in.cache.keys().size() == 1);
  CHECK(in.cache.stats().entries == 1);
  CHECK(in.cache.stats().bytes > 2000);
  CHECK(in.cache.invalidate_cache("*") == 1);
  CHECK(in.cache.stats().bytes == 0);
}

TEST_CASE("a stale value is served at once, or after a while, and the computation goes on in the background") {
  InMemory in;
  Gate gate;
  std::atomic<int> next{1};
  const auto compute = [&] {
    if (next > 1) gate.pass();
    return next++;
  };
  const ComputeOptions options{.ttl = 10s, .stale_for = 1min, .stale_after = 0ms};
  CHECK(in.cache.get_or_compute("k", compute, options) == 1);
  in.clock->advance(11s);
  for (int i = 0; i < 3; ++i) {
    const auto stale = in.cache.get_or_compute("k", compute, options);
    CHECK(stale == 1);
    CHECK(stale.status() == CacheStatus::stale);
    CHECK(stale.error() == nullptr);
  }
  gate.open();
  CHECK(eventually([&] { return in.cache.get<int>("k") == 2; }));
  CHECK(gate.arrived() == 1);
  in.clock->advance(11s);
  const ComputeOptions patient{.ttl = 10s, .stale_for = 1min, .stale_after = 1h};
  const auto fresh = in.cache.get_or_compute("k", compute, patient);
  CHECK(fresh == 3);
  CHECK(fresh.status() == CacheStatus::miss);
}

TEST_CASE("a function that cannot outlive the call is computed in it, stale_after or not") {
  InMemory in;
  struct Stays {
    Stays() = default;
    Stays(const Stays&) = delete;
    int operator()() const { return 2; }
  };
  const ComputeOptions now{.ttl = 10s, .stale_for = 1min, .refresh_ahead = 0.5, .stale_after = 0ms};
  in.cache.get_or_compute(
      "k", [] { return 1; }, now);
  Stays stays;
  in.clock->advance(9s);
  CHECK(in.cache.get_or_compute("k", stays, now) == 1);
  in.clock->advance(2s);
  CHECK(in.cache.get_or_compute("k", stays, now) == 2);
}

namespace {

// A function that is empty once it was moved from.
struct Owning {
  Owning(int value, std::atomic<int>& count) : owned{std::make_unique<int>(value)}, moves{count} {}
  Owning(Owning&& other) noexcept : owned{std::move(other.owned)}, moves{other.moves} { ++moves; }
  int operator()() const { return owned ? *owned : -1; }
  std::unique_ptr<int> owned;
  std::atomic<int>& moves;
};

}  // namespace

TEST_CASE("a function that was taken to the background is whole where it runs in the call after all") {
  InMemory in;
  const ComputeOptions at_once{.ttl = 10s, .stale_for = 1min, .stale_after = 0ms};
  const ComputeOptions patient{.ttl = 10s, .stale_for = 1min, .stale_after = 1h};
  const auto one = [] { return 1; };
  for (const char* key : {"a", "b", "k"}) CHECK(in.cache.get_or_compute(key, one, at_once) == 1);
  in.clock->advance(11s);
  Gate gate;
  for (const char* key : {"a", "b"}) {  // as many as the background has threads
    CHECK(in.cache.get_or_compute(
              key,
              [&] {
                gate.pass();
                return 2;
              },
              at_once) == 1);
  }
  gate.await_arrival(2);
  std::atomic<int> moves{0};
  int computed = 0;
  std::thread caller{[&] { computed = *in.cache.get_or_compute("k", Owning{5, moves}, patient); }};
  CHECK(eventually([&] { return moves > 0; }));
  in.cache.erase("k");  // its turn in the background comes to nothing
  gate.open();
  caller.join();
  CHECK(computed == 5);
}

TEST_CASE("near its end a value is computed anew in the background, once, when somebody asks") {
  InMemory in;
  std::atomic<int> next{1};
  const auto compute = [&] { return next++; };
  const auto [options, early] = GENERATE(
      table<ComputeOptions, std::chrono::milliseconds>({{{.ttl = 10s, .refresh_ahead = 2s, .jitter = 0}, 7s},
                                                        {{.ttl = 10s, .refresh_ahead = 0.25, .jitter = 0}, 7s},
                                                        {{.ttl = 10s, .refresh_ahead = true, .jitter = 0}, 7s}}));
  CHECK(in.cache.get_or_compute("k", compute, options) == 1);
  in.clock->advance(early);
  CHECK(in.cache.get_or_compute("k", compute, options).status() == CacheStatus::hit);
  CHECK(in.cache.stats().compute.refreshes == 0);
  in.clock->advance(2s);
  const auto hit = in.cache.get_or_compute("k", compute, options);
  CHECK(hit == 1);
  CHECK(hit.status() == CacheStatus::hit);
  CHECK(eventually([&] { return in.cache.get<int>("k") == 2; }));
  CHECK(in.cache.ttl("k") == 10s);
  CHECK(in.cache.stats().compute.refreshes == 1);
  in.clock->advance(11s);
  CHECK(in.cache.get_or_compute("k", compute, options).status() == CacheStatus::miss);  // nobody had asked
}

TEST_CASE("a refresh that fails, or that something newer overtakes, leaves what is there") {
  InMemory in;
  const ComputeOptions options{.ttl = 10s, .refresh_ahead = 5s, .jitter = 0};
  in.cache.get_or_compute(
      "k", [] { return 1; }, options);
  in.clock->advance(6s);
  SECTION("it fails") {
    CHECK(in.cache.get_or_compute("k", fails, options) == 1);
    CHECK(eventually([&] { return in.cache.stats().compute.load_failures == 1; }));
    CHECK(in.cache.get<int>("k") == 1);
  }
  SECTION("it is overtaken") {
    Gate gate;
    in.cache.get_or_compute(
        "k",
        [&] {
          gate.pass();
          return 2;
        },
        options);
    gate.await_arrival();
    in.cache.set("k", 3);
    gate.open();
    CHECK(eventually([&] { return in.cache.stats().compute.not_stored == 1; }));
    CHECK(in.cache.get<int>("k") == 3);
  }
}

TEST_CASE("a value that ends while it is computed anew is waited for, and computed once") {
  InMemory in;
  Gate gate;
  std::atomic<int> next{1};
  const auto compute = [&] {
    if (next > 1) gate.pass();
    return next++;
  };
  const ComputeOptions options{.ttl = 10s, .refresh_ahead = 5s, .jitter = 0};
  in.cache.get_or_compute("k", compute, options);
  in.clock->advance(6s);
  CHECK(in.cache.get_or_compute("k", compute, options) == 1);
  gate.await_arrival();
  in.clock->advance(5s);
  auto late = std::async(std::launch::async, [&] { return in.cache.get_or_compute("k", compute, options); });
  CHECK(eventually([&] { return in.cache.stats().compute.waits == 1; }));
  gate.open();
  CHECK(late.get() == 2);
}

TEST_CASE("the manager's end waits for what is computed in the background") {
  std::atomic<bool> ended{false};
  Gate gate;
  std::thread opener;
  {
    InMemory in;
    const ComputeOptions options{.ttl = 10s, .refresh_ahead = 5s, .jitter = 0};
    in.cache.get_or_compute(
        "k", [] { return 1; }, options);
    in.clock->advance(6s);
    in.cache.get_or_compute(
        "k",
        [&, &cache = in.cache] {
          gate.pass();
          ended = cache.get<int>("k") == 1;  // it may use the cache to its end
          return 2;
        },
        options);
    gate.await_arrival();
    opener = std::thread{[&] { gate.open(); }};
  }
  CHECK(ended);
  opener.join();
}

TEST_CASE("a dashboard that asks once a second for a value with a TTL of a second seldom waits") {
  InMemory in;
  std::atomic<int> version{0};
  std::atomic<int> in_caller{0};
  const auto me = std::this_thread::get_id();
  const auto compute = [&] {
    if (std::this_thread::get_id() == me) ++in_caller;
    return ++version;
  };
  const ComputeOptions options{.ttl = 1s, .stale_for = 10s, .refresh_ahead = 200ms, .stale_after = 0ms, .jitter = 0};
  int last = 0;
  for (int second = 0; second < 60; ++second) {
    const auto value = in.cache.get_or_compute("metrics:full", compute, options);
    REQUIRE(value);
    CHECK(*value >= last);
    last = *value;
    // The background has its time, then the next second comes, a little early or a little late.
    const bool in_background = value.status() == CacheStatus::stale || *value.ttl() <= 200ms;
    if (in_background)
      CHECK(eventually([&] { return in.cache.get_or_compute("metrics:full", compute, options).value_or(0) > last; }));
    in.clock->advance(second % 2 == 0 ? 990ms : 1010ms);
  }
  CHECK(in_caller == 1);  // the first time there was nothing to show
  CHECK(last > 55);       // and what is shown is no older than the second before
}

TEST_CASE("on Redis: a failed computation is stood in for, also where another process had stored the value") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const ComputeOptions options{.ttl = 1h, .stale_for = 10min};
  const auto gone = [&] { backend.server.raw("DEL", "cascor:k"); };
  SECTION("computed here") {
    CHECK(cache.get_or_compute(
              "k", [] { return 42; }, options) == 42);
  }
  SECTION("read here") {
    backend.server.raw("SET", "cascor:k", "41");
    CHECK(cache.get_or_compute<int>("k", fails, options) == 41);
    backend.server.raw("SET", "cascor:k", "42");
    CHECK(cache.get_or_compute<int>("k", fails, options) == 42);
  }
  gone();
  const auto stale = cache.get_or_compute<int>("k", fails, options);
  CHECK(stale == 42);
  CHECK(stale.status() == CacheStatus::stale);
  cache.erase("k");
  CHECK_THROWS_WITH(cache.get_or_compute<int>("k", fails, options), "database away");
}

TEST_CASE("on Redis: what stands in survives an outage, what was erased meanwhile does not") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  const ComputeOptions options{.ttl = 1h, .stale_for = 10min};
  cache.get_or_compute(
      "kept", [] { return 1; }, options);
  cache.get_or_compute(
      "erased", [] { return 2; }, options);
  server.kill();
  CHECK(cache.get_or_compute<int>("kept", fails, options) == 1);
  cache.erase("erased");
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(cache.get_or_compute<int>("kept", fails, options).status() == CacheStatus::stale);
  CHECK_THROWS_WITH(cache.get_or_compute<int>("erased", fails, options), "database away");
}

TEST_CASE("on Redis: near its end a value is computed anew, wherever it was computed first") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const ComputeOptions options{.ttl = 1h, .refresh_ahead = 1min, .jitter = 0};
  std::atomic<int> next{2};
  const auto compute = [&] { return next++; };
  backend.server.raw("SET", "cascor:k", "1", "PX", "3600000");
  CHECK(cache.get_or_compute<int>("k", compute, options) == 1);
  CHECK(cache.stats().compute.refreshes == 0);
  backend.server.raw("SET", "cascor:k", "11", "PX", "50000");
  CHECK(cache.get_or_compute<int>("k", compute, options) == 11);
  CHECK(eventually([&] { return cache.get<int>("k") == 2; }));
  CHECK(*cache.ttl("k") > 50min);
}

TEST_CASE("on Redis: a refresh that another process's newer value or removal overtook is not stored") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const bool across = GENERATE(false, true);
  const bool removed = GENERATE(false, true);
  const ComputeOptions options{.ttl = 1h, .refresh_ahead = 1min, .across_processes = across, .jitter = 0};
  backend.server.raw("SET", "cascor:k", "1", "PX", "50000");
  Gate gate;
  cache.get_or_compute<int>(
      "k",
      [&] {
        gate.pass();
        return 2;
      },
      options);
  gate.await_arrival();
  removed ? backend.server.raw("DEL", "cascor:k") : backend.server.raw("SET", "cascor:k", "3");
  gate.open();
  CHECK(eventually([&] { return cache.stats().compute.not_stored == 1; }));
  CHECK(backend.server.raw("GET", "cascor:k").text == (removed ? "" : "3"));
}

TEST_CASE("on Redis: a life longer than a clock can tell is no reason to fail") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const std::string key = GENERATE("k", "metrics:k");
  backend.server.raw("SET", "cascor:" + key, "1", "PX", "9000000000000000000");
  for (int i = 0; i < 2; ++i) CHECK(cache.get_or_compute<int>(key, fails, {.stale_for = 1min}) == 1);
  CHECK(cache.get_or_compute<int>(key, fails, {.stale_for = 1min, .refresh_ahead = 0.5}) == 1);
}

TEST_CASE("on Redis: with the server lost, a refresh takes no newer value's place") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 2s;
  CacheManager cache{config};
  server.raw("SET", "cascor:k", "1", "PX", "50000");
  Gate gate;
  const auto compute = [&] {
    gate.pass();
    return 2;
  };
  CHECK(cache.get_or_compute<int>("k", compute, {.ttl = 1h, .refresh_ahead = 1min}) == 1);
  gate.await_arrival();
  server.pause();
  const auto before = cache.stats().redis.commands;
  gate.open();
  CHECK(eventually([&] { return cache.stats().redis.commands > before; }));  // it is on its way
  cache.with_deadline(50ms).set("k", 3);
  CHECK(*cache.get<int>("k") == 3);
  CHECK(eventually([&] { return cache.stats().compute.not_stored == 1; }));
  CHECK(*cache.get<int>("k") == 3);
  server.resume();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:k").text == "3");
}

TEST_CASE("on Redis: with the server lost, what a removal did not wait for does not come back by memory") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.connection_pool.timeout = 2s;
  CacheManager cache{config};
  Gate gate;
  std::thread caller{[&] {
    (void)cache.get_or_compute("k", [&] {
      gate.pass();
      return 2;
    });
  }};
  gate.await_arrival();
  server.pause();
  const auto before = cache.stats().redis.commands;
  gate.open();
  CHECK(eventually([&] { return cache.stats().redis.commands > before; }));
  cache.with_deadline(50ms).erase("k");
  caller.join();
  CHECK_FALSE(cache.get("k"));
  server.resume();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("EXISTS", "cascor:k").integer == 0);
}
