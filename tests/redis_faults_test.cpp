// What networks do to connections, done by a proxy before a real server: every call ends by its deadline with the error
// that says why, and no answer ever reaches another call.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_client.hpp"
#include "support/signal_storm.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::Deadline;
using cascor::ErrorCode;
using cascor::KeyValueStore;
using cascor::StoreEntry;
using RedisBackend = cascor::redis::RedisBackend<>;
using cascor::redis::RedisOptions;

namespace {

RedisOptions options_for(const FaultProxy& proxy) {
  RedisOptions options;
  options.endpoint = proxy.endpoint();
  return options;
}

// What a call with a deadline of 200 ms may take on a machine that is busy; what ignores it takes minutes here.
constexpr auto deadline = 200ms;
constexpr auto in_time = 3s;

// --- The calls. Each answers with the number that was prepared on the server, so that an answer that was meant for an
// earlier call tells itself by its number.

const std::array<std::string, 3> doomed{"doomed:1", "doomed:2", "doomed:3"};

void prepare(RedisServer& server, int number) {
  server.raw("FLUSHDB");
  server.raw("SET", "value", std::to_string(number) + std::string(200, '.'));
  server.raw("SET", "counter", std::to_string(number - 1));
  for (std::size_t i = 0; i < static_cast<std::size_t>(number); ++i) server.raw("SET", doomed.at(i), "v");
}

struct Call {
  const char* name;
  int (*make)(KeyValueStore&, Deadline);
};

const std::array<std::string_view, 3> doomed_keys{doomed[0], doomed[1], doomed[2]};

int get(KeyValueStore& store, Deadline by) {
  const auto answer = store.get("value", by);
  return answer.bytes && answer.bytes->size() == 201 ? std::stoi(*answer.bytes) : -1;
}
int set_many(KeyValueStore& store, Deadline by) {
  std::vector<StoreEntry> entries;
  entries.reserve(doomed_keys.size());
  for (const auto& key : doomed_keys) entries.push_back({key, "new", cascor::no_expiry, cascor::present});
  const auto outcomes = store.set_many(entries, by);
  return static_cast<int>(std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.stored; }));
}
int erase_many(KeyValueStore& store, Deadline by) { return static_cast<int>(store.erase_many(doomed_keys, by)); }
int erase_matching(KeyValueStore& store, Deadline by) {
  const auto any_key = [](std::string_view) { return true; };
  return static_cast<int>(store.erase_matching("doomed:*", any_key, [by] { return by; }));
}
int increment(KeyValueStore& store, Deadline by) {
  return static_cast<int>(store.increment("counter", 1, cascor::no_expiry, by));
}

const std::vector<Call> calls{{"get", get},
                              {"set_many", set_many},
                              {"erase_many", erase_many},
                              {"erase_matching", erase_matching},
                              {"increment", increment}};

// --- The faults, and what a call says of each.

struct Suffered {
  const char* name;
  Fault fault;
  ErrorCode error;
  bool runs_on_the_server;  // what was sent on a connection that was open before
};

const std::vector<Suffered> faults{
    {"a byte every 80 ms", Fault::drip(80ms), ErrorCode::timeout, true},
    {"an answer that comes an hour late", Fault::delay(1h), ErrorCode::timeout, true},
    {"never answered", Fault::mute(), ErrorCode::timeout, true},
    {"a black hole", Fault::black_hole(), ErrorCode::timeout, false},
    {"never accepted", Fault::full(), ErrorCode::timeout, false},
    {"cut in the middle of the answer", Fault::cut(2), ErrorCode::connection, true},
    {"reset in the middle of the answer", Fault::reset(2), ErrorCode::connection, true},
    {"reset before the answer", Fault::reset(0), ErrorCode::connection, true},
    {"reset before the command got there", Fault::drop(), ErrorCode::connection, false},
    {"refused", Fault::refuse(), ErrorCode::connection, false},
};

bool is_for_all(const Suffered& suffered) {
  return suffered.fault.kind == Fault::Kind::refuse || suffered.fault.kind == Fault::Kind::full;
}

// What ends at once is given time, so that it is not a machine that is busy that ends it.
cascor::milliseconds patience(const Suffered& suffered) {
  return suffered.error == ErrorCode::timeout ? cascor::milliseconds{deadline} : cascor::milliseconds{20s};
}

struct Ended {
  std::string how = "with an answer";
  cascor::milliseconds took{0};
};
template <class Made>
Ended end_of(const Made& made) {
  Ended ended;
  ended.took = time_of([&] {
    try {
      (void)made();
    } catch (const cascor::CacheError& error) {
      ended.how = to_string(error.code());
    }
  });
  return ended;
}

