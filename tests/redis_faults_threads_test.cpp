// Many threads at once on connections that fail at random: whatever comes back is the caller's own.
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_client.hpp"
#include "support/signal_storm.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::Deadline;
using cascor::KeyValueStore;
using cascor::StoreEntry;
using RedisBackend = cascor::redis::RedisBackend<>;
using cascor::redis::RedisOptions;

namespace {

// What many threads have tally. Values name their keys: what says another is somebody else's answer.
struct Tally {
  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> failed{0};
  std::atomic<int> odd{0};   // errors that no fault of a connection explains
  std::atomic<int> late{0};  // calls that did not end by their deadline
};

std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  keys.reserve(64);
  for (int i = 0; i < 64; ++i) keys.push_back("key:" + std::to_string(i));
  return keys;
}
const std::vector<std::string> keys = make_keys();

// Of very different sizes, so that a connection is cut anywhere in them.
std::string value_of(const std::string& key) {
  const std::size_t number = std::stoul(key.substr(4));
  return key + ' ' + std::string(number * number * 3, static_cast<char>('a' + number % 26));
}

Fault random_fault(std::mt19937& random) {
  switch (random() % 16) {
    case 0: return Fault::drip(1ms);
    case 1: return Fault::delay(std::chrono::milliseconds{random() % 150});
    case 2: return Fault::mute();
    case 3: return Fault::black_hole();
    case 4: return Fault::drop();
    case 5:
    case 6: return Fault::cut(random() % 20'000);
    case 7:
    case 8: return Fault::reset(random() % 20'000);
    default: return Fault::pass();
  }
}

bool is_answered(KeyValueStore& store) {
  try {
    store.ping(in(20s));
    return true;
  } catch (const cascor::ConnectionError&) {
    return false;
  }
}

// One thread's calls, and its own counter.
class Caller {
 public:
  Caller(KeyValueStore& store, Tally& tally, std::size_t number)
      : store_{store}, tally_{tally}, counter_{"counter:" + std::to_string(number)}, random_{number} {}

  void call_one() {
    const auto took = time_of([this] {
      try {
        ++(answers_rightly() ? tally_.right : tally_.wrong);
      } catch (const cascor::ConnectionError&) {
        ++tally_.failed;
      } catch (const cascor::TimeoutError&) {
        ++tally_.failed;
      } catch (...) {
        ++tally_.odd;
      }
    });
    if (took > 3s) ++tally_.late;
  }
  const std::string& counter() const { return counter_; }
  bool explains(std::int64_t counted) const { return counted >= acknowledged_ && counted <= acknowledged_ + unknown_; }

 private:
  const std::string& any_key() { return keys[random_() % keys.size()]; }
  bool answers_rightly() {
    const Deadline by = in(100ms);
    switch (random_() % 8) {
      case 0: return sets_rightly(by);
      case 1: return reads_many_rightly(by);
      case 2: return counts_rightly(by);
      case 3: return !store_.get("nothing", by).bytes;
      default: {
        const std::string& key = any_key();
        return store_.get(key, by).bytes == value_of(key);
      }
    }
  }
  bool sets_rightly(Deadline by) {
    const std::string& key = any_key();
    const std::string value = value_of(key);
    return store_.set_many(std::vector<StoreEntry>{{key, value, cascor::no_expiry}}, by).at(0).stored;
  }
  bool reads_many_rightly(Deadline by) {
    std::vector<std::string_view> wanted(1 + random_() % 6);
    for (auto& key : wanted) key = any_key();
    const auto answers = store_.get_many(wanted, by);
    bool right = answers.size() == wanted.size();
    for (std::size_t i = 0; right && i < wanted.size(); ++i)
      right = answers[i].bytes == value_of(std::string{wanted[i]});
    return right;
  }
  bool counts_rightly(Deadline by) {
    ++unknown_;
    const std::int64_t sum = store_.increment(counter_, 1, cascor::no_expiry, by);
    --unknown_;
    ++acknowledged_;
    return explains(sum);
  }

  KeyValueStore& store_;
  Tally& tally_;
  std::string counter_;
  std::mt19937_64 random_;
  std::int64_t acknowledged_ = 0;
  std::int64_t unknown_ = 0;
};

}  // namespace

TEST_CASE("many threads, connections that fail at random: every value names its key, nothing counts twice") {
  struct sigaction now {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &now) == 0);
  REQUIRE(now.sa_handler == SIG_DFL);
  const bool unix_socket = GENERATE(false, true);
  CAPTURE(unix_socket);
  RedisServer server;
  for (const auto& key : keys) server.raw("SET", key, value_of(key));
  FaultProxy proxy{server, unix_socket};
  RedisOptions options;
  options.endpoint = proxy.endpoint();
  options.max_connections = 8;
  RedisBackend backend{options};

  constexpr std::size_t threads = 16;
  Tally tally;
  std::vector<Caller> callers;
  for (std::size_t i = 0; i < threads; ++i) callers.emplace_back(backend, tally, i);
  proxy.choose([random = std::mt19937{20'261'124}](std::size_t) mutable { return random_fault(random); });

  const SignalStorm storm{50ms};
  std::atomic<bool> done{false};
  std::thread all{[&] {
    in_threads(threads, [&](std::size_t thread) {
      while (!done) callers[thread].call_one();
    });
  }};
  std::mt19937 when{7};
  const bool enough = eventually(
      [&] {
        if (when() % 100 == 0) proxy.sever();
        return tally.right > 3'000 && tally.failed > 100 && proxy.connections() > 100;
      },
      120s);
  done = true;
  all.join();
  INFO(tally.right << " right, " << tally.failed << " failed, " << proxy.connections() << " connections");
  CHECK(enough);
  CHECK(tally.wrong == 0);
  CHECK(tally.odd == 0);
  CHECK(tally.late == 0);

  // What was on its way when the last fault struck has arrived or is gone once those connections are.
  proxy.heal();
  proxy.sever();
  CHECK(eventually([&] { return is_answered(backend); }));
  for (const auto& key : keys) CHECK((backend.get(key, in(20s)).bytes == value_of(key)));
  for (const auto& caller : callers) {
    const auto counted = server.raw("GET", caller.counter());
    CHECK(caller.explains(counted.is_nil() ? 0 : std::stoll(counted.text)));
  }
}

