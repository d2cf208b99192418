// What was written while Redis was away, and what others wrote there meanwhile: a kept write takes the place of what
// this process has seen, and of nothing else.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::json;

namespace {

const std::string changed_line = " dropped on Redis's return: other clients had written the keys meanwhile";
const std::string unknown_line =
    " dropped on Redis's return, and what was there removed: it is not remembered which was newer";

// A cache behind a proxy that cuts it off from a server which others still reach.
struct CutOff {
  RedisServer server;
  FaultProxy proxy{server};
  CapturedLog log;
  std::size_t returns = 0;

  cascor::CacheConfig config(const std::string& user = {}) {
    auto config = config_for_port(proxy.endpoint().port, log);
    if (!user.empty()) config.redis_url = "redis://" + user + ":any@" + proxy.address() + "/0";
    return config;
  }
  void cut(CacheManager& cache) {
    proxy.set(Fault::refuse());
    REQUIRE(eventually_away(cache));
  }
  void join() {
    proxy.heal();
    REQUIRE(eventually_restored(log, ++returns));
  }
  std::string restored(const std::string& what) const {
    return "INFO: Redis connection restored: " + proxy.address() + " (replayed " + what + ")";
  }
  std::string there(const std::string& key) { return server.raw("GET", "cascor:" + key).text; }
  void write(const std::string& key, const std::string& text) { server.raw("SET", "cascor:" + key, text); }
};

}  // namespace

TEST_CASE("a kept write takes the place of what this process has seen, and of nothing that others wrote meanwhile") {
  CutOff redis;
  CacheManager cache{redis.config()};
  for (const auto* key : {"own", "own, theirs now", "erased", "expiring"}) cache.set(key, 1, {.ttl = 1h});
  redis.write("read", "1");
  redis.write("read, theirs now", "1");
  CHECK(*cache.get("read") == 1);
  CHECK(*cache.get_many({"read, theirs now"})[0] == 1);
  redis.cut(cache);
  for (const auto* key :
       {"own", "own, theirs now", "erased", "read", "read, theirs now", "new", "new, theirs now", "gone"}) {
    CHECK(cache.set(key, "kept", {.ttl = 1h}).tier() == cascor::CacheTier::memory);
  }
  cache.erase("erased");
  cache.set("erased", "after", {.ttl = 1h});
  for (const auto* key : {"own, theirs now", "read, theirs now", "new, theirs now", "erased"}) redis.write(key, "2");
  redis.join();
  CHECK(redis.there("own") == "\"kept\"");
  CHECK(redis.there("read") == "\"kept\"");
  CHECK(redis.there("new") == "\"kept\"");
  CHECK(redis.there("gone") == "\"kept\"");
  CHECK(redis.there("erased") == "\"after\"");  // the removal concerned whatever was there
  CHECK(redis.there("own, theirs now") == "2");
  CHECK(redis.there("read, theirs now") == "2");
  CHECK(redis.there("new, theirs now") == "2");
  CHECK(*cache.get("own, theirs now") == 2);
  CHECK(eventually([&] { return redis.log.count("WARNING: 3 writes" + changed_line) == 1; }));
  CHECK(redis.log.count(redis.restored("5 writes, 0 invalidations")) == 1);
  const auto stats = cache.stats().fallback;
  CHECK(stats.losses == 1);
  CHECK(stats.pending == 0);
  CHECK(stats.replayed == 5);
  CHECK(stats.dropped.changed == 3);
  CHECK(stats.dropped.unknown + stats.dropped.no_room + stats.dropped.refused == 0);
  CHECK(json(cache.stats()).at("fallback").at("dropped").at("changed") == 3);
}

TEST_CASE("a value that a return has left in its place is one that this process has seen by the next") {
  CutOff redis;
  CacheManager cache{redis.config()};
  cache.set("k", 1, {.ttl = 1h});
  redis.cut(cache);
  cache.set("k", 2, {.ttl = 1h});
  redis.write("k", "3");
  redis.join();
  CHECK(redis.there("k") == "3");
  redis.cut(cache);
  cache.set("k", 4, {.ttl = 1h});
  redis.join();
  CHECK(redis.there("k") == "4");
  CHECK(cache.stats().fallback.dropped.changed == 1);
}

