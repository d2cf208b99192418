// Calls made at once share batches: what each caller gets, and by when, whatever the others and the server do.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/redis_client.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::StoreEntry;
using RedisBackend = cascor::redis::RedisBackend<>;
using cascor::redis::RedisOptions;

namespace {

using Words = std::vector<std::string>;

// One connection, so that whoever does not have it waits for it.
template <class Server>
RedisOptions one_connection(const Server& server) {
  RedisOptions options = options_for(server);
  options.max_connections = 1;
  return options;
}

// A server that answers GET with the key, and everything else with 1. It answers "hold:N" once go_on(N) was called,
// and "cut:N" by closing the connection then, once.
class HoldingServer {
 public:
  HoldingServer() = default;
  HoldingServer(const HoldingServer&) = delete;
  HoldingServer& operator=(const HoldingServer&) = delete;
  ~HoldingServer() { up_to_ = 1'000; }

  void go_on(int number) { up_to_ = number; }
  bool eventually_holds(int number) {
    return eventually([&] { return held_ >= number; });
  }
  /// What came, but for introductions: name and key of each command.
  std::vector<std::string> seen() {
    const std::lock_guard lock{mutex_};
    return seen_;
  }
  ScriptedServer& operator*() { return server_; }

 private:
  void serve(ScriptedConnection& c) {
    while (const auto command = c.command()) {
      if (command->front() == "CLIENT") {
        c.send("+OK\r\n");
        continue;
      }
      const std::string& key = command->at(1);
      bool cut = key.starts_with("cut:");
      {
        const std::lock_guard lock{mutex_};
        const std::string line = command->front() + ' ' + key;
        cut = cut && std::find(seen_.begin(), seen_.end(), line) == seen_.end();
        seen_.push_back(line);
      }
      if (key.starts_with("hold:") || cut) {
        const int number = std::stoi(key.substr(key.find(':') + 1));
        held_ = number;
        (void)eventually([&] { return up_to_ >= number; }, 60s);
      }
      if (cut) return;
      c.send(command->front() == "GET" ? bulk(key) : command->front() == "SET" ? "+OK\r\n" : ":1\r\n");
    }
  }

  std::atomic<int> up_to_{0};
  std::atomic<int> held_{0};
  std::mutex mutex_;  // guards seen_
  std::vector<std::string> seen_;
  ScriptedServer server_{[this](ScriptedConnection& c, std::size_t) { serve(c); }};
};

std::future<std::string> get_later(RedisBackend& backend, const std::string& key, cascor::milliseconds within = 60s) {
  return std::async(std::launch::async, [&backend, key, within]() -> std::string {
    try {
      return backend.get(key, in(within)).bytes.value_or("nothing");
    } catch (const cascor::CacheError& error) {
      return std::string{to_string(error.code())} + ": " + error.what();
    }
  });
}
std::future<std::string> increment_later(RedisBackend& backend, const std::string& key) {
  return std::async(std::launch::async, [&backend, key]() -> std::string {
    const std::vector<std::string_view> words{"INCR", key};
    try {
      const auto reply = backend.command(words, in(60s));
      return reply.is_error() ? reply.text : std::to_string(reply.integer);
    } catch (const cascor::CacheError& error) {
      return std::string{to_string(error.code())} + ": " + error.what();
    }
  });
}

bool eventually_waiting(const RedisBackend& backend, std::size_t callers) {
  return eventually([&] { return backend.pool().waiting == callers; });
}

}  // namespace

TEST_CASE("one caller at a time has one connection, and a batch a call") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  for (int i = 0; i < 50; ++i) (void)backend.get("k", in(10s));
  CHECK(server.clients() == 1);
  CHECK(backend.stats().commands == 50);
  CHECK(backend.stats().batches == 50);
  CHECK(backend.stats().reconnects == 0);
}

