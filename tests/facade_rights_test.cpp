// Accounts that lack one right of the documented one: what needs it is off, the rest is not, and the log names it once.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/documented_account.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

namespace {

// What each feature gives under an account; a feature that throws or is refused is false.
std::map<std::string, bool> tried(CacheManager& cache) {
  std::map<std::string, bool> works;
  const auto attempt = [&works](const char* name, const auto& call) {
    try {
      works[name] = call();
    } catch (const cascor::AuthenticationError& error) {
      works[name] = false;
      CHECK(error.hint().size() > 10);
    }
  };
  for (int twice = 0; twice < 2; ++twice) {  // the second time says nothing new
    attempt("set", [&] { return cache.set("k", 1, {.ttl = 1h}) && cache.get<int>("k") == 1; });
    attempt("get_many", [&] { return cache.get_many<int>({"k", "x"}).at(0) == 1; });
    attempt("increment", [&] { return bool{cache.increment("n", 1)}; });
    attempt("tags",
            [&] { return cache.set("t", 1, {.ttl = 1h, .tags = {"run-1"}}) && cache.invalidate_tag("run-1") == 1; });
    attempt("patterns", [&] { return !cache.keys("*").empty() && cache.invalidate_cache("metrics:*") == 0; });
    attempt("publish", [&] {
      const auto here = cache.subscribe_pattern({"cascor:*"}, [](const cascor::Message&) {});
      return cache.publish("cascor:events", 1) >= 1;
    });
    attempt("subscribe", [&] { return cache.subscribe({"cascor:events"}, [](const cascor::Message&) {}).is_open(); });
    attempt("subscribe_pattern",
            [&] { return cache.subscribe_pattern({"cascor:*"}, [](const cascor::Message&) {}).is_open(); });
    attempt("history", [&, twice] {
      return cache.history("run-1").append({{"epoch", twice}}).tier() == cascor::CacheTier::redis;
    });
    attempt("sessions", [&] {
      const std::string id = cache.sessions().create("ann");
      return !id.empty() && cache.sessions().get(id) && cache.sessions().destroy(id);
    });
    attempt("compute", [&] {
      const auto key = "c" + std::to_string(twice);
      (void)cache.get_or_compute<int>(key, [] { return 1; }, {.ttl = 1h, .across_processes = true});
      return cache.contains(key);
    });
    attempt("health", [&] { return !cache.health().details.info_error; });
  }
  attempt("near", [&] {
    (void)cache.cache_topology("a", {{"units", 3}}, 1h);
    (void)eventually([&] {
      (void)cache.get_cached_topology("a");
      return cache.stats().near_cache.link == "UP" || cache.stats().near_cache.link == "REFUSED";
    });
    return cache.stats().near_cache.link == "UP";
  });
  return works;
}

}  // namespace

TEST_CASE("a right that an account lacks switches off just what needs it, and the log names it once", "[account]") {
  struct Row {
    std::vector<std::string> lacks;
    std::vector<std::string> off;
    std::string says;  // in one line
  };
  static RedisServer server;
  const auto row = GENERATE(values<Row>({
      {{}, {}, ""},
      {{"-publish"},
       {"publish"},
       "WARNING: Publishing failed: NOPERM this user has no permissions to run the 'publish'"},
      {{"-subscribe"},
       {"subscribe", "near"},
       "INFO: Near cache not used: NOPERM this user has no permissions to run the 'sub"},
      {{"-psubscribe"}, {"subscribe_pattern", "publish"}, ""},
      {{"resetchannels"},
       {"subscribe", "subscribe_pattern", "publish", "near"},
       "INFO: Near cache not used: NOPERM this user has no permissions to access one of the channels"},
      {{"-client|tracking"},
       {"near"},
       "INFO: Near cache not used: NOPERM this user has no permissions to run the 'client|tr"},
      {{"-eval", "-evalsha"},
       {"increment", "tags", "history", "sessions", "compute"},
       "WARNING: The account lacks a right, +eval, and what needs it fails: NOPERM"},
      {{"-scan"}, {"patterns"}, "WARNING: The account lacks a right, +scan, and what needs it fails: NOPERM"},
      {{"-xadd"},
       {"history"},
       "WARNING: The account lacks a right, + what a script runs, and what needs it fails: ERR"},
      {{"-info"}, {"health"}, ""},
      {{"-role"}, {}, ""},
      {{"-client|setname"}, {}, ""},
      {{"resetkeys", "~cascor:k", "~cascor:x", "~cascor:topology:*"},
       {"increment", "tags", "history", "sessions", "compute"},
       "WARNING: The account lacks a right, ~ for a key, and what needs it fails: NOPERM"},
  }));
  CAPTURE(row.lacks);
  server.raw("FLUSHALL");
  server.raw("ACL", "DELUSER", "cascor");
  make_documented_account(server);
  std::vector<std::string> words{"ACL", "SETUSER", "cascor"};
  words.insert(words.end(), row.lacks.begin(), row.lacks.end());
  REQUIRE(server.raw(words).text == "OK");

  const CapturedLog log;
  const TemporaryFolder folder;
  cascor::CacheConfig config;
  config.redis_url = server.url("cascor:secret");
  config.history.directory = folder.path() / "history";
  config.log_sink = log.sink();
  CacheManager cache{config};
  for (const auto& [feature, works] : tried(cache)) {
    CAPTURE(feature);
    const bool off = std::find(row.off.begin(), row.off.end(), feature) != row.off.end();
    CHECK(works == !off);
  }
  CHECK(cache.health().status == cascor::HealthStatus::up);
  if (!row.says.empty()) CHECK(log.count(row.says) == 1);
  if (row.off.empty()) CHECK_FALSE(log.mentions("NOPERM"));
}

TEST_CASE("a pattern that is wider than what is granted is refused, with the grant that it wants", "[account]") {
  RedisServer server;
  make_documented_account(server);
  CacheManager cache = CacheManager::from_url(server.url("cascor:secret"));
  for (const std::string pattern : {"*", "cascor*", "cascor:ev*"}) {
    CAPTURE(pattern);
    try {
      const auto none = cache.subscribe_pattern({pattern}, [](const cascor::Message&) {});
      FAIL("it was granted");
    } catch (const cascor::AuthenticationError& error) {
      CHECK_THAT(error.what(), Catch::StartsWith("NOPERM") && Catch::EndsWith("(to subscribe to " + pattern + ")"));
      CHECK_THAT(error.hint(), Catch::Contains("ACL SETUSER name &" + pattern + " +psubscribe"));
    }
  }
  CHECK(cache.subscribe_pattern({"cascor:*"}, [](const cascor::Message&) {}).is_open());
}
