// What a cache says of its configuration when it starts.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/redis_server.hpp"

using cascor::CacheConfig;
using cascor::CacheManager;
using Lines = std::vector<std::string>;

namespace {

CacheConfig in_memory(const support::CapturedLog& log) {
  CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.log_sink = log.sink();
  return config;
}

}  // namespace

TEST_CASE("a namespace that runs into what follows it is a WARNING with the one that was probably meant") {
  support::CapturedLog log;
  auto config = in_memory(log);
  SECTION("by code") {
    config.key_namespace = "lab";
    const CacheManager cache{config};
    CHECK(log.lines() == Lines{"WARNING: code: namespace: found 'lab', which does not end with a colon: its keys are "
                               "'labmetrics:latest' and so on, and a cache with a longer namespace may lie inside it; "
                               "is 'lab:' meant?",
                               "INFO: Memory cache enabled (TTL: 3600s)"});
  }
  SECTION("by a file, with its place") {
    config = CacheConfig::parse("backend: {cache: {type: memory, namespace: run7}}", "app.yaml", {});
    config.log_sink = log.sink();
    const CacheManager cache{config};
    CHECK(log.count("WARNING: app.yaml:1:44: namespace: found 'run7', which does not end with a colon") == 1);
    CHECK(log.count("WARNING: ") == 1);
  }
  SECTION("but not one with another end that parts it") {
    for (const char* space : {"lab:", "lab/", "lab.", "{lab}", "lab_"}) {
      config.key_namespace = space;
      const CacheManager cache{config};
    }
    CHECK(log.count("WARNING: ") == 0);
  }
}

TEST_CASE("one DEBUG line at the start tells what is configured, and no secret") {
  support::CapturedLog log;
  cascor::set_log_level(cascor::LogLevel::debug);
  auto config = in_memory(log);
  std::string expected;
  SECTION("in memory") {
    config.prefix_ttl.metrics = std::chrono::milliseconds{1500};
    config.ttl = cascor::no_expiry;
    expected =
        "DEBUG: Configured: memory, namespace cascor:, at most 100 MiB in memory (lru), timeout 5s, TTLs in seconds "
        "(0: no expiry): metrics 1.5, topology 5, session 86400, history 60, control 5, others 0";
  }
  SECTION("on Redis") {
    const auto port = std::to_string(support::free_port());
    config.type = cascor::CacheType::redis;
    config.redis_url = "redis://ada:hunter2@127.0.0.1:" + port + "/3";
    config.eviction = cascor::Eviction::s3fifo;
    expected =
        "DEBUG: Configured: redis://ada:***@127.0.0.1:" + port +
        "/3, namespace cascor:, in its place 100 MiB in memory (s3fifo), near 32 MiB, timeout 5s, TTLs in seconds "
        "(0: no expiry): metrics 1, topology 5, session 86400, history 60, control 5, others 3600";
  }
  { const CacheManager cache{config}; }
  cascor::set_log_level(cascor::LogLevel::info);
  CHECK(log.count(expected) == 1);
  CHECK(log.count("DEBUG: Configured") == 1);
  CHECK_FALSE(log.mentions("hunter2"));
}
