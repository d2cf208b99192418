// The process-wide cache: one object however it is come by, made from the configuration that the environment names.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"
#include "support/threads.hpp"

using namespace support;
using cascor::get_cache_manager;
using cascor::shutdown_cache_manager;

namespace {

// CASCOR_CACHE_CONFIG names a file with `lines` under backend.cache, log lines are kept, and no cache is left behind.
class ConfiguredByEnvironment {
 public:
  explicit ConfiguredByEnvironment(const std::string& lines) {
    shutdown_cache_manager();
    cascor::set_log_sink(log.sink());
    configure(lines);
    ::setenv("CASCOR_CACHE_CONFIG", file().c_str(), 1);
  }
  ConfiguredByEnvironment(const ConfiguredByEnvironment&) = delete;
  ConfiguredByEnvironment& operator=(const ConfiguredByEnvironment&) = delete;
  ~ConfiguredByEnvironment() {
    shutdown_cache_manager();
    ::unsetenv("CASCOR_CACHE_CONFIG");
    cascor::set_log_sink({});
  }
  void configure(const std::string& lines) const {
    std::ofstream{file()} << "application: {name: test}\nbackend:\n  cache: {" << lines << "}\n";
  }
  std::string file() const { return (folder_.path() / "app.yaml").string(); }

  CapturedLog log;

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("the process-wide cache is made once, by whichever of many threads asks first") {
  const ConfiguredByEnvironment environment{"type: memory"};
  std::mutex mutex;
  std::set<cascor::CacheManager*> seen;
  in_threads(16, [&](std::size_t i) {
    auto& cache = get_cache_manager();
    cache.set("k" + std::to_string(i), i);
    const std::lock_guard lock{mutex};
    seen.insert(&cache);
  });
  CHECK(seen.size() == 1);
  CHECK(get_cache_manager().invalidate_cache("k*") == 16);
  CHECK(environment.log.count("INFO: Memory cache enabled") == 1);
}

TEST_CASE("CASCOR_CACHE_CONFIG names what it is made from") {
  RedisServer server;
  const ConfiguredByEnvironment environment{"redis_url: \"" + server.url() + "\", namespace: \"lab:\""};
  CHECK(get_cache_manager().config().key_namespace == "lab:");
  CHECK(get_cache_manager().set("k", 1));
  CHECK(server.raw("GET", "lab:k").text == "1");
  cascor::CacheManager another;  // the default constructor asks the same environment
  CHECK(*another.get("k") == 1);
}

TEST_CASE("shut down, it is gone; asked for again, it is made anew from what the file says then") {
  const ConfiguredByEnvironment environment{"type: memory"};
  get_cache_manager().set("k", 1);
  shutdown_cache_manager();
  CHECK_FALSE(get_cache_manager().contains("k"));
  environment.configure("type: memory, ttl_seconds: 7");
  CHECK(get_cache_manager().config().ttl == std::chrono::hours{1});
  shutdown_cache_manager();
  shutdown_cache_manager();
  CHECK(get_cache_manager().config().ttl == std::chrono::seconds{7});
}

TEST_CASE("a configuration that cannot be is thrown to each who asks, until it can") {
  const ConfiguredByEnvironment environment{"type: paper"};
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_AS(get_cache_manager(), cascor::ConfigError);
  }
  environment.configure("type: memory");
  CHECK_NOTHROW(get_cache_manager());
}

TEST_CASE("a log sink may ask for the process-wide cache while the one before says its last words") {
  const ConfiguredByEnvironment environment{"redis_url: \"redis://127.0.0.1:1/0\", shutdown_timeout: 0"};
  std::atomic<bool> asked{false};
  cascor::set_log_sink([&](cascor::LogLevel, std::string_view line) {
    if (!line.starts_with("Redis did not return") || asked.exchange(true)) return;
    (void)get_cache_manager();
  });
  get_cache_manager().set("k", 1);
  shutdown_cache_manager();
  CHECK(asked);
}