bool pipe_signal_is_default() {
  struct sigaction now {};
  return ::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
}

constexpr auto storm_interval = 50ms;

}  // namespace

TEST_CASE("whatever a connection suffers, the call ends by its deadline, and the next has its own answer") {
  REQUIRE(pipe_signal_is_default());
  const auto [unix_socket, opened_before] = GENERATE(table<bool, bool>({{false, false}, {false, true}, {true, true}}));
  RedisServer server;
  for (const Suffered& suffered : faults) {
    if (unix_socket && suffered.fault.kind == Fault::Kind::full) continue;  // has its own test below
    for (const Call& call : calls) {
      INFO(call.name << ": " << suffered.name << (unix_socket ? ", Unix socket" : ", TCP")
                     << (opened_before ? ", on an open connection" : ", on a new connection"));
      FaultProxy proxy{server, unix_socket};
      RedisBackend backend{options_for(proxy)};
      if (opened_before) backend.ping(in(20s));
      prepare(server, 1);
      proxy.set(suffered.fault);

      Ended ended;
      {
        const SignalStorm storm{storm_interval};
        ended = end_of([&] { return call.make(backend, in(patience(suffered))); });
      }
      CHECK(ended.how == to_string(suffered.error));
      CHECK(ended.took < in_time);
      if (suffered.error == ErrorCode::timeout) CHECK(ended.took >= deadline - 10ms);

      CHECK(eventually([&] { return proxy.open() == 0; }));
      prepare(server, 2);
      proxy.heal();
      const SignalStorm storm{storm_interval};
      CHECK(call.make(backend, in(20s)) == 2);
    }
  }
}

TEST_CASE("a connection that suffers while others are well costs a call that may be repeated nothing") {
  RedisServer server;
  const bool unix_socket = GENERATE(false, true);
  for (const Suffered& suffered : faults) {
    if (suffered.error != ErrorCode::connection || is_for_all(suffered)) continue;
    for (const Call& call : calls) {
      if (call.make == increment) continue;
      INFO(call.name << ": " << suffered.name << (unix_socket ? ", Unix socket" : ", TCP"));
      FaultProxy proxy{server, unix_socket};
      RedisBackend backend{options_for(proxy)};
      backend.ping(in(20s));
      prepare(server, 3);
      proxy.set(suffered.fault);
      proxy.choose([](std::size_t) { return Fault::pass(); });
      const int answer = call.make(backend, in(20s));
      // What the first attempt has removed, the second does not find.
      const bool removes = call.make == erase_many || call.make == erase_matching;
      CHECK((answer == 3 || (removes && suffered.runs_on_the_server && answer == 0)));
    }
  }
}

TEST_CASE("what must not happen twice is sent once, whatever became of the answer") {
  RedisServer server;
  const bool unix_socket = GENERATE(false, true);
  for (const Suffered& suffered : faults) {
    if (unix_socket && suffered.fault.kind == Fault::Kind::full) continue;
    INFO(suffered.name << (unix_socket ? ", Unix socket" : ", TCP"));
    FaultProxy proxy{server, unix_socket};
    RedisBackend backend{options_for(proxy)};
    prepare(server, 1);
    REQUIRE(increment(backend, in(20s)) == 1);
    proxy.set(suffered.fault);
    // A second attempt would find a connection that is well, and count again.
    if (!is_for_all(suffered)) proxy.choose([](std::size_t) { return Fault::pass(); });
    CHECK(end_of([&] { return increment(backend, in(patience(suffered))); }).how == to_string(suffered.error));
    proxy.heal();
    // Through the same server after it: what was sent by then has been run.
    CHECK(eventually([&] { return proxy.open() == 0; }));
    CHECK(server.raw("GET", "counter").text == (suffered.runs_on_the_server ? "2" : "1"));
    CHECK(increment(backend, in(20s)) == (suffered.runs_on_the_server ? 3 : 2));
  }
}

TEST_CASE("a Unix socket whose queue is full ends by the deadline, and serves once there is room") {
  RedisServer server;
  FaultProxy proxy{server, true};
  RedisBackend backend{options_for(proxy)};
  proxy.set(Fault::full());
  const Ended ended = end_of([&] { return get(backend, in(deadline)); });
  CHECK_THAT(ended.how, Catch::Equals("connection") || Catch::Equals("timeout"));
  CHECK(ended.took < in_time);
  proxy.heal();
  prepare(server, 2);
  CHECK(get(backend, in(20s)) == 2);
}
