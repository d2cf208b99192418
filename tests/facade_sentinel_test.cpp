// The facade behind Sentinels: what an application sees of a failover.
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <string>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/redis_sentinels.hpp"

using namespace std::chrono_literals;
using cascor::CacheManager;
using support::eventually;
using support::RedisSentinels;

TEST_CASE("A failover costs a cache behind Sentinels a moment in memory, and nothing that was written", "[sentinel]") {
  RedisSentinels all;
  const support::CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = all.url();
  config.log_sink = log.sink();
  CacheManager cache{config};
  REQUIRE(cache.set("kept", "before", {.ttl = 600s}));
  all.await_replicas();
  all.server(0).kill();
  (void)cache.set("kept", "meanwhile", {.ttl = 600s});
  CHECK(*cache.get<std::string>("kept") == "meanwhile");
  REQUIRE(eventually([&] { return all.master() != 0; }, 60s));
  const auto elected = std::chrono::steady_clock::now();
  REQUIRE(eventually([&] { return bool{cache.set("written", "v", {.ttl = 600s})}; }, 60s));
  const auto took = std::chrono::steady_clock::now() - elected;
  std::cout << "through the facade: first write in Redis "
            << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms after the election\n";
  CHECK(took < 5s);
  CHECK(*cache.get<std::string>("kept") == "meanwhile");
  CHECK(cache.health().mode == cascor::HealthMode::live);
  CHECK(log.count("WARNING: Redis unavailable, using memory cache: ") <= 1);
}
