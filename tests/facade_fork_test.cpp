// A process that forks: the child has an engine of its own, and finds no lock held by a thread that it does not have.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/fork.hpp"

#if !defined(FORKS_UNDER_TSAN)

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

namespace {

// Threads that use a cache until this ends, so that its locks are held at whatever moment a fork comes.
class Load {
 public:
  explicit Load(CacheManager& cache) {
    for (int t = 0; t < 4; ++t) {
      threads_.emplace_back([this, &cache, t] {
        for (int i = 0; !done_; ++i) {
          cache.set("load" + std::to_string(t), i);
          (void)cache.get("load" + std::to_string(i % 4));
        }
      });
    }
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::vector<std::thread> threads_;
};

}  // namespace

TEMPLATE_TEST_CASE("a child uses the manager that it was forked with, whatever the parent's threads were doing", "",
                   OnMemory, OnRedisTcp) {
  TestType backend;
  CacheManager cache{backend.config()};
  const Load load{cache};
  for (int round = 0; round < 20; ++round) {
    const std::string key = "child" + std::to_string(round);
    REQUIRE(holds_in_child([&] { return cache.set(key, round) && *cache.get(key) == round && cache.erase(key); }));
    REQUIRE(cache.set("parent", round));
    REQUIRE(*cache.get("parent") == round);
  }
}

TEST_CASE("a child has connections of its own, and its end takes none of the parent's away") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.set("k", 1, {.ttl = 1h}));
  const auto name = [](CacheManager& of) { return of.command({"CLIENT", "GETNAME"}).text; };
  const std::string parents = name(cache);
  CHECK(parents == "cascor-cache:" + std::to_string(::getpid()));
  CHECK(holds_in_child([&] {
    std::vector<std::thread> threads;  // several of them make the one engine at once
    std::atomic<int> good{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        if (name(cache) == "cascor-cache:" + std::to_string(::getpid())) ++good;
      });
    }
    for (auto& thread : threads) thread.join();
    return good == 4 && *cache.get("k") == 1;
  }));
  CHECK(name(cache) == parents);
  CHECK(*cache.get("k") == 1);
}

TEST_CASE("a child destroys, moves and makes managers in peace, its parent's among them") {
  RedisServer server;
  CapturedLog log;
  std::optional<CacheManager> cache{config_for(server, log)};
  server.kill();
  cache->set("waits", 1);  // with a thread that asks for the server's return
  CHECK(holds_in_child([&] {
    CacheManager moved = std::move(*cache);
    cache.reset();
    moved.set("k", 1);
    CacheManager another{config_for(server, log)};
    return *moved.get("k") == 1 && moved.health().mode == cascor::HealthMode::fallback;
  }));
  server.start();
  CHECK(eventually_restored(log));
  CHECK(server.raw("GET", "cascor:waits").text == "1");
}

TEST_CASE("the process-wide cache and the log serve a child whose parent was inside of them") {
  CapturedLog log;
  cascor::set_log_sink(log.sink());
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  std::atomic<bool> done{false};
  std::thread busy{[&] {
    while (!done) {
      CacheManager{config};  // logs
      cascor::set_log_sink(log.sink());
      cascor::shutdown_cache_manager();
    }
  }};
  ::setenv("CASCOR_CACHE_TYPE", "memory", 1);
  for (int round = 0; round < 20; ++round) {
    CHECK(holds_in_child([] {
      cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
      return cascor::get_cache_manager().set("k", 1) && *cascor::get_cache_manager().get("k") == 1;
    }));
  }
  done = true;
  busy.join();
  ::unsetenv("CASCOR_CACHE_TYPE");
  cascor::shutdown_cache_manager();
  cascor::set_log_sink({});
}

#endif
