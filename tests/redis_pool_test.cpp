// The pool: never more connections than allowed, none lent twice, no slot lost whatever happens to what was lent.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/pool.hpp"
#include "support/redis_client.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::redis::Answer;
using Batch = cascor::redis::Batch<>;
using cascor::redis::RedisOptions;

namespace {

// A pool with the randomness that an engine gives it.
struct Randomness {
  cascor::detail::Random random{[] { return std::uint64_t{0}; }};
};
struct ConnectionPool : Randomness, cascor::redis::ConnectionPool<> {
  explicit ConnectionPool(const RedisOptions& options) : cascor::redis::ConnectionPool<>{options, random} {}
};

Batch ping() { return Batch{}.add({Answer::status}, "PING"); }

std::string id_of(ConnectionPool::Lease& lease) {
  return std::to_string(lease->execute(Batch{}.add({Answer::integer}, "CLIENT", "ID"), in(10s)).at(0).integer);
}

// A lease that may be ended when the test wants.
std::unique_ptr<ConnectionPool::Lease> lease_from(ConnectionPool& pool) {
  return std::make_unique<ConnectionPool::Lease>(pool.acquire(in(10s)));
}

RedisOptions options_of(const RedisServer& server, std::size_t max_connections) {
  RedisOptions options = options_for(server);
  options.max_connections = max_connections;
  return options;
}

bool eventually_waiting(const ConnectionPool& pool, std::size_t callers) {
  return eventually([&] { return pool.state().waiting == callers; });
}

}  // namespace

TEST_CASE("calls one after the other use one connection") {
  RedisServer server;
  const RedisOptions options = options_of(server, 10);
  ConnectionPool pool{options};
  for (int i = 0; i < 20; ++i) CHECK(pool.acquire(in(10s))->execute(ping(), in(10s)).at(0).text == "PONG");
  CHECK(server.clients() == 1);
  const auto state = pool.state();
  CHECK(state.size == 1);
  CHECK(state.in_use == 0);
  CHECK(state.waiting == 0);
  CHECK(state.max == 10);
  pool.close_unused_since(cascor::TimePoint::max());
  CHECK(pool.state().size == 0);
  CHECK(eventually([&] { return server.clients() == 0; }));
}

TEST_CASE("64 threads never hold more connections than max_connections, and all are served") {
  RedisServer server;
  const RedisOptions options = options_of(server, 4);
  ConnectionPool pool{options};
  std::atomic<int> held{0};
  std::atomic<int> most{0};
  std::atomic<int> served{0};
  std::atomic<int> failed{0};
  in_threads(64, [&](std::size_t) {
    for (int i = 0; i < 50; ++i) {
      try {
        auto lease = pool.acquire(in(60s));
        const int now = ++held;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        if (lease->execute(ping(), in(60s)).at(0).text == "PONG") ++served;
        --held;
      } catch (const std::exception&) {
        ++failed;
      }
    }
  });
  CHECK(served == 64 * 50);
  CHECK(failed == 0);
  CHECK(most <= 4);
  CHECK(pool.state().size <= 4);
  CHECK(server.clients() <= 4);
}

TEST_CASE("an exhausted pool says how large it is, who waits and for how long") {
  RedisServer server;
  const RedisOptions options = options_of(server, 2);
  ConnectionPool pool{options};
  const auto first = pool.acquire(in(10s));
  const auto second = pool.acquire(in(10s));
  const auto took = time_of([&] {
    const auto seen = error_of<cascor::TimeoutError>([&] { (void)pool.acquire(in(50ms)); });
    CHECK(seen.what ==
          "Redis connection pool exhausted: 2 of 2 connections in use, 0 other callers waiting, waited 50 ms");
    CHECK_THAT(seen.hint, Catch::Contains("connection_pool.max_connections"));
  });
  CHECK(took >= 45ms);
  CHECK(took < soon);
  const auto state = pool.state();
  CHECK(state.in_use == 2);
  CHECK(state.waiting == 0);
}

