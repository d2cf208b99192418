// The circuit breaker: when calls fail at once, and how it is found out that they need not. First the decision, then
// what a caller sees of it.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/circuit_breaker.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::TimePoint;
using cascor::redis::BreakerState;
using cascor::redis::CircuitBreaker;
using cascor::redis::RedisOptions;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

constexpr TimePoint start{1000h};
constexpr std::uint64_t least = 0;

CircuitBreaker opened_at(TimePoint when, std::uint64_t random = least) {
  CircuitBreaker breaker;
  for (int i = 0; i < CircuitBreaker::failures_to_open; ++i) breaker.failed(when, random);
  return breaker;
}

// What on_breaker was told, "state: reason".
class Changes {
 public:
  void add(BreakerState state, std::string_view reason) {
    const std::lock_guard lock{mutex_};
    lines_.push_back(std::string{to_string(state)}.append(": ").append(reason));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock{mutex_};
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// A backend whose server is away, on a clock that the test moves; no time passes in its retries.
struct Away {
  explicit Away(int at_port) : port{at_port} {
    options.endpoint = endpoint_of(port);
    options.clock = clock;
    options.random = [] { return least; };
    options.on_breaker = [this](BreakerState state, std::string_view reason) { changes.add(state, reason); };
  }
  cascor::Deadline in(cascor::milliseconds time) const { return {*clock, time}; }

  int port;
  std::shared_ptr<cascor::ManualClock> clock = std::make_shared<cascor::ManualClock>();
  RedisOptions options;
  Changes changes;
};

}  // namespace

TEST_CASE("the breaker opens after five failures in a row, and not for four") {
  CircuitBreaker breaker;
  for (int i = 0; i < 4; ++i) breaker.failed(start, least);
  CHECK(breaker.state() == BreakerState::closed);
  CHECK(breaker.may_pass(start, 1s));
  breaker.failed(start, least);
  CHECK(breaker.state() == BreakerState::open);
  CHECK_FALSE(breaker.may_pass(start, 1s));
}

TEST_CASE("a success among them begins the count anew") {
  CircuitBreaker breaker;
  for (int i = 0; i < 20; ++i) {
    breaker.failed(start, least);
    if (i % 4 == 3) breaker.succeeded();
  }
  CHECK(breaker.state() == BreakerState::closed);
  CHECK(breaker.at_rest());
}

TEST_CASE("when its wait is over one call is let through, and no other until that one is heard of") {
  CircuitBreaker breaker = opened_at(start);
  CHECK(breaker.wait(start) == 50ms);
  CHECK_FALSE(breaker.may_pass(start + 49ms, 1s));
  CHECK(breaker.may_pass(start + 50ms, 1s));
  CHECK(breaker.state() == BreakerState::half_open);
  CHECK_FALSE(breaker.may_pass(start + 51ms, 1s));
  breaker.succeeded();
  CHECK(breaker.state() == BreakerState::closed);
  CHECK(breaker.may_pass(start + 51ms, 1s));
  CHECK(breaker.at_rest());
}

TEST_CASE("a call of which nothing is heard within its time does not keep the breaker half-open for ever") {
  CircuitBreaker breaker = opened_at(start);
  REQUIRE(breaker.may_pass(start + 50ms, 1s));
  CHECK_FALSE(breaker.may_pass(start + 1049ms, 1s));
  CHECK(breaker.may_pass(start + 1050ms, 1s));
}

TEST_CASE("each failure to find it back doubles the wait, up to two seconds, of which half is drawn") {
  const std::uint64_t random = GENERATE(std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{50});
  CircuitBreaker breaker = opened_at(start, random);
  TimePoint now = start;
  for (const auto bound : {100ms, 200ms, 400ms, 800ms, 1600ms, 2000ms, 2000ms}) {
    const cascor::milliseconds expected = bound / 2 + cascor::milliseconds{random};
    CHECK(breaker.wait(now) == expected);
    now += expected;
    REQUIRE(breaker.may_pass(now, 1s));
    breaker.failed(now, random);
    CHECK(breaker.state() == BreakerState::open);
  }
}

TEST_CASE("a server that is refused at once is looked for again within 200 ms, however long it has been away") {
  CircuitBreaker breaker;
  TimePoint now = start;
  for (int i = 0; i < 50; ++i) {
    breaker.failed(now, ~std::uint64_t{0}, true);
    CHECK(breaker.wait(now) <= 200ms);
    now += breaker.wait(now);
    REQUIRE(breaker.may_pass(now, 1s));
  }
  breaker.failed(now, least, false);  // from then on it costs a time-out to ask
  now += breaker.wait(now);
  REQUIRE(breaker.may_pass(now, 1s));
  breaker.failed(now, least, false);
  CHECK(breaker.wait(now) > 100ms);
}

TEST_CASE("calls that were under way when it opened do not make it wait longer") {
  CircuitBreaker breaker = opened_at(start);
  for (int i = 0; i < 50; ++i) breaker.failed(start + 1ms, least);
  CHECK(breaker.wait(start) == 50ms);
}

TEST_CASE("a server that is away is dialled five times, and then not asked, with its own words for the reason") {
  Away away{free_port()};
  RedisBackend backend{away.options};
  const std::string reason =
      "Error connecting to Redis on 127.0.0.1:" + std::to_string(away.port) + ": Connection refused";
  CHECK(what_of<cascor::ConnectionError>([&] { (void)backend.get("k", away.in(10s)); }) == reason);
  CHECK(backend.stats().breaker == "closed");
  CHECK(what_of<cascor::ConnectionError>([&] { (void)backend.get("k", away.in(10s)); }) == reason);
  CHECK(backend.stats().breaker == "open");
  const auto seen = error_of<cascor::ConnectionError>([&] { (void)backend.get("k", away.in(10s)); });
  CHECK(seen.what == reason + " (not asked now, after 6 failures in a row; again in 50 ms)");
  CHECK(seen.hint == "Start redis-server there, or correct redis_url.");
  CHECK(away.changes.lines() == std::vector{"open: " + reason});
}

TEST_CASE("ping asks the server also while the breaker is open, and closes it when it answers") {
  std::atomic<bool> well{false};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (!well) return;
      c.send(command->front() == "CLIENT" ? "+OK\r\n" : command->front() == "PING" ? "+PONG\r\n" : "$1\r\nv\r\n");
    }
  }};
  Away away{server.port()};
  RedisBackend backend{away.options};
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(backend.ping(away.in(10s)), cascor::ConnectionError);
  REQUIRE(backend.stats().breaker == "open");
  const std::size_t before = server.connections();
  CHECK_THROWS_AS(backend.get("k", away.in(10s)), cascor::ConnectionError);
  CHECK(server.connections() == before);
  CHECK_THROWS_AS(backend.ping(away.in(10s)), cascor::ConnectionError);
  CHECK(server.connections() > before);
  CHECK_THROWS_AS(backend.get("k", away.in(10s)), cascor::ConnectionError);

  well = true;
  CHECK_NOTHROW(backend.ping(away.in(10s)));
  CHECK(backend.stats().breaker == "closed");
  CHECK(backend.get("k", away.in(10s)).bytes == "v");
  const auto lines = away.changes.lines();
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], Catch::StartsWith("open: Error connecting to Redis on "));
  CHECK(lines[1] == "closed: the server answers");
}

