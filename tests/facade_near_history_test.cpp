// Coherence of the near cache: what several managers in two processes read, while links are cut, delayed and killed, is
// recorded and checked. Each key has one writer, whose versions only grow.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/fault_proxy.hpp"
#include "support/fork.hpp"
#include "support/near.hpp"

#if !defined(FORKS_UNDER_TSAN)

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;

namespace {

constexpr std::size_t keys = 4;

std::string name_of(std::size_t key) { return "topology:k" + std::to_string(key); }

// What one manager was told of each key: no read that begins later may give less.
class Observer {
 public:
  // Reads a key, checks the answer against what was known before, and notes it.
  void read(CacheManager& cache, std::size_t key) {
    const int known = known_[key];
    const auto found = cache.get<int>(name_of(key));
    ++reads_;
    if (!found) return;
    if (*found < known) ++backwards_;
    if (found.status() == CacheStatus::stale) ++stale_;
    if (found.tier() == cascor::CacheTier::memory) ++near_;
    note(key, *found);
  }
  void note(std::size_t key, int version) {
    int known = known_[key];
    while (known < version && !known_[key].compare_exchange_weak(known, version)) {
    }
  }
  int backwards() const { return backwards_; }
  int near() const { return near_; }
  int known(std::size_t key) const { return known_[key]; }

 private:
  std::array<std::atomic<int>, keys> known_{};
  std::atomic<int> reads_{0};
  std::atomic<int> backwards_{0};
  std::atomic<int> stale_{0};
  std::atomic<int> near_{0};
};

// A manager that writes the versions of some keys, and reads all.
void write_and_read(CacheManager& cache, Observer& observer, std::size_t first, const std::atomic<bool>& done) {
  for (int version = 1; !done; ++version) {
    for (std::size_t key = first; key < first + keys / 2; ++key) {
      if (cache.set(name_of(key), version, {.ttl = 1h})) observer.note(key, version);
    }
    for (std::size_t key = 0; key < keys; ++key) {
      for (int i = 0; i < 3; ++i) observer.read(cache, key);
    }
  }
}

cascor::CacheConfig through(const std::string& address, const CapturedLog& log) {
  cascor::CacheConfig config;
  config.redis_url = "redis://" + address;
  config.connection_pool.timeout = 1s;
  config.log_sink = log.sink();
  config.random = [] { return std::uint64_t{7}; };
  return config;
}

}  // namespace

TEST_CASE("no read gives a version older than one that its manager knew before it began, whatever happens to links") {
  RedisServer server;
  const std::string address = server.address();
  const pid_t child = ::fork();
  if (child == 0) {  // the second process
    ::alarm(60);
    CapturedLog log;
    Observer observer;
    {
      CacheManager cache{through(address, log)};
      std::atomic<bool> done{false};
      std::thread writer{[&] { write_and_read(cache, observer, keys / 2, done); }};
      (void)eventually([&] { return cache.contains("finished"); }, 30s);
      done = true;
      writer.join();
    }
    ::_exit(observer.backwards() == 0 && observer.near() > 0 ? 0 : 1);
  }
  CapturedLog log;
  FaultProxy proxy{server};
  std::vector<std::unique_ptr<CacheManager>> managers;
  std::vector<std::unique_ptr<Observer>> observers;
  std::vector<std::thread> threads;
  std::atomic<bool> done{false};
  managers.push_back(std::make_unique<CacheManager>(through(address, log)));  // the writer's own way is clear
  for (int i = 0; i < 2; ++i) managers.push_back(std::make_unique<CacheManager>(through(proxy.address(), log)));
  for (std::size_t m = 0; m < managers.size(); ++m) {
    auto& cache = *managers[m];
    auto& observer = *observers.emplace_back(std::make_unique<Observer>());
    if (m == 0) {
      threads.emplace_back([&] { write_and_read(cache, observer, 0, done); });
      continue;
    }
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        while (!done) {
          for (std::size_t key = 0; key < keys; ++key) observer.read(cache, key);
        }
      });
    }
  }
  const std::vector<Fault> faults{Fault::delay(20ms), Fault::pass(), Fault::mute(), Fault::pass()};
  for (std::size_t round = 0; round < 24; ++round) {
    (void)eventually([] { return false; }, 100ms);  // let things happen under this fault
    switch (round % 3) {
      case 0: proxy.set(faults[round / 3 % faults.size()]); break;
      case 1: server.raw("CLIENT", "KILL", "TYPE", "pubsub"); break;
      default: proxy.sever();
    }
  }
  proxy.heal();
  done = true;
  for (auto& thread : threads) thread.join();
  server.raw("SET", "cascor:finished", "1");
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  for (std::size_t m = 0; m < managers.size(); ++m) {
    CHECK(observers[m]->backwards() == 0);
    CHECK(observers[m]->near() > 0);
    for (std::size_t key = 0; key < keys; ++key) {  // and in the end everybody sees the last version
      const int last = std::stoi(server.raw("GET", "cascor:" + name_of(key)).text);
      CHECK(observers[m]->known(key) <= last);
      CHECK(eventually([&] {
        const auto found = managers[m]->get<int>(name_of(key));
        return found.status() == CacheStatus::hit && *found == last;
      }));
    }
  }
}

#endif
