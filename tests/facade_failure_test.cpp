// Strict, without a fallback, switched off; what health() says in each state; and that no secret is ever shown.
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::ErrorCode;
using cascor::HealthMode;
using cascor::HealthStatus;
using cascor::json;

namespace {

// Each operation that goes to Redis, to be tried in a state.
struct Operation {
  std::string name;
  std::function<void(CacheManager&)> run;
};
const std::vector<Operation> operations{
    {"set", [](CacheManager& cache) { cache.set("k", 1); }},
    {"cache_metrics", [](CacheManager& cache) { cache.cache_metrics("k", 1); }},
    {"set_many",
     [](CacheManager& cache) {
       cache.set_many({{"k", 1}});
     }},
    {"get", [](CacheManager& cache) { (void)cache.get("k"); }},
    {"get_many",
     [](CacheManager& cache) {
       (void)cache.get_many({"k", "l"});
     }},
    {"contains", [](CacheManager& cache) { cache.contains("k"); }},
    {"erase", [](CacheManager& cache) { cache.erase("k"); }},
    {"invalidate_cache", [](CacheManager& cache) { cache.invalidate_cache("k*"); }},
    {"clear_all_cache", [](CacheManager& cache) { cache.clear_all_cache(); }},
    {"increment", [](CacheManager& cache) { cache.increment("n"); }},
    {"ttl", [](CacheManager& cache) { (void)cache.ttl("k"); }},
    {"touch", [](CacheManager& cache) { cache.touch("k"); }},
    {"keys", [](CacheManager& cache) { (void)cache.keys(); }},
    {"command",
     [](CacheManager& cache) {
       (void)cache.command({"GET", "cascor:k"});
     }},
};

template <class Error>
void each_throws(CacheManager& cache, const std::string& start) {
  for (const Operation& operation : operations) {
    CAPTURE(operation.name);
    CHECK_THAT(what_of<Error>([&] { operation.run(cache); }), Catch::StartsWith(start));
  }
}

}  // namespace

TEST_CASE("strict: a server that is not there is thrown by every call, from construction on, and serves when it is") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.strict = true;
  CacheManager cache{config};
  const auto logged = log.lines().size();
  CHECK(cache.set("k", 1));
  server.kill();
  const std::string refused = "Error connecting to Redis on " + server.address() + ": Connection refused";
  each_throws<cascor::ConnectionError>(cache, refused);
  CHECK(what_of<cascor::ConnectionError>([&] { CacheManager{config}; }) == refused);
  CHECK(cache.health().status == HealthStatus::down);
  server.start();
  REQUIRE(eventually([&] { return cache.health().status == HealthStatus::up; }));
  for (const Operation& operation : operations) CHECK_NOTHROW(operation.run(cache));
  // However many calls it was away for: one line that it is, one that it is back.
  const auto lines = log.lines();
  REQUIRE(lines.size() == logged + 2);
  CHECK(lines[logged] == "WARNING: Redis unavailable: " + refused);
  CHECK(lines[logged + 1] == "INFO: Redis connection restored: " + server.address());
  CHECK(cache.stats().errors >= 9);  // what was thrown by the reads and writes among them
}

TEST_CASE("strict: what is thrown is counted for each key, as what is returned is") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.strict = GENERATE(true, false);
  config.fallback.enabled = false;
  CAPTURE(config.strict);
  CacheManager cache{config};
  server.kill();
  const auto counted = [&](auto call) {
    const auto before = cache.stats().errors;
    if (config.strict) {
      CHECK_THROWS_AS(call(), cascor::ConnectionError);
    } else {
      CHECK_NOTHROW(call());
    }
    return cache.stats().errors - before;
  };
  CHECK(counted([&] { (void)cache.get("a"); }) == 1);
  CHECK(counted([&] { (void)cache.get_many({"a", "b", "c"}); }) == 3);
  CHECK(counted([&] { (void)cache.set("a", 1); }) == 1);
  CHECK(counted([&] { (void)cache.set_many({{"a", 1}, {"b", 2}}); }) == 2);
  CHECK(counted([&] { (void)cache.erase("a"); }) == 1);
  CHECK(counted([&] { (void)cache.touch("a", 1s); }) == 1);
  CHECK(counted([&] { (void)cache.increment("a"); }) == 1);
  CHECK(counted([&] { (void)cache.invalidate_cache("*"); }) == 1);
}

TEST_CASE("strict: a server that stands still is a TimeoutError by every call's time limit") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.strict = true;
  config.connection_pool.timeout = 50ms;
  CacheManager cache{config};
  server.pause();
  CHECK(time_of([&] { each_throws<cascor::TimeoutError>(cache, ""); }) < soon);
  server.resume();
  CHECK(eventually([&] { return cache.health().status == HealthStatus::up; }));
}

