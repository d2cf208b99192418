// get_or_compute with .across_processes: one computation among all that ask, a holder that dies or loses the lock.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/cache/lock.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/distributed.hpp"
#include "support/gate.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::ComputeOptions;

namespace {

const ComputeOptions shared{.ttl = 1h, .across_processes = true};
const ComputeOptions quick{.ttl = 1h, .across_processes = true, .lock_for = 300ms};
const std::string the_lock = "cascor:lock:{cascor:k}";

int fails() { throw std::runtime_error{"database away"}; }

// Another process that computes `k` for ever, until it is killed. Made before this process has a cache.
class ForeverComputing {
 public:
  explicit ForeverComputing(const RedisServer& server) : child_{::fork()} {
    if (child_ != 0) return;
    ::alarm(60);
    try {
      CacheManager cache = CacheManager::from_url(server.url());
      cache.get_or_compute<int>(
          "k",
          [] {
            while (true) ::pause();
            return 0;
          },
          quick);
    } catch (...) {
    }
    ::_exit(1);
  }
  ForeverComputing(const ForeverComputing&) = delete;
  ForeverComputing& operator=(const ForeverComputing&) = delete;
  ~ForeverComputing() { kill(); }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
  }

 private:
  pid_t child_;
};

}  // namespace

TEMPLATE_TEST_CASE("one computes for two caches and all their threads, and nobody is left with a lock", "", OnRedisTcp,
                   OnDistributed) {
  TestType backend;
  CacheManager one{backend.config()};
  CacheManager two{backend.config()};
  std::atomic<int> computed{0};
  std::atomic<int> right{0};
  Gate gate;
  std::thread opener{[&] {
    gate.await_arrival();
    eventually([&] { return one.stats().compute.lock_waits + two.stats().compute.lock_waits == 1; });
    gate.open();
  }};
  in_threads(16, [&](std::size_t i) {
    const auto value = (i % 2 == 0 ? one : two)
                           .get_or_compute<int>(
                               "k",
                               [&] {
                                 gate.pass();
                                 return ++computed;
                               },
                               shared);
    if (value == 1) ++right;
  });
  opener.join();
  CHECK(computed == 1);
  CHECK(right == 16);
  CHECK(one.stats().compute.loads + two.stats().compute.loads == 1);
  CHECK(server_of(backend, the_lock).raw("EXISTS", the_lock).integer == 0);
  CHECK(server_of(backend, "cascor:k").raw("GET", "cascor:k").text == "1");
  CHECK(server_of(backend, "cascor:k").raw("PTTL", "cascor:k").integer > 3'000'000);
}

TEST_CASE("a holder that is killed with kill -9 is found dead when its lock has expired, and another computes") {
  RedisServer server;
  ForeverComputing other{server};
  REQUIRE(eventually([&] { return server.raw("EXISTS", the_lock).integer == 1; }));
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  std::atomic<bool> has_value{false};
  auto waiter = std::async(std::launch::async, [&] {
    auto value = cache.get_or_compute(
        "k", [] { return 7; }, quick);
    has_value = true;
    return value;
  });
  // For as long as it lives the lock is renewed, well past its time.
  CHECK_FALSE(eventually([&] { return has_value.load(); }, 900ms));
  CHECK(cache.stats().compute.lock_waits == 1);
  other.kill();
  CHECK(eventually([&] { return has_value.load(); }));
  CHECK(waiter.get() == 7);
  CHECK(server.raw("GET", "cascor:k").text == "7");
  CHECK(server.raw("EXISTS", the_lock).integer == 0);
}

TEST_CASE("who waits for another process has a deadline, and what stands in") {
  RedisServer server;
  ForeverComputing other{server};
  REQUIRE(eventually([&] { return server.raw("EXISTS", the_lock).integer == 1; }));
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  const auto late = cache.with_deadline(50ms).get_or_compute<int>("k", fails, quick);
  CHECK(late.status() == CacheStatus::error);
  CHECK(dynamic_cast<const cascor::TimeoutError*>(late.error()) != nullptr);

  server.raw("SET", "cascor:k", "5");
  ComputeOptions options = quick;
  options.stale_for = 1min;
  CHECK(cache.get_or_compute<int>("k", fails, options) == 5);
  server.raw("DEL", "cascor:k");
  const auto stale = cache.with_deadline(50ms).get_or_compute<int>("k", fails, options);
  CHECK(stale == 5);
  CHECK(stale.status() == CacheStatus::stale);
}

TEST_CASE("who waits has the value as soon as it is there, whoever stored it") {
  RedisServer server;
  ForeverComputing other{server};
  REQUIRE(eventually([&] { return server.raw("EXISTS", the_lock).integer == 1; }));
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  auto waiter = std::async(std::launch::async, [&] { return cache.get_or_compute<int>("k", fails, quick); });
  CHECK(eventually([&] { return cache.stats().compute.lock_waits == 1; }));
  server.raw("SET", "cascor:k", "5");
  const auto value = waiter.get();
  CHECK(value == 5);
  CHECK(value.status() == CacheStatus::hit);
}

TEST_CASE("a computation that fails lets go of the lock, and its exception stays in its process") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  CacheManager other{backend.config()};
  CHECK_THROWS_WITH(cache.get_or_compute("k", fails, shared), "database away");
  CHECK(backend.server.raw("EXISTS", the_lock).integer == 0);
  CHECK(other.get_or_compute(
            "k", [] { return 1; }, shared) == 1);
}