TEST_CASE("callers that wait behind one that a fault holds end by their own deadlines") {
  RedisServer server;
  FaultProxy proxy{server};
  RedisOptions options;
  options.endpoint = proxy.endpoint();
  options.max_connections = 1;
  RedisBackend backend{options};
  backend.ping(in(20s));
  proxy.set(Fault::mute());
  std::atomic<int> timed_out{0};
  std::atomic<int> late{0};
  std::thread patient{[&] {
    try {
      (void)backend.get("held", in(20s));
    } catch (const cascor::CacheError&) {  // however it ends: it is only in the way
    }
  }};
  REQUIRE(eventually([&] { return backend.pool().in_use == 1; }));
  in_threads(8, [&](std::size_t) {
    const auto took = time_of([&] {
      try {
        (void)backend.get("behind", in(200ms));
      } catch (const cascor::TimeoutError&) {
        ++timed_out;
      } catch (const cascor::ConnectionError&) {
      }
    });
    if (took > 3s) ++late;
  });
  CHECK(timed_out == 8);
  CHECK(late == 0);
  proxy.heal();
  proxy.sever();
  patient.join();
}

TEST_CASE("a caller in a hurry that times out costs a patient one nothing") {
  RedisServer server;
  FaultProxy proxy{server};
  RedisOptions options;
  options.endpoint = proxy.endpoint();
  options.max_connections = 4;
  RedisBackend backend{options};
  server.raw("SET", keys.front(), value_of(keys.front()));
  proxy.set(Fault::delay(60ms));
  std::atomic<int> patient_right{0};
  std::atomic<int> patient_failed{0};
  std::atomic<int> hurried_failed{0};
  std::atomic<int> at_work{4};
  in_threads(8, [&](std::size_t thread) {
    if (thread >= 4) {
      while (at_work > 0) {
        try {
          (void)backend.get(keys.front(), in(20ms));
        } catch (const cascor::TimeoutError&) {
          ++hurried_failed;
        } catch (const cascor::ConnectionError&) {  // nothing is promised to them
        }
      }
      return;
    }
    const std::string counter = "counter:" + std::to_string(thread);
    for (int i = 1; i <= 5; ++i) {
      try {
        const bool read = backend.get(keys.front(), in(20s)).bytes == value_of(keys.front());
        const bool counted = backend.increment(counter, 1, cascor::no_expiry, in(20s)) == i;
        patient_right += read && counted ? 1 : 0;
      } catch (const cascor::CacheError&) {
        ++patient_failed;
      }
    }
    --at_work;
  });
  CHECK(hurried_failed > 0);
  CHECK(patient_failed == 0);
  CHECK(patient_right == 20);
}