TEST_CASE("each value of this process's own is one that it may replace, also one whose answer was lost on the way") {
  CutOff redis;
  CacheManager cache{redis.config()};
  CHECK(cache.set("k", 1, {.ttl = 1h}));
  redis.proxy.set(Fault::mute());
  cache.with_deadline(300ms).set("k", 2, {.ttl = 1h});  // it arrives, and nobody says so
  REQUIRE(eventually([&] { return redis.there("k") == "2"; }));
  redis.cut(cache);
  cache.set("k", 3, {.ttl = 1h});
  SECTION("which is there still") {}
  SECTION("which Redis has lost, going back to the one before") { redis.write("k", "1"); }
  redis.join();
  CHECK(redis.there("k") == "3");
  CHECK(cache.stats().fallback.dropped.changed == 0);
}

TEST_CASE("a return that fails half-way does not take its own writes for another client's") {
  CutOff redis;
  CacheManager cache{redis.config()};
  cache.set("k", 1, {.ttl = 1h});
  redis.cut(cache);
  for (int i = 0; i < 1'000; ++i) cache.set("k" + std::to_string(i), std::string(1'000, 'x'), {.ttl = 1h});
  redis.proxy.choose([](std::size_t) { return Fault::cut(3'000); });  // some of the answers, on each connection
  redis.proxy.set(Fault::cut(3'000));
  REQUIRE(eventually([&] { return redis.server.raw("DBSIZE").integer > 1; }));
  for (int i = 0; i < 1'000; i += 2) cache.set("k" + std::to_string(i), "newer", {.ttl = 1h});
  redis.join();
  int newer = 0;
  for (int i = 0; i < 1'000; ++i) newer += redis.there("k" + std::to_string(i)) == "\"newer\"" ? 1 : 0;
  CHECK(newer == 500);
  CHECK(cache.stats().fallback.dropped.changed == 0);
  CHECK(cache.stats().fallback.replayed >= 1'000);
}

TEST_CASE("what has expired meanwhile is dropped, with the value that it replaced and not with another client's") {
  CutOff redis;
  const auto clock = std::make_shared<cascor::ManualClock>();
  auto config = redis.config();
  config.clock = clock;
  CacheManager cache{config};
  cache.set("own", 1, {.ttl = 10h});
  cache.set("theirs", 1, {.ttl = 10h});
  redis.cut(cache);
  for (const auto* key : {"own", "theirs", "new"}) cache.set(key, 2, {.ttl = 1s});
  redis.write("theirs", "3");
  clock->advance(2s);
  redis.join();
  CHECK(redis.there("own").empty());
  CHECK(redis.there("theirs") == "3");
  CHECK(redis.there("new").empty());
  CHECK(redis.log.count(redis.restored("0 writes, 0 invalidations")) == 1);
  CHECK(cache.stats().fallback.expired == 3);
}

TEST_CASE("of a key that it does not remember this process neither keeps an old value nor writes over a newer one") {
  CutOff redis;
  auto config = redis.config();
  config.max_memory_mb = 1;
  CacheManager cache{config};
  cache.set("first", 1, {.ttl = 1h});
  for (int i = 0; i < 5'000; ++i) redis.write("k" + std::to_string(i), "1");
  std::vector<std::string> many;
  for (int i = 0; i < 5'000; ++i) many.push_back("k" + std::to_string(i));
  CHECK(*cache.get_many(many)[4'999] == 1);
  redis.write("first", "2");  // not what this process wrote
  redis.cut(cache);
  cache.set("first", 3, {.ttl = 1h});
  cache.set("k4999", 3, {.ttl = 1h});
  redis.join();
  CHECK(redis.there("first").empty());
  CHECK(redis.there("k4999") == "3");
  CHECK(eventually([&] { return redis.log.count("WARNING: 1 write" + unknown_line) == 1; }));
  CHECK(cache.stats().fallback.dropped.unknown == 1);
}

TEST_CASE("a kept write takes the place of what a command of this process wrote under any of its keys") {
  CutOff redis;
  CacheManager cache{redis.config()};
  for (const auto* key : {"first", "second", "renamed", "target"}) cache.set(key, 1, {.ttl = 1h});
  CHECK(cache.command({"MSET", "cascor:first", "2", "cascor:second", "2"}).text == "OK");
  cache.set("renamed", 2, {.ttl = 1h});
  CHECK(cache.command({"rename", "cascor:renamed", "cascor:target"}).text == "OK");
  redis.cut(cache);
  for (const auto* key : {"first", "second", "target"}) cache.set(key, 3, {.ttl = 1h});
  redis.join();
  CHECK(redis.there("first") == "3");
  CHECK(redis.there("second") == "3");
  CHECK(redis.there("target").empty());  // what it is now was under another key: it is not remembered
  CHECK(cache.stats().fallback.dropped.changed == 0);
  CHECK(cache.stats().fallback.dropped.unknown == 1);
}

TEST_CASE("what a command changed to nobody knows what is not remembered either") {
  CutOff redis;
  CacheManager cache{redis.config()};
  cache.set("set", 1, {.ttl = 1h});
  cache.set("appended", 1, {.ttl = 1h});
  cache.set("read", 1, {.ttl = 1h});
  CHECK(cache.command({"SET", "cascor:set", "2"}).text == "OK");
  CHECK(cache.command({"APPEND", "cascor:appended", "2"}).integer == 2);
  CHECK(cache.command({"GET", "cascor:read"}).text == "1");
  redis.cut(cache);
  for (const auto* key : {"set", "appended", "read"}) cache.set(key, 3, {.ttl = 1h});
  redis.join();
  CHECK(redis.there("set") == "3");
  CHECK(redis.there("appended").empty());
  CHECK(redis.there("read") == "3");
  CHECK(cache.stats().fallback.dropped.unknown == 1);
}

TEST_CASE(
    "a value that memory cannot take while Redis is away is refused and waits for nothing; no older one stands for "
    "it") {
  CutOff redis;
  auto config = redis.config();
  config.max_memory_mb = 1;
  CacheManager cache{config};
  for (const auto* key : {"replaced", "kept", "conditional"}) REQUIRE(cache.set(key, 1, {.ttl = 1h}));
  redis.cut(cache);
  const std::string huge(2'000'000, 'x');
  CHECK(cache.set("kept", 2, {.ttl = 1h}).tier() == cascor::CacheTier::memory);
  CHECK(cache.set("conditional", 2, {.ttl = 1h}).tier() == cascor::CacheTier::memory);
  CHECK(cache.set("replaced", 2, {.ttl = 1h}).tier() == cascor::CacheTier::memory);
  for (const auto* key : {"replaced", "new", "conditional"}) {
    const auto only_if = key == std::string{"conditional"} ? cascor::OnlyIf::present : cascor::OnlyIf::always;
    const auto refused = cache.set(key, huge, {.ttl = 1h, .only_if = only_if});
    CHECK_FALSE(refused);
    CHECK(refused.tier() == cascor::CacheTier::none);
    CHECK(dynamic_cast<const cascor::DataError*>(refused.error()) != nullptr);
  }
  CHECK_FALSE(cache.get("replaced"));
  CHECK(*cache.get("conditional") == 2);
  CHECK(cache.stats().fallback.pending == 2);
  redis.join();
  CHECK(redis.there("replaced").empty());
  CHECK(redis.there("new").empty());
  CHECK(redis.there("kept") == "2");
  CHECK(redis.there("conditional") == "2");
  CHECK(cache.stats().fallback.dropped.no_room == 0);
  CHECK(cache.set("new", huge, {.ttl = 1h}));  // Redis takes it
}

TEST_CASE("a recorder's latest and a session are replayed over their own values, an increment over any") {
  CutOff redis;
  CacheManager cache{redis.config()};
  cascor::TrainingRecorder recorder{cache, "run-1"};
  recorder.epoch({{"epoch", 1}, {"loss", 0.5}});
  REQUIRE(recorder.flush(20s));
  const std::string id = cache.sessions().create("user", {{"theme", "dark"}});
  CHECK(cache.increment("n", 2) == 2);
  redis.cut(cache);
  redis.server.raw("INCRBY", "cascor:n", "10");
  recorder.epoch({{"epoch", 2}, {"loss", 0.25}});
  CHECK(cache.sessions().update(id, {{"theme", "light"}}) == false);  // not known here: it lives in Redis
  CHECK(cache.increment("n", 3) == 3);
  REQUIRE(eventually([&] { return cache.stats().fallback.pending >= 2; }));
  redis.join();
  REQUIRE(recorder.flush(20s));
  CHECK(json::parse(redis.there("metrics:latest")).at("epoch") == 2);
  CHECK(redis.there("n") == "15");
  const auto session = cache.sessions().get(id);
  REQUIRE(session);
  CHECK(session->data.at("theme") == "dark");
  CHECK(cache.stats().fallback.dropped.changed + cache.stats().fallback.dropped.unknown == 0);
}

TEST_CASE("what an account may not compare is stored where nothing is, and nowhere else: each return says so") {
  CutOff redis;
  const bool reads = GENERATE(true, false);
  redis.server.raw("ACL", "SETUSER", "plain", "on", "nopass", "~*", "&*", "+@all", "-eval", "-evalsha",
                   reads ? "+mget" : "-mget");
  CacheManager cache{redis.config("plain")};
  for (int round = 1; round <= 2; ++round) {
    for (const auto* key : {"own", "theirs"}) cache.set(key, 1, {.ttl = 1h});
    redis.server.raw("UNLINK", "cascor:new");
    redis.cut(cache);
    for (const auto* key : {"own", "theirs", "new"}) cache.set(key, 2, {.ttl = 1h});
    redis.write("theirs", "7");
    redis.join();
    CHECK(redis.there("own").empty());  // which may be older than what another client reads there by now
    CHECK(redis.there("theirs") == (reads ? "7" : ""));
    CHECK(redis.there("new") == "2");
    const std::string line = reads ? "WARNING: 1 change" : "WARNING: 2 changes";
    CHECK(eventually([&] {
      return redis.log.count(line + " that waited for Redis refused: NOPERM") == static_cast<std::size_t>(round);
    }));
  }
  const auto dropped = cache.stats().fallback.dropped;
  CHECK(dropped.refused == (reads ? 2 : 4));
  CHECK(dropped.changed == (reads ? 2 : 0));
  CHECK(cache.stats().fallback.replayed == 2);
}

TEST_CASE("what is no value of a cache's stays where a kept write would go, whatever the account may") {
  CutOff redis;
  const bool by_script = GENERATE(true, false);
  redis.server.raw("ACL", "SETUSER", "plain", "on", "nopass", "~*", "&*", "+@all", by_script ? "+eval" : "-eval");
  CacheManager cache{redis.config("plain")};
  cache.set("k", 1, {.ttl = 1h});
  redis.cut(cache);
  for (const auto* key : {"k", "new"}) {
    cache.set(key, 2, {.ttl = 1h});
    redis.server.raw("UNLINK", std::string{"cascor:"} + key);
    redis.server.raw("RPUSH", std::string{"cascor:"} + key, "an element");
  }
  redis.join();
  for (const auto* key : {"cascor:k", "cascor:new"}) CHECK(redis.server.raw("LLEN", key).integer == 1);
  CHECK(cache.stats().fallback.dropped.changed == 2);
}

TEST_CASE("ten thousand kept writes return in batches") {
  CutOff redis;
  CacheManager cache{redis.config()};
  std::vector<std::pair<std::string, int>> many;
  for (int i = 0; i < 10'000; ++i) many.emplace_back("k" + std::to_string(i), i);
  cache.set_many(many, {.ttl = 1h});
  redis.cut(cache);
  for (auto& [key, value] : many) value += 1;
  cache.set_many(many, {.ttl = 1h});
  const auto before = cache.stats().redis.batches;
  redis.join();
  CHECK(redis.log.count(redis.restored("10000 writes, 0 invalidations")) == 1);
  CHECK(cache.stats().redis.batches - before < 200);
  CHECK(redis.there("k9999") == "10000");
}

TEST_CASE("what was computed while Redis was away is not followed by the value before it, nor over another client's") {
  CutOff redis;
  CacheManager cache{redis.config()};
  for (const auto* key : {"k", "l"}) cache.set(key, 1, {.ttl = 1h});
  redis.cut(cache);
  for (const auto* key : {"k", "l"}) {
    CHECK(cache.get_or_compute(key, [] { return 2; }, {.ttl = 1h}) == 2);
  }
  redis.write("l", "3");
  redis.join();
  CHECK(*cache.get("k") == 2);
  CHECK(*cache.get("l") == 3);
}