TEST_CASE("two callers never wait for each other") {
  HoldingServer server;
  RedisBackend backend{options_for(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  CHECK(backend.get("k", in(10s)).bytes == "k");
  CHECK((*server).connections() == 2);
  server.go_on(1);
  CHECK(held.get() == "hold:1");
}

TEST_CASE("who calls while the connection is in use goes with all the others, by one write, in the order of asking") {
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  std::vector<std::future<std::string>> others;
  Words order{"GET hold:1"};
  for (std::size_t i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    order.push_back("GET " + key);
    others.push_back(get_later(backend, key));
    REQUIRE(eventually_waiting(backend, i + 1));
  }
  server.go_on(1);
  for (std::size_t i = 0; i < 20; ++i) CHECK(others[i].get() == "k" + std::to_string(i));
  CHECK(held.get() == "hold:1");
  CHECK(server.seen() == order);
  CHECK(backend.stats().commands == 21);
  CHECK(backend.stats().batches == 2);
  CHECK((*server).connections() == 1);
}

TEST_CASE("64 threads share few connections, and each gets its own values") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  constexpr std::size_t keys = 256;
  for (std::size_t i = 0; i < keys; ++i) server.raw("SET", "k" + std::to_string(i), "v" + std::to_string(i));
  std::atomic<int> right{0};
  in_threads(64, [&](std::size_t thread) {
    std::mt19937 random{static_cast<unsigned>(thread)};
    for (int i = 0; i < 200; ++i) {
      const std::string number = std::to_string(random() % keys);
      try {
        if (backend.get("k" + number, in(60s)).bytes == "v" + number) ++right;
      } catch (const cascor::CacheError&) {
      }
    }
  });
  CHECK(right == 64 * 200);
  CHECK(backend.pool().size <= 16);
  CHECK(backend.stats().commands == 64 * 200);
  CHECK(backend.stats().batches < 64 * 200);
}

TEST_CASE("on a slow link those who wait get connections of their own soon, within max_connections") {
  HoldingServer server;
  RedisOptions options = options_for(*server);
  options.shared_connections = 1;
  options.max_connections = 3;
  RedisBackend backend{options};
  std::vector<std::future<std::string>> held;
  for (std::size_t i = 1; i <= 3; ++i) {
    held.push_back(get_later(backend, "hold:1"));
    REQUIRE(eventually([&] { return server.seen().size() == i; }));
  }
  auto another = get_later(backend, "k");
  REQUIRE(eventually_waiting(backend, 1));
  server.go_on(1);
  CHECK(another.get() == "k");
  for (auto& call : held) CHECK(call.get() == "hold:1");
  CHECK((*server).connections() == 3);
}

TEST_CASE("a caller whose time is up before its command is sent takes it along, and the others do not notice") {
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  auto first = get_later(backend, "first");
  REQUIRE(eventually_waiting(backend, 1));
  const auto seen = error_of<cascor::TimeoutError>([&] { (void)backend.get("impatient", in(50ms)); });
  CHECK_THAT(seen.what, Catch::StartsWith("Timeout waiting for a connection to Redis on " + (*server).address() +
                                          ": 1 of 1 connections in use, 1 other callers waiting, waited "));
  auto last = get_later(backend, "last");
  REQUIRE(eventually_waiting(backend, 2));
  server.go_on(1);
  CHECK(first.get() == "first");
  CHECK(last.get() == "last");
  CHECK(held.get() == "hold:1");
  CHECK(server.seen() == Words{"GET hold:1", "GET first", "GET last"});
  CHECK((*server).connections() == 1);
}

TEST_CASE("a batch that everybody has left is not sent") {
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  in_threads(3, [&](std::size_t) {
    try {
      (void)backend.get("impatient", in(20ms));
    } catch (const cascor::TimeoutError&) {
    }
  });
  CHECK(backend.pool().waiting == 0);
  server.go_on(1);
  CHECK(held.get() == "hold:1");
  CHECK(backend.get("k", in(10s)).bytes == "k");
  CHECK(server.seen() == Words{"GET hold:1", "GET k"});
}

// The first to board leads, as a rule: each of three is the impatient one once.
TEST_CASE(
    "a caller whose time is up while its batch is under way leaves; the rest are served; its answer is nobody's") {
  const std::size_t impatient = GENERATE(0U, 1U, 2U);
  CAPTURE(impatient);
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  std::vector<std::future<std::string>> batch;
  for (std::size_t i = 0; i < 3; ++i) {
    batch.push_back(i == impatient ? get_later(backend, "hold:2", 1s) : get_later(backend, "k" + std::to_string(i)));
    REQUIRE(eventually_waiting(backend, i + 1));
  }
  server.go_on(1);
  CHECK(held.get() == "hold:1");
  CHECK(batch[impatient].get() == "timeout: Timeout waiting for Redis on " + (*server).address());
  server.go_on(2);
  for (std::size_t i = 0; i < 3; ++i) {
    if (i != impatient) CHECK(batch[i].get() == "k" + std::to_string(i));
  }
  CHECK(backend.get("after", in(10s)).bytes == "after");
  CHECK((*server).connections() == 2);
  CHECK(server.seen().size() == 5);  // nothing was sent twice
}

TEST_CASE("whose answer is in has it by its deadline, though others of its batch still wait for theirs") {
  const std::size_t early = GENERATE(0U, 1U);
  CAPTURE(early);
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  std::vector<std::future<std::string>> batch;
  for (std::size_t i = 0; i < 2; ++i) {
    batch.push_back(get_later(backend, "k" + std::to_string(i), i == early ? 1s : 60s));
    REQUIRE(eventually_waiting(backend, i + 1));
  }
  auto slow = get_later(backend, "hold:2");
  REQUIRE(eventually_waiting(backend, 3));
  server.go_on(1);
  CHECK(held.get() == "hold:1");
  CHECK(batch[early].get() == "k" + std::to_string(early));
  server.go_on(2);
  CHECK(slow.get() == "hold:2");
  CHECK(batch[1 - early].get() == "k" + std::to_string(1 - early));
  CHECK(backend.get("after", in(10s)).bytes == "after");
  CHECK((*server).connections() == 1);  // every answer was taken: there is nothing wrong with it
}

TEST_CASE("a large answer keeps nobody waiting whose own is in, not even who reads it") {
  std::atomic<bool> go_on{false};
  std::atomic<bool> holding{false};
  const std::string large(1'000'000, 'x');
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (command->front() == "CLIENT") {
        c.send("+OK\r\n");
      } else if (command->back() == "hold") {
        holding = true;
        (void)eventually([&] { return go_on.load(); }, 60s);
        go_on = false;
        c.send("$4\r\nheld\r\n");
      } else if (command->back() == "large") {
        c.send(bulk(large).substr(0, 500'000));
        (void)eventually([&] { return go_on.load(); }, 60s);
        c.send(bulk(large).substr(500'000));
      } else {
        c.send(bulk(command->back()));
      }
    }
  }};
  RedisBackend backend{one_connection(server)};
  auto held = get_later(backend, "hold");
  REQUIRE(eventually([&] { return holding.load(); }));
  auto leader = get_later(backend, "k0");
  REQUIRE(eventually_waiting(backend, 1));
  auto other = get_later(backend, "k1");
  REQUIRE(eventually_waiting(backend, 2));
  auto slow = get_later(backend, "large");
  REQUIRE(eventually_waiting(backend, 3));
  go_on = true;
  CHECK(held.get() == "held");
  CHECK(leader.get() == "k0");
  CHECK(other.get() == "k1");
  go_on = true;
  CHECK((slow.get() == large));
  CHECK(server.connections() == 1);
}

TEST_CASE("what is large or takes long goes alone, and small calls do not wait for it") {
  HoldingServer server;
  RedisOptions options = options_for(*server);
  options.shared_connections = 1;
  options.max_connections = 2;
  RedisBackend backend{options};
  const std::string large(100'000, 'x');
  const std::vector<std::string_view> blocking{"BLPOP", "hold:1", "0"};
  const bool is_large = GENERATE(true, false);
  auto slow = std::async(std::launch::async, [&] {
    if (is_large) return backend.set_many(std::vector<StoreEntry>{{"hold:1", large}}, in(60s)).at(0).stored;
    return backend.command(blocking, in(60s)).integer == 1;
  });
  REQUIRE(server.eventually_holds(1));
  for (int i = 0; i < 10; ++i) CHECK(backend.get("k", in(10s)).bytes == "k");
  server.go_on(1);
  CHECK(slow.get());
  CHECK((*server).connections() == 2);
}

TEST_CASE("a connection that breaks fails only what was sent on it and not answered, each command by its own rule") {
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  auto answered = get_later(backend, "k0");
  REQUIRE(eventually_waiting(backend, 1));
  auto counted = increment_later(backend, "answered");
  REQUIRE(eventually_waiting(backend, 2));
  auto cut = get_later(backend, "cut:1");
  REQUIRE(eventually_waiting(backend, 3));
  auto behind = get_later(backend, "k1");
  REQUIRE(eventually_waiting(backend, 4));
  auto not_counted = increment_later(backend, "behind");
  REQUIRE(eventually_waiting(backend, 5));
  server.go_on(1);
  CHECK(held.get() == "hold:1");
  CHECK(answered.get() == "k0");
  CHECK(counted.get() == "1");
  CHECK(cut.get() == "cut:1");  // a read: sent again
  CHECK(behind.get() == "k1");
  // Whether it ran nobody knows: not sent again.
  CHECK_THAT(not_counted.get(), Catch::StartsWith("connection: Lost the connection to Redis on "));
  const auto seen = server.seen();
  CHECK(std::count(seen.begin(), seen.end(), "INCR behind") <= 1);
  CHECK(std::count(seen.begin(), seen.end(), "INCR answered") == 1);
  CHECK(backend.stats().retries == 2);
  CHECK(backend.stats().reconnects >= 1);
}

TEST_CASE("what had not been sent when a connection broke is sent elsewhere, whatever it is") {
  HoldingServer server;
  RedisBackend backend{one_connection(*server)};
  auto cut = get_later(backend, "cut:1");
  REQUIRE(server.eventually_holds(1));
  auto first = increment_later(backend, "c");
  REQUIRE(eventually_waiting(backend, 1));
  auto second = get_later(backend, "k");
  REQUIRE(eventually_waiting(backend, 2));
  server.go_on(1);
  CHECK(first.get() == "1");
  CHECK(second.get() == "k");
  CHECK(cut.get() == "cut:1");
  const auto seen = server.seen();
  CHECK(std::count(seen.begin(), seen.end(), "INCR c") == 1);
}

TEST_CASE("one lost connection is one failure, however many callers were on it, and none if the next dial succeeds") {
  HoldingServer server;
  RedisOptions options = one_connection(*server);
  std::atomic<int> changes{0};
  options.on_breaker = [&](cascor::redis::BreakerState, std::string_view) { ++changes; };
  RedisBackend backend{options};
  auto held = get_later(backend, "hold:1");
  REQUIRE(server.eventually_holds(1));
  std::vector<std::future<std::string>> others;
  for (std::size_t i = 0; i < 12; ++i) {
    others.push_back(get_later(backend, i == 0 ? "cut:1" : "k" + std::to_string(i)));
    REQUIRE(eventually_waiting(backend, i + 1));
  }
  server.go_on(1);
  for (std::size_t i = 0; i < 12; ++i) CHECK(others[i].get() == (i == 0 ? "cut:1" : "k" + std::to_string(i)));
  CHECK(held.get() == "hold:1");
  CHECK(changes == 0);
  CHECK(backend.stats().breaker == "closed");
}

TEST_CASE("when nobody listens any more, all who wait are told why, and none waits for its deadline") {
  auto server = std::make_unique<HoldingServer>();
  RedisBackend backend{one_connection(**server)};
  auto cut = get_later(backend, "cut:1");
  REQUIRE(server->eventually_holds(1));
  std::vector<std::future<std::string>> others;
  for (std::size_t i = 0; i < 5; ++i) {
    others.push_back(get_later(backend, "k"));
    REQUIRE(eventually_waiting(backend, i + 1));
  }
  const std::string address = (**server).address();
  server.reset();
  for (auto& call : others) {
    CHECK_THAT(call.get(), Catch::StartsWith("connection: Error connecting to Redis on " + address + ": "));
  }
}

TEST_CASE("neither those who share nor those who go alone are kept waiting by the others for ever") {
  RedisServer server;
  RedisBackend backend{one_connection(server)};
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back("k" + std::to_string(i));
  const std::vector<std::string_view> many{names.begin(), names.end()};
  std::atomic<bool> done{false};
  std::atomic<int> shared{0};
  std::atomic<int> alone{0};
  std::atomic<int> failed{0};
  std::thread callers{[&] {
    in_threads(16, [&](std::size_t thread) {
      while (!done) {
        try {
          if (thread % 4 == 0) {
            alone += static_cast<int>(backend.get_many(many, in(60s)).size() / many.size());
          } else {
            shared += backend.get("k", in(60s)).bytes ? 0 : 1;
          }
        } catch (const cascor::CacheError&) {
          ++failed;
        }
      }
    });
  }};
  CHECK(eventually([&] { return shared > 500 && alone > 100; }));
  done = true;
  callers.join();
  CHECK(failed == 0);
  CHECK(server.clients() == 1);
}

TEST_CASE("whatever deadlines, stalls and lost connections come together, values are right and no turn is lost") {
  RedisServer server{{"--enable-debug-command", "yes"}};
  RedisOptions options = options_for(server);
  options.max_connections = 3;
  RedisBackend backend{options};
  constexpr std::size_t keys = 64;
  for (std::size_t i = 0; i < keys; ++i) server.raw("SET", "k" + std::to_string(i), std::string(1 + i * i * 7, 'v'));
  std::atomic<bool> done{false};
  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> errors{0};
  std::thread callers{[&] {
    in_threads(24, [&](std::size_t thread) {
      std::mt19937 random{static_cast<unsigned>(thread)};
      while (!done) {
        const std::size_t key = random() % keys;
        try {
          const auto answer = backend.get("k" + std::to_string(key), in(cascor::milliseconds{1 + random() % 30}));
          ++(answer.bytes && answer.bytes->size() == 1 + key * key * 7 ? right : wrong);
        } catch (const cascor::CacheError&) {
          ++errors;
        }
      }
    });
  }};
  for (int i = 0; i < 12; ++i) {
    if (i % 3 == 0) server.raw("CLIENT", "KILL", "TYPE", "normal");
    if (i % 3 == 1) server.raw("DEBUG", "SLEEP", "0.03");
    const int before = right;
    CHECK(eventually([&] { return right > before + 50; }));
  }
  done = true;
  callers.join();
  CHECK(wrong == 0);
  CHECK(errors > 0);
  CHECK(backend.pool().in_use == 0);
  CHECK(backend.pool().waiting == 0);
  backend.ping(in(60s));            // closes the breaker, which so many time-outs may have opened
  in_threads(8, [&](std::size_t) {  // no permit was lost: all of it is still there
    for (int i = 0; i < 20; ++i) {
      try {
        if (!backend.get("k1", in(60s)).bytes) ++wrong;
      } catch (const cascor::CacheError&) {
        ++wrong;
      }
    }
  });
  CHECK(wrong == 0);
}