TEST_CASE("who is no longer the holder returns what it computed, and neither stores it nor frees the other's lock") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const std::string key = GENERATE("k", "{k}", "a}b");
  CAPTURE(key);
  const std::string lock = "cascor:lock:{cascor:" + key + "}";
  CHECK(cache.get_or_compute(
            key,
            [&] {
              CHECK(backend.server.raw("GET", lock).text.size() == 32);
              backend.server.raw("SET", lock, "somebody else's");
              return 1;
            },
            shared) == 1);
  CHECK(backend.server.raw("EXISTS", "cascor:" + key).integer == 0);
  CHECK(backend.server.raw("GET", lock).text == "somebody else's");
  CHECK(cache.stats().compute.not_stored == 1);
  backend.server.raw("DEL", lock);
  CHECK(cache.get_or_compute(
            key, [] { return 2; }, shared) == 2);
  CHECK(cache.get<int>(key) == 2);
}

TEST_CASE(
    "another process's erase overtakes a computation of one among processes: it is not stored, and the next computes") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  CacheManager other{backend.config()};
  const std::string key = GENERATE("k", "{k}", "a}b");
  CHECK(cache.get_or_compute(
            key,
            [&] {
              CHECK_FALSE(other.erase(key));  // nothing was there, and what is being computed is older
              CHECK(other.get_or_compute(
                        key, [] { return 2; }, shared) == 2);
              return 1;
            },
            shared) == 1);
  CHECK(cache.stats().compute.not_stored == 1);
  CHECK(cache.get<int>(key) == 2);
}

TEST_CASE("the lock is renewed while the computation runs, and survives invalidations") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  std::string token;
  cache.get_or_compute(
      "k",
      [&] {
        token = backend.server.raw("GET", the_lock).text;
        // Each renewal sets the time back to its beginning.
        for (int renewals = 0; renewals < 4; ++renewals) {
          CHECK(eventually([&] { return backend.server.raw("PTTL", the_lock).integer < 230; }));
          CHECK(eventually([&] { return backend.server.raw("PTTL", the_lock).integer > 250; }));
        }
        cache.clear_all_cache();
        CHECK(backend.server.raw("GET", the_lock).text == token);
        return 1;
      },
      quick);
  CHECK(token.size() == 32);
  CHECK_FALSE(cache.contains("k"));  // the clearing overtook it
}

TEST_CASE("one among processes computes ahead of the end, too") {
  OnRedisTcp backend;
  CacheManager one{backend.config()};
  CacheManager two{backend.config()};
  backend.server.raw("SET", "cascor:k", "1", "PX", "50000");
  const ComputeOptions options{.ttl = 1h, .refresh_ahead = 1min, .across_processes = true, .jitter = 0};
  Gate gate;
  std::atomic<int> computed{1};
  const auto compute = [&] {
    gate.pass();
    return ++computed;
  };
  CHECK(one.get_or_compute<int>("k", compute, options) == 1);
  gate.await_arrival();
  CHECK(two.get_or_compute<int>("k", compute, options) == 1);
  CHECK(two.stats().compute.refreshes == 1);
  gate.open();
  CHECK(eventually([&] { return two.get<int>("k") == 2; }));
  CHECK(two.get_or_compute<int>("k", compute, options) == 2);
  CHECK(computed == 2);
}

TEST_CASE("scripts are known by their SHA-1, and sent anew to a server that has forgotten them") {
  OnRedisTcp backend;
  using namespace cascor::detail;
  for (const LockScript& script : {renew_script, release_script, publish_script}) {
    CHECK(backend.server.raw("SCRIPT", "LOAD", std::string{script.text}).text == script.sha1);
  }
  CacheManager cache{backend.config()};
  cache.get_or_compute(
      "k",
      [&] {
        backend.server.raw("SCRIPT", "FLUSH");
        return 1;
      },
      shared);
  CHECK(cache.get<int>("k") == 1);
  CHECK(backend.server.raw("EXISTS", the_lock).integer == 0);
}

TEST_CASE("with Redis away there is no lock to wait for") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  server.kill();
  CHECK(cache.get_or_compute(
            "k", [] { return 1; }, shared) == 1);
  CHECK(cache.get_or_compute("k", fails, shared) == 1);
}

TEST_CASE("an account that may run no scripts has its value, and a line says why it is not stored") {
  OnRedisTcp backend;
  backend.server.raw("ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@all", "-@scripting");
  auto config = backend.config();
  config.redis_url = backend.server.url("reader:secret");
  CacheManager cache{config};
  for (int i = 0; i < 2; ++i) {
    CHECK(cache.get_or_compute(
              "k" + std::to_string(i), [] { return 1; }, shared) == 1);
  }
  CHECK(backend.log.count("WARNING: Computed, but not stored: NOPERM") == 1);
}

TEST_CASE("a manager's end does not wait for what another process computes") {
  OnRedisTcp backend;
  CacheManager other{backend.config()};
  std::optional<CacheManager> cache{backend.config()};
  ComputeOptions options = shared;
  options.stale_for = 1h;
  options.stale_after = 0ms;
  CHECK(cache->get_or_compute(
            "k", [] { return 1; }, options) == 1);
  backend.server.raw("DEL", "cascor:k");
  Gate gate;
  std::thread computing{[&] {
    (void)other.get_or_compute(
        "k",
        [&] {
          gate.pass();
          return 2;
        },
        shared);
  }};
  gate.await_arrival();
  CHECK(cache->get_or_compute(
            "k", [] { return 3; }, options) == 1);
  CHECK(eventually([&] { return cache->stats().compute.lock_waits == 1; }));
  std::atomic<bool> ended{false};
  std::thread ending{[&] {
    cache.reset();
    ended = true;
  }};
  CHECK(eventually([&] { return ended.load(); }));
  gate.open();
  ending.join();
  computing.join();
  CHECK(backend.server.raw("GET", "cascor:k").text == "2");
}