TEST_CASE("a wait for a connection ends on a clock that stands still too") {
  RedisServer server;
  RedisOptions options = options_of(server, 1);
  options.clock = std::make_shared<cascor::ManualClock>();
  ConnectionPool pool{options};
  const auto held = pool.acquire(in(10s));
  CHECK(time_of([&] {
          CHECK_THROWS_AS(pool.acquire(cascor::Deadline{*options.clock, 50ms}), cascor::TimeoutError);
        }) < soon);
}

TEST_CASE("who waits gets what comes back, in the order of asking") {
  RedisServer server;
  const RedisOptions options = options_of(server, 1);
  ConnectionPool pool{options};
  auto held = lease_from(pool);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.emplace_back([&, i] {
      const auto lease = pool.acquire(in(60s));
      const std::lock_guard lock{mutex};
      order.push_back(i);
    });
    REQUIRE(eventually_waiting(pool, static_cast<std::size_t>(i) + 1));
  }
  held.reset();
  for (auto& waiter : waiters) waiter.join();
  CHECK(order == std::vector{0, 1, 2, 3, 4});
  CHECK(server.info("total_connections_received") == "2");  // ours, and that of the test
}

TEST_CASE("who waits dials in place of a connection that broke") {
  RedisServer server;
  const RedisOptions options = options_of(server, 1);
  ConnectionPool pool{options};
  std::string second;
  std::thread waiter;
  std::string first;
  {
    auto held = pool.acquire(in(10s));
    first = id_of(held);
    waiter = std::thread{[&] {
      auto lease = pool.acquire(in(60s));
      second = id_of(lease);
    }};
    REQUIRE(eventually_waiting(pool, 1));
    CHECK_THROWS_AS(held->execute(Batch{}.add({Answer::any}, "BLPOP", "nothing", "0"), in(20ms)), cascor::TimeoutError);
  }
  waiter.join();
  CHECK_FALSE(second.empty());
  CHECK(second != first);
  CHECK(pool.state().size == 1);
}

TEST_CASE("a dial that fails gives its slot to the next, and all are told why") {
  const int nobody = free_port();
  RedisOptions options;
  options.endpoint = endpoint_of(nobody);
  options.max_connections = 2;
  ConnectionPool pool{options};
  std::atomic<int> refused{0};
  in_threads(32, [&](std::size_t) {
    for (int i = 0; i < 20; ++i) {
      try {
        (void)pool.acquire(in(60s));
      } catch (const cascor::ConnectionError&) {
        ++refused;
      } catch (const std::exception&) {
      }
    }
  });
  CHECK(refused == 32 * 20);
  CHECK(pool.state().size == 0);
  CHECK(pool.state().waiting == 0);
}

TEST_CASE("an idle connection that the server closed is replaced before it is lent") {
  RedisServer server;
  RedisOptions options = options_of(server, 3);
  options.check_after_idle = 0ms;
  ConnectionPool pool{options};
  {
    auto one = pool.acquire(in(10s));
    auto two = pool.acquire(in(10s));
    auto three = pool.acquire(in(10s));
    CHECK(server.clients() == 3);
  }
  server.raw("CLIENT", "KILL", "TYPE", "normal");
  REQUIRE(eventually([&] { return server.clients() == 0; }));
  for (int i = 0; i < 3; ++i) CHECK(pool.acquire(in(10s))->execute(ping(), in(10s)).at(0).text == "PONG");
  CHECK(pool.state().size == 1);
}

TEST_CASE("an idle connection to which something was said meanwhile is not lent") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t number) {
    (void)c.command();
    c.send("+OK\r\n");
    if (number == 0) {
      (void)c.command();
      c.send("+PONG\r\n");
      (void)c.closed_within(20ms);
      c.send("+late\r\n");
    }
    while (c.command()) c.send("+PONG\r\n");
  }};
  RedisOptions options = options_for(server);
  options.check_after_idle = 0ms;
  ConnectionPool pool{options};
  CHECK(pool.acquire(in(10s))->execute(ping(), in(10s)).at(0).text == "PONG");
  CHECK(eventually([&] { return !pool.acquire(in(10s))->had_served(); }));
  CHECK(server.connections() == 2);
}