TEST_CASE("after its wait one call finds out for all") {
  std::atomic<bool> well{false};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (!well) return;
      c.send(command->front() == "CLIENT" ? "+OK\r\n" : "$1\r\nv\r\n");
    }
  }};
  Away away{server.port()};
  RedisBackend backend{away.options};
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(backend.get("k", away.in(10s)), cascor::ConnectionError);
  well = true;
  CHECK_THROWS_AS(backend.get("k", away.in(10s)), cascor::ConnectionError);
  away.clock->advance(50ms);
  CHECK(backend.get("k", away.in(10s)).bytes == "v");
  CHECK(backend.stats().breaker == "closed");
  const auto lines = away.changes.lines();
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[1], Catch::StartsWith("half-open: Error connecting to Redis on "));
  CHECK(lines[2] == "closed: the server answers");
}

TEST_CASE("time-outs open it too, a full pool does not, and a server's refusal closes it") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (command->front() == "CLIENT") c.send("+OK\r\n");
      if (command->front() == "SET") c.send("-OOM command not allowed\r\n");
    }
  }};
  RedisOptions options = options_for(server);
  options.max_connections = 1;
  RedisBackend backend{options};
  SECTION("time-outs") {
    for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(backend.get("k", in(10ms)), cascor::TimeoutError);
    CHECK(backend.stats().breaker == "open");
    CHECK_THAT(what_of<cascor::ConnectionError>([&] { (void)backend.get("k", in(10s)); }),
               Catch::StartsWith("Timeout waiting for Redis on " + server.address() + " (not asked now, "));
  }
  SECTION("a full pool") {
    std::thread holder{[&] {
      try {
        (void)backend.get("k", in(1h));
      } catch (const cascor::ConnectionError&) {
      }
    }};
    REQUIRE(eventually([&] { return backend.stats().commands == 1; }));
    for (int i = 0; i < 10; ++i) CHECK_THROWS_AS(backend.get("k", in(5ms)), cascor::TimeoutError);
    CHECK(backend.stats().breaker == "closed");
    backend.stop();
    holder.join();
  }
  SECTION("refusals") {
    const std::vector<cascor::StoreEntry> entry{{"k", "v"}};
    for (int i = 0; i < 12; ++i) {
      if (i % 3 == 2) CHECK(backend.set_many(entry, in(10s)).at(0).error);
      if (i % 3 != 2) CHECK_THROWS_AS(backend.get("k", in(10ms)), cascor::TimeoutError);
    }
    CHECK(backend.stats().breaker == "closed");
  }
}

TEST_CASE("a callback that throws, or that makes a call itself, does no harm") {
  Away away{free_port()};
  RedisBackend* engine = nullptr;
  int told = 0;
  away.options.on_breaker = [&](BreakerState, std::string_view) {
    ++told;
    (void)engine->get("k", away.in(10s));  // throws, as the breaker is open
  };
  RedisBackend backend{away.options};
  engine = &backend;
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(backend.get("k", away.in(10s)), cascor::ConnectionError);
  CHECK(told == 1);
  CHECK(backend.stats().breaker == "open");
}