TEST_CASE("strict: refusals are thrown as what they are") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.strict = true;
  SECTION("full memory") {
    CacheManager cache{config};
    server.raw("CONFIG", "SET", "maxmemory", "1");
    CHECK_THROWS_AS(cache.set("k", 1), cascor::OutOfMemoryError);
    CHECK_THROWS_AS(cache.set_many({{"k", 1}}), cascor::ResponseError);
    CHECK_NOTHROW(cache.get("k"));
  }
  SECTION("an account that may nothing") {
    server.raw("ACL", "SETUSER", "nobody", "on", "nopass", "+ping", "+client");
    config.redis_url = server.url("nobody");
    CacheManager cache{config};
    each_throws<cascor::AuthenticationError>(cache, "NOPERM");
  }
  SECTION("a wrong password") {
    server.raw("ACL", "SETUSER", "default", "resetpass", ">right-password");
    CHECK_THROWS_AS(CacheManager{config}, cascor::AuthenticationError);
    config.password = "wrong-password";
    CHECK_THROWS_AS(CacheManager{config}, cascor::AuthenticationError);
    config.password = "right-password";
    CHECK_NOTHROW(CacheManager{config});
  }
  SECTION("a key of another kind") {
    CacheManager cache{config};
    server.raw("RPUSH", "cascor:k", "x");
    CHECK_THROWS_AS(cache.get("k"), cascor::ResponseError);
  }
  SECTION("bytes that do not decode are no failure of the server's") {
    CacheManager cache{config};
    server.raw("SET", "cascor:k", "{");
    CHECK(cache.get("k").status() == CacheStatus::error);
  }
}

TEST_CASE("without a fallback: nothing throws and nothing is kept, each change of state is one line") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.fallback.enabled = false;
  CacheManager cache{config};
  CHECK(cache.set("k", 1));
  for (std::size_t round = 1; round <= 2; ++round) {
    server.kill();
    for (int i = 0; i < 5; ++i) {
      const auto stored = cache.set("k", 2);
      CHECK_FALSE(stored);
      CHECK(stored.tier() == CacheTier::none);
      REQUIRE(stored.error() != nullptr);
      CHECK(stored.error()->code() == ErrorCode::connection);
      const auto found = cache.get("k");
      CHECK(found.status() == CacheStatus::error);
      REQUIRE(found.error() != nullptr);
      CHECK(found.error()->code() == ErrorCode::connection);
      CHECK(cache.get_many({"k", "l"})[1].status() == CacheStatus::error);
      CHECK_FALSE(cache.contains("k"));
      CHECK_FALSE(cache.erase("k"));
    }
    CHECK(log.count("WARNING: Redis unavailable: Error connecting to Redis on " + server.address() +
                    ": Connection refused") == round);
    const auto health = cache.health();
    CHECK(health.status == HealthStatus::down);
    CHECK(health.mode == HealthMode::live);
    server.start();
    CHECK(eventually([&] { return static_cast<bool>(cache.set("k", 3)); }));
    CHECK(log.count("INFO: Redis connection restored: " + server.address()) == round);
  }
}

TEST_CASE("without a fallback: a server that was never there is one WARNING") {
  const int nobody = free_port();
  CapturedLog log;
  auto config = config_for_port(nobody, log);
  config.fallback.enabled = false;
  CacheManager cache{config};
  for (int i = 0; i < 5; ++i) CHECK_FALSE(cache.set("k", 2));
  CHECK(cache.get_many(std::vector<std::string>{}).empty());  // asks nobody, so it learns nothing
  CHECK(cache.set_many(std::map<std::string, int>{}).empty());
  CHECK(log.lines().size() == 1);
  CHECK(cache.health().status == HealthStatus::unavailable);
}