TEST_CASE("callers that give up, connections that break and servers that go leave no slot behind") {
  RedisServer server;
  RedisOptions options = options_of(server, 3);
  ConnectionPool pool{options};
  std::atomic<bool> done{false};
  std::thread churn{[&] {
    in_threads(12, [&](std::size_t i) {
      while (!done) {
        try {
          auto lease = pool.acquire(in(cascor::milliseconds{1 + i}));
          if (i % 3 == 0) {
            (void)lease->execute(Batch{}.add({Answer::any}, "BLPOP", "nothing", "0"), in(1ms));
          } else {
            (void)lease->execute(ping(), in(20ms));
          }
        } catch (const cascor::CacheError&) {
        }
      }
    });
  }};
  for (int i = 0; i < 5; ++i) {
    server.kill();
    server.start();
    CHECK(eventually([&] { return server.clients() > 0; }));
    server.raw("CLIENT", "KILL", "TYPE", "normal");
  }
  done = true;
  churn.join();
  const auto state = pool.state();
  CHECK(state.in_use == 0);
  CHECK(state.waiting == 0);
  CHECK(state.size <= 3);
  std::vector<std::unique_ptr<ConnectionPool::Lease>> all;
  for (int i = 0; i < 3; ++i) all.push_back(lease_from(pool));
  CHECK(pool.state().in_use == 3);
}

TEST_CASE("connections that nobody has needed for max_idle are closed, the others are kept") {
  RedisServer server;
  RedisOptions options = options_of(server, 5);
  const auto clock = std::make_shared<cascor::ManualClock>();
  options.clock = clock;
  options.max_idle = 60s;
  ConnectionPool pool{options};
  {
    auto one = pool.acquire(in(10s));
    auto two = pool.acquire(in(10s));
    auto three = pool.acquire(in(10s));
  }
  clock->advance(59s);
  const auto ping_once = [&] { CHECK(pool.acquire(in(10s))->execute(ping(), in(10s)).at(0).text == "PONG"); };
  ping_once();
  CHECK(pool.state().size == 3);
  clock->advance(1s);  // the one that was used is a second old, the others sixty
  ping_once();
  CHECK(pool.state().size == 1);
  CHECK(pool.dialled() == 3);
  CHECK(eventually([&] { return server.clients() == 1; }));
  clock->advance(60s);
  ping_once();
  CHECK(pool.state().size == 1);
  CHECK(pool.dialled() == 4);
}

TEST_CASE("a connection is replaced at the end of its life, whether it is idle or in use then") {
  RedisServer server;
  RedisOptions options = options_of(server, 1);
  const auto clock = std::make_shared<cascor::ManualClock>();
  options.clock = clock;
  options.max_idle = 0ms;
  options.max_lifetime = 80s;
  const std::uint64_t jitter = GENERATE(0U, 10'000U);
  cascor::detail::Random random{[jitter] { return jitter; }};
  cascor::redis::ConnectionPool<> pool{options, random};
  auto first = pool.acquire(in(10s));
  const std::string id = id_of(first);
  first.end();
  const auto life = 80s - cascor::milliseconds{jitter};
  clock->advance(life - 1ms);
  auto second = pool.acquire(in(10s));
  CHECK(id_of(second) == id);
  second.end();
  clock->advance(1ms);
  SECTION("idle") {
    auto third = pool.acquire(in(10s));
    CHECK(id_of(third) != id);
  }
  SECTION("in use") {
    clock->advance(-1ms);
    auto third = pool.acquire(in(10s));
    clock->advance(1ms);
    CHECK(id_of(third) == id);
    third.end();
    CHECK(pool.state().size == 0);
  }
}

TEST_CASE("those who wait are told at once when the pool is stopped, and so is who comes later") {
  RedisServer server;
  const RedisOptions options = options_of(server, 1);
  ConnectionPool pool{options};
  auto held = lease_from(pool);
  std::string what;
  std::thread waiter{[&] { what = what_of<cascor::ConnectionError>([&] { (void)pool.acquire(in(1h)); }); }};
  REQUIRE(eventually_waiting(pool, 1));
  pool.stop();
  waiter.join();
  CHECK(what == "Redis is not asked any more: the cache is being shut down");
  CHECK_THROWS_AS(pool.acquire(in(1h)), cascor::ConnectionError);
  CHECK_THROWS_AS((*held)->execute(ping(), in(1h)), cascor::ConnectionError);
  held.reset();
  CHECK(pool.state().size == 0);
}
