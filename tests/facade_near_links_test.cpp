// The near cache wherever the server is and whatever becomes of it: over TLS, behind Sentinels, in a child process.
#include <catch2/catch.hpp>
#include <string>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/fork.hpp"
#include "support/near.hpp"
#include "support/redis_client.hpp"
#include "support/redis_sentinels.hpp"
#include "support/tls_server.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;

TEST_CASE("over TLS a value is served from here until another client changes it") {
  TlsServer server;
  CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = server.url();
  config.tls.ca_file = server.authority().file;
  config.log_sink = log.sink();
  CacheManager cache{config};
  CHECK(cache.cache_metrics("latest", 1, 1h));
  REQUIRE(eventually_near(cache, "metrics:latest"));
  for (int i = 2; i < 10; ++i) {
    server.plain().raw("SET", "cascor:metrics:latest", std::to_string(i));
    CHECK(eventually([&] { return cache.get<int>("metrics:latest") == i; }));
    REQUIRE(eventually_near(cache, "metrics:latest"));
  }
  CHECK(cache.stats().near_cache.link == "UP");
}

TEST_CASE("a failover ends what is near, and the new master tells of its changes", "[sentinel]") {
  RedisSentinels all;
  CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = all.url();
  config.log_sink = log.sink();
  CacheManager cache{config};
  REQUIRE(cache.cache_metrics("latest", 1, 1h));
  REQUIRE(eventually_near(cache, "metrics:latest"));
  all.await_replicas();
  all.server(0).kill();
  REQUIRE(eventually([&] { return all.master() != 0; }, 60s));
  auto& master = all.server(all.master());
  REQUIRE(eventually([&] { return master.raw("SET", "cascor:metrics:latest", "2").text == "OK"; }, 60s));
  REQUIRE(eventually([&] { return cache.get<int>("metrics:latest") == 2; }, 60s));
  REQUIRE(eventually_near(cache, "metrics:latest"));
  CHECK(cache.get<int>("metrics:latest") == 2);
  master.raw("SET", "cascor:metrics:latest", "3");
  CHECK(eventually([&] { return cache.get<int>("metrics:latest") == 3; }));
  REQUIRE(eventually_near(cache, "metrics:latest"));
  CHECK(cache.stats().near_cache.flushes.link_up >= 2);
}

#if !defined(FORKS_UNDER_TSAN)

TEST_CASE("a child has a near cache and a link of its own, and its parent keeps both") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  cache.cache_metrics("latest", 1, 1h);
  REQUIRE(eventually_near(cache, "metrics:latest"));
  CHECK(holds_in_child([&] {
    server.raw("SET", "cascor:metrics:latest", "2");  // the parent is told; what the child was forked with is nobody's
    if (cache.get<int>("metrics:latest") != 2 || !eventually_near(cache, "metrics:latest")) return false;
    server.raw("SET", "cascor:metrics:latest", "3");
    return eventually([&] { return cache.get<int>("metrics:latest") == 3; }) && cache.stats().near_cache.link == "UP";
  }));
  CHECK(eventually([&] { return cache.get<int>("metrics:latest") == 3; }));
  REQUIRE(eventually_near(cache, "metrics:latest"));
  server.raw("SET", "cascor:metrics:latest", "4");
  CHECK(eventually([&] { return cache.get<int>("metrics:latest") == 4; }));
  CHECK(cache.stats().near_cache.flushes.link_up == 1);
}

#endif