TEST_CASE("switched off: nothing connects, reads are disabled misses, writes say why") {
  ScriptedServer server{ScriptedServer::answering({})};
  CapturedLog log;
  auto config = config_for_port(server.port(), log);
  config.enabled = false;
  config.strict = GENERATE(false, true);
  CacheManager cache{config};
  const auto stored = cache.set("k", 1);
  CHECK_FALSE(stored);
  REQUIRE(stored.error() != nullptr);
  CHECK_THAT(stored.error()->what(), Catch::Contains("disabled"));
  CHECK(stored.tier() == CacheTier::none);
  CHECK_FALSE(cache.cache_metrics("k", 1));
  CHECK_FALSE(cache.set_many({{"k", 1}, {"l", 2}}).at(1));
  const auto found = cache.get("k");
  CHECK_FALSE(found);
  CHECK(found.status() == CacheStatus::disabled);
  CHECK(found.error() == nullptr);
  CHECK(cache.get_many({"k", "l"}).at(1).status() == CacheStatus::disabled);
  CHECK_FALSE(cache.contains("k"));
  CHECK_FALSE(cache.erase("k"));
  CHECK(cache.invalidate_cache("*") == 0);
  CHECK(cache.clear_all_cache() == 0);
  CHECK_THROWS_AS(cache.set("", 1), cascor::DataError);  // a programming error is one whether it is on or off
  CHECK_THROWS_AS(cache.set("k", 1, {.ttl = -1s}), cascor::DataError);
  CHECK_THROWS_AS(cache.touch("k", -1s), cascor::DataError);
  CHECK_THROWS_AS(cache.increment("k", 1, -1s), cascor::DataError);
  CHECK(cache.stats().sets == 0);
  CHECK(cache.stats().misses == 0);
  CHECK(server.connections() == 0);
  CHECK(log.lines() == std::vector<std::string>{"INFO: Cache disabled (backend.cache.enabled: false)"});
}

TEST_CASE("health() in each state, as a struct and as JSON") {
  const auto statuses = [](const cascor::Health& health) {
    const json shown = health;
    REQUIRE(shown.at("status") == to_string(health.status));
    REQUIRE(shown.at("mode") == to_string(health.mode));
    REQUIRE(shown.at("message") == health.message);
    REQUIRE_THAT(health.timestamp, Catch::Matches("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z"));
    std::vector<std::string> names;
    for (const auto& [name, value] : shown.at("details").items()) names.push_back(name);
    REQUIRE(names == std::vector<std::string>{"backend", "connected_clients", "connection_attempts", "host",
                                              "info_error", "last_error", "last_ping_ms", "nodes", "pending_writes",
                                              "pool", "port", "queued_writes", "uptime_seconds", "used_memory_human",
                                              "version"});
    return shown.at("status").get<std::string>() + ' ' + shown.at("mode").get<std::string>();
  };
  CapturedLog log;
  SECTION("memory") {
    cascor::CacheConfig config;
    config.type = cascor::CacheType::memory;
    config.log_sink = log.sink();
    CacheManager cache{config};
    const auto health = cache.health();
    CHECK(statuses(health) == "UP LIVE");
    CHECK(health.details.backend == "memory");
  }
  SECTION("switched off") {
    cascor::CacheConfig config;
    config.enabled = false;
    config.log_sink = log.sink();
    CacheManager cache{config};
    CHECK(statuses(cache.health()) == "DISABLED DISABLED");
  }
  SECTION("never reached") {
    const int nobody = free_port();
    CacheManager cache{config_for_port(nobody, log)};
    CHECK(time_of([&] { CHECK(statuses(cache.health()) == "UNAVAILABLE FALLBACK"); }) < soon);
    cache.set("k", 1);
    REQUIRE(eventually([&] { return cache.health().details.connection_attempts > 2; }));
    const auto health = cache.health();
    CHECK(health.details.last_error ==
          "Error connecting to Redis on 127.0.0.1:" + std::to_string(nobody) + ": Connection refused");
    CHECK(health.message == health.details.last_error);
    CHECK(health.details.host == "127.0.0.1");
    CHECK(health.details.port == nobody);
    CHECK(health.details.pending_writes == 1);
    CHECK_FALSE(health.details.version);
  }
  SECTION("there, gone, back") {
    RedisServer server;
    CacheManager cache{config_for(server, log)};
    cache.set("k", 1);
    const auto up = cache.health();
    CHECK(statuses(up) == "UP LIVE");
    CHECK(up.message == "Redis connection healthy");
    CHECK(up.details.backend == "redis");
    CHECK(up.details.host == "127.0.0.1");
    CHECK(up.details.port == server.port());
    CHECK(up.details.version == server.info("redis_version"));
    CHECK(up.details.uptime_seconds >= 0);
    CHECK(up.details.connected_clients == 2);
    CHECK(up.details.last_ping_ms > 0);
    CHECK_FALSE(up.details.last_error);
    CHECK(up.details.pool.size == 1);
    CHECK(up.details.pool.max == 50);
    server.kill();
    CHECK(statuses(cache.health()) == "DOWN FALLBACK");
    CHECK_THAT(cache.health().message, Catch::Contains("Redis"));
    server.start();
    REQUIRE(eventually([&] { return cache.health().status == HealthStatus::up; }));
    CHECK(statuses(cache.health()) == "UP LIVE");
  }
  SECTION("a Unix socket has no port") {
    RedisServer server{{}, RedisServer::Where::unix_socket};
    auto config = config_for(server, log);
    config.redis_url = server.url();
    CacheManager cache{config};
    CHECK(statuses(cache.health()) == "UP LIVE");
    CHECK(cache.health().details.host == server.socket_path());
    CHECK_FALSE(cache.health().details.port);
  }
  SECTION("an account that may not ask for INFO") {
    RedisServer server;
    server.raw("ACL", "SETUSER", "plain", "on", "nopass", "~*", "+@all", "-info");
    auto config = config_for(server, log);
    config.redis_url = server.url("plain");
    CacheManager cache{config};
    const auto health = cache.health();
    CHECK(statuses(health) == "UP LIVE");
    CHECK(health.message == "Redis connection healthy (limited info)");
    CHECK_THAT(health.details.info_error.value(), Catch::StartsWith("NOPERM"));
    CHECK_FALSE(health.details.version);
  }
  SECTION("a server that stands still is told of by the time limit") {
    RedisServer server;
    auto config = config_for(server, log);
    config.connection_pool.timeout = 200ms;
    CacheManager cache{config};
    server.pause();
    CHECK(time_of([&] { CHECK(statuses(cache.health()) == "DOWN FALLBACK"); }) < soon);
    CHECK(time_of([&] { CHECK(statuses(cache.health()) == "DOWN FALLBACK"); }) < 150ms + soon);
  }
}

