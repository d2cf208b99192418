// The account that docs/redis.md tells an operator to make is enough for all that a cache does, over TLS too, and for
// nothing beyond its keys and channels.
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/redis/tracking.hpp"
#include "support/captured_log.hpp"
#include "support/documented_account.hpp"
#include "support/received.hpp"
#include "support/temporary_folder.hpp"
#include "support/tls_server.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

namespace {

class Pushed final : public cascor::InvalidationSink {
 public:
  std::atomic<int> ups{0};
  std::atomic<int> keys{0};
  std::atomic<int> refusals{0};

  void on_up() noexcept override { ++ups; }
  void on_key(std::string_view key) noexcept override { keys += key == "cascor:metrics:latest" ? 1 : 0; }
  void on_flush() noexcept override {}
  void on_down(const cascor::CacheError& /*why*/) noexcept override {}
  void on_refused(const cascor::CacheError& /*why*/) noexcept override { ++refusals; }
};

struct Account {
  Account() { make_documented_account(server.plain()); }
  cascor::CacheConfig config() const {
    cascor::CacheConfig config;
    config.redis_url = "rediss://cascor:secret@" + server.address() + "/0";
    config.tls.ca_file = server.authority().file;
    config.connection_pool.timeout = 30s;
    config.history.directory = folder.path() / "history";
    config.strict = true;  // what is refused is thrown
    config.log_sink = log.sink();
    return config;
  }

  TlsServer server;
  TemporaryFolder folder;
  CapturedLog log;
};

}  // namespace

TEST_CASE("with the documented account, over TLS, nothing that a cache does is refused") {
  Account account;
  CacheManager cache{account.config()};

  CHECK(cache.cache_metrics({{"epoch", 1}}));
  CHECK(cache.set("k", 1, {.ttl = 1h, .tags = {"run-1"}}));
  CHECK(cache.set_many({{"a", 1}, {"b", 2}}).size() == 2);
  CHECK(cache.get_many({"a", "b"}).at(1));
  CHECK(*cache.increment("n", 2) == 2);
  CHECK(cache.touch("k", 2h));
  CHECK(cache.keys("*").size() >= 4);
  CHECK(*cache.get_or_compute<int>("computed", [] { return 42; }) == 42);
  CHECK(cache.command({"STRLEN", "cascor:k"}).integer > 0);
  CHECK(cache.invalidate_tag("run-1") == 1);
  CHECK(cache.health().status == cascor::HealthStatus::up);
  CHECK_FALSE(cache.health().details.last_error);

  Received received;
  const auto channel = cache.subscribe({"cascor:control"}, received.handler());
  const auto pattern = cache.subscribe_pattern({"cascor:*"}, received.handler());
  CHECK(cache.publish("cascor:control", 1) == 2);
  CHECK(cache.publish("cascor:events", 2) == 1);
  CHECK(received.wait_for(3));

  CHECK(cache.history("run-1").append({{"epoch", 1}}));
  CHECK(cache.history("run-1").size() == 1);
  CHECK(cache.history("run-1").erase());
  const std::string session = cache.sessions().create("somebody");
  CHECK(cache.sessions().get(session));
  CHECK(cache.sessions().destroy(session));
  CHECK(cache.clear_all_cache() > 0);
  CHECK_FALSE(account.log.mentions("NOPERM"));
}

TEST_CASE("the invalidation link is up with the documented account, over TLS") {
  Account account;
  cascor::redis::TrackingLink<>::Options options;
  options.redis = account.server.options();
  options.redis.username = "cascor";
  options.redis.password = [] { return "secret"; };
  options.prefixes = {"cascor:metrics:"};
  options.other_channel = "cascor:invalidate";
  Pushed pushed;
  cascor::redis::TrackingLink<> link{options, pushed};
  link.open();
  REQUIRE(eventually([&] { return pushed.ups == 1; }));
  account.server.plain().raw("SET", "cascor:metrics:latest", "1");
  CHECK(eventually([&] { return pushed.keys == 1; }));
  CHECK(pushed.refusals == 0);
  link.close();
}

TEST_CASE("what the documented account may not is said by its name") {
  Account account;
  CacheManager cache{account.config()};
  CHECK_THROWS_AS(cache.command({"GET", "other:key"}), cascor::AuthenticationError);
  CHECK_THROWS_AS(cache.command({"FLUSHALL"}), cascor::AuthenticationError);
  CHECK_THROWS_AS(cache.command({"CONFIG", "GET", "*"}), cascor::AuthenticationError);
  // Redis grants a pattern only as it is written.
  CHECK_THROWS_AS(cache.subscribe_pattern({"cascor:ev*"}, [](const cascor::Message&) {}), cascor::AuthenticationError);
}