TEST_CASE("no password is in any message, line, report or configuration, whatever goes wrong") {
  const std::string secret = "s3cr3t-passw0rd-of-some-length";
  RedisServer wants_another{{"--requirepass", "something else"}};
  RedisServer wants_none;
  RedisServer wants_it{{"--requirepass", secret}};
  ScriptedServer quotes{
      ScriptedServer::answering({{"AUTH", "-ERR unknown command 'AUTH', with args: '" + secret + "'\r\n"},
                                 {"PING", "-ERR you said " + secret + "\r\n"}})};
  ScriptedServer cuts{ScriptedServer::answering({{"AUTH", "-WRONGPASS " + secret.substr(0, 12) + "\r\n"}})};
  ScriptedServer closes{ScriptedServer::answering({{"AUTH", ""}})};
  ScriptedServer garbage{ScriptedServer::answering({{"AUTH", secret}})};
  const std::vector<int> ports{wants_another.port(), wants_none.port(), wants_it.port(), quotes.port(),
                               cuts.port(),          closes.port(),     garbage.port(),  free_port()};
  const int port = ports.at(GENERATE(range(std::size_t{0}, std::size_t{8})));
  const int way = GENERATE(0, 1, 2, 3);
  const bool strict = GENERATE(false, true);
  CAPTURE(port, way, strict);

  CapturedLog log;
  std::ostringstream shown;
  auto config = config_for_port(port, log);
  config.connection_pool.timeout = 2s;
  config.strict = strict;
  const std::string host = "127.0.0.1:" + std::to_string(port) + "/0";
  if (way == 0) config.redis_url = "redis://:" + secret + '@' + host;
  if (way == 1) config.redis_url = "redis://default:" + secret + '@' + host;
  if (way == 2) config.password = secret;
  if (way == 3) config.password_provider = [&] { return secret; };
  std::ostringstream told;  // by another thread, until the cache ends
  config.on_event = [&](const cascor::CacheEvent& event) { told << event.kind << event.detail; };
  try {
    CacheManager cache{config};
    const auto stored = cache.set("k", 1);
    if (stored.error() != nullptr) shown << stored.error()->what() << stored.error()->hint();
    const auto found = cache.get("k");
    if (found.error() != nullptr) shown << found.error()->what() << found.error()->hint();
    shown << json(cache.health()).dump() << json(cache.stats()).dump() << cache.config().to_yaml();
  } catch (const cascor::CacheError& error) {
    shown << error.what() << error.hint();
  }
  for (const auto& line : log.lines()) shown << line;
  shown << told.str();
  CHECK_THAT(shown.str(), !Catch::Contains("s3cr3t"));
}

TEST_CASE("what a server says cannot break the report of it") {
  ScriptedServer server{ScriptedServer::answering({{"PING", "-LOADING \xff\xfe not UTF-8\r\n"}})};
  CapturedLog log;
  CacheManager cache{config_for_port(server.port(), log)};
  CHECK_NOTHROW(json(cache.health()).dump());
  CHECK(log.lines() ==
        std::vector<std::string>{"WARNING: Redis unavailable, using memory cache: LOADING ?? not UTF-8"});
}
