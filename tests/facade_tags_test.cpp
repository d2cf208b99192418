// Tags: what was stored with one goes with it, on each backend, and nothing else does; no key is looked at for it, and
// nothing of what has expired stays behind.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/distributed.hpp"
#include "support/redis_cluster.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheTier;
using cascor::SetOptions;

namespace {

const std::string run_42 = "cascor:tag:run-42";

SetOptions tagged(const std::string& tag, cascor::milliseconds ttl = 1h) {
  SetOptions options;
  options.ttl = ttl;
  options.tags = {tag};
  return options;
}

}  // namespace

TEMPLATE_TEST_CASE("invalidate_tag removes what carries the tag, and counts what was alive", "", OnMemory, OnRedisTcp,
                   OnRedisUnix, OnDistributed) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.invalidate_tag("run-42") == 0);
  CHECK(cache.set("a", 1, {.ttl = 1h, .tags = {"run-42"}}));
  CHECK(cache.set("b", std::vector<int>{1, 2}, {.ttl = cascor::no_expiry, .tags = {"run-42", "large", "run-42"}}));
  CHECK(cache.set("c", 3, {.ttl = 1h, .tags = {"run-43"}}));
  CHECK(cache.set("d", 4, {.ttl = 1h}));
  CHECK(cache.set("e", 5, {.ttl = 1h, .tags = {"run-42"}}));
  CHECK(cache.erase("e"));
  CHECK(*cache.get("a") == 1);
  CHECK(cache.invalidate_tag("run-42") == 2);
  CHECK_FALSE(cache.get("a"));
  CHECK_FALSE(cache.get("b"));
  CHECK(*cache.get("c") == 3);
  CHECK(*cache.get("d") == 4);
  CHECK(cache.invalidate_tag("run-42") == 0);
  CHECK(cache.invalidate_tag("large") == 0);
  CHECK(cache.set("a", 2, tagged("run-42")));
  CHECK(cache.invalidate_tag("run-42") == 1);
}

TEMPLATE_TEST_CASE("a value that was written later without the tag stays", "", OnMemory, OnRedisTcp, OnDistributed) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.set("k", 1, {.ttl = 1h, .tags = {"one", "two"}}));
  CHECK(cache.set("k", 2, tagged("two")));
  CHECK(cache.invalidate_tag("one") == 0);
  CHECK(*cache.get("k") == 2);
  CHECK(cache.set("k", 3, {.ttl = 1h}));
  CHECK(cache.invalidate_tag("two") == 0);
  CHECK(*cache.get("k") == 3);
  CHECK(cache.set("k", 4, tagged("one")));
  CHECK(cache.invalidate_tag("one") == 1);
}

TEMPLATE_TEST_CASE("many keys of one tag, stored one by one, at once and in the background", "", OnMemory, OnRedisTcp,
                   OnDistributed) {
  TestType backend;
  CacheManager cache{backend.config()};
  std::vector<std::pair<std::string, cascor::json>> entries;
  for (int i = 0; i < 1'500; ++i) entries.emplace_back("many" + std::to_string(i), i);
  for (const auto& one : cache.set_many(entries, tagged("run-42"))) REQUIRE(one);
  for (int i = 0; i < 1'000; ++i) {
    REQUIRE(cache.set("behind" + std::to_string(i), i, {.ttl = 1h, .tags = {"run-42"}, .background = true}));
  }
  CHECK(cache.set("other", 1));
  CHECK(cache.invalidate_tag("run-42") == 2'500);
  CHECK(cache.keys() == std::vector<std::string>{"cascor:other"});
}

TEMPLATE_TEST_CASE("a condition that does not hold tags nothing away; increment and touch keep the tag", "", OnMemory,
                   OnRedisTcp, OnDistributed) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.set("claimed", 1, {.ttl = 1h, .only_if = cascor::absent, .tags = {"run-42"}}));
  CHECK(cache.set("counter", 1, tagged("run-42")));
  CHECK(cache.increment("counter", 1, 1h) == 2);
  CHECK(cache.touch("counter", 30min));
  CHECK_FALSE(cache.set("claimed", 2, {.ttl = 1h, .only_if = cascor::absent}));
  CHECK_FALSE(cache.set("claimed", 2, {.ttl = 1h, .only_if = cascor::absent, .tags = {"run-43"}}));
  CHECK(cache.invalidate_tag("run-42") == 2);
}

TEMPLATE_TEST_CASE("a condition that holds takes the tags away that the value no longer has", "", OnMemory, OnRedisTcp,
                   OnDistributed) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.set("k", 1, tagged("run-42")));
  CHECK(cache.set("claimed", 1, tagged("run-42")));
  CHECK(cache.set("k", 2, {.ttl = 1h, .only_if = cascor::present}));
  CHECK(cache.erase("claimed"));
  CHECK(cache.set("claimed", 2, {.ttl = 1h, .only_if = cascor::absent, .tags = {"run-43"}}));
  CHECK(cache.invalidate_tag("run-42") == 0);
  CHECK(*cache.get("k") == 2);
  CHECK(*cache.get("claimed") == 2);
  CHECK(cache.invalidate_tag("run-43") == 1);
}

TEST_CASE("a write that Redis refuses leaves no value that its tag does not reach") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  CHECK(cache.set("k", 1, tagged("run-42")));
  backend.server.raw("CONFIG", "SET", "maxmemory", "1");
  CHECK_FALSE(cache.set("k", 2, tagged("run-43")));
  cache.invalidate_tag("run-42");
  CHECK(backend.server.raw("EXISTS", "cascor:k").integer == 0);
}

namespace {

// A value whose end is a write with a tag.
struct Farewell {
  Farewell() = default;
  Farewell(const Farewell&) = default;
  Farewell& operator=(const Farewell&) = default;
  ~Farewell() {
    if (CacheManager* const to = cache.exchange(nullptr)) to->set("farewell", 1, tagged("run-42"));
  }
  static inline std::atomic<CacheManager*> cache{nullptr};
};
void to_json(cascor::json& out, const Farewell&) { out = 1; }
void from_json(const cascor::json&, Farewell&) {}

}  // namespace

TEST_CASE("in memory, a value that ends while tags are looked after may use the cache") {
  OnMemory backend;
  auto config = backend.config();
  const auto clock = std::make_shared<cascor::ManualClock>();
  config.clock = clock;
  CacheManager cache{config};
  for (int round = 0; round < 20; ++round) {
    CHECK(cache.set("ends", Farewell{}, tagged("run-42", 1s)));
    CHECK(cache.set("stays", round, tagged("run-42")));
    CHECK(cache.get<Farewell>("ends"));
    clock->advance(2s);
    Farewell::cache = &cache;
    CHECK(cache.set("stays", round, tagged("run-42")));
    Farewell::cache = nullptr;
  }
  CHECK(cache.contains("farewell"));
}

TEMPLATE_TEST_CASE("a tag has a name of 1 to 1024 bytes, any bytes; its set is no key of the cache's", "", OnMemory,
                   OnRedisTcp, OnDistributed) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK_THROWS_AS(cache.set("k", 1, tagged("")), cascor::DataError);
  CHECK_THROWS_AS(cache.invalidate_tag(""), cascor::DataError);
  CHECK_THROWS_AS(cache.invalidate_tag(std::string(1'025, 't')), cascor::DataError);
  CHECK_FALSE(cache.contains("k"));
  const std::string odd("*[a]\0\r\n:", 8);
  CHECK(cache.set("k", 1, tagged(odd)));
  CHECK(cache.set("l", 1, tagged("*")));
  CHECK(cache.keys("*").size() == 2);
  CHECK(cache.invalidate_tag(odd) == 1);
  CHECK(cache.clear_all_cache() == 1);
  CHECK(cache.invalidate_tag("*") == 0);
}

TEST_CASE("in Redis a tag is a sorted set of keys by expiry, trimmed on use, that expires with its last key") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.set("long", 1, tagged("run-42", 2h)));
  server.raw("ZADD", run_42, "1", "cascor:expired");
  const auto now = std::stoll(server.raw("TIME").elements[0].text) * 1'000;
  const auto score = std::stoll(server.raw("ZSCORE", run_42, "cascor:long").text);
  CHECK(score > now + 7'100'000);
  CHECK(score <= now + 7'201'000);
  CHECK(server.raw("PTTL", run_42).integer > 7'000'000);
  CHECK(cache.set("another", 1, tagged("run-42", 1h)));
  CHECK(server.raw("ZRANGE", run_42, "0", "-1").elements.size() == 2);
  CHECK(server.raw("ZSCORE", run_42, "cascor:expired").is_nil());
  CHECK(server.raw("PTTL", run_42).integer > 7'000'000);

  CHECK(cache.set("lasting", 1, {.ttl = cascor::no_expiry, .tags = {"run-42"}}));
  CHECK(server.raw("ZSCORE", run_42, "cascor:lasting").text == "inf");
  CHECK(server.raw("PTTL", run_42).integer == -1);
  CHECK(cache.set("lasting", 1, tagged("run-42", 1h)));
  CHECK(server.raw("PTTL", run_42).integer > 7'000'000);
  CHECK(cache.set("lasting", 1));
  CHECK(server.raw("ZSCORE", run_42, "cascor:lasting").is_nil());

  CHECK(cache.touch("long", 5h));
  CHECK(server.raw("PTTL", run_42).integer > 17'000'000);
  CHECK(std::stoll(server.raw("ZSCORE", run_42, "cascor:long").text) > now + 17'000'000);
  CHECK(cache.set("soon", 1, tagged("soon", 30ms)));
  CHECK(eventually([&] { return server.raw("EXISTS", "cascor:tag:soon").integer == 0; }));
  CHECK(cache.invalidate_tag("run-42") == 2);
  CHECK(server.raw("EXISTS", run_42).integer == 0);
}

TEST_CASE("a write with tags is one round trip, and looks at no other key") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.set("warm", 1));
  const auto before = cache.stats().redis;
  CHECK(cache.set("k", 1, {.ttl = 1h, .tags = {"one", "two"}}));
  CHECK(cache.stats().redis.batches == before.batches + 1);
  CHECK(cache.set("k", 1, {.ttl = 1h}));  // and takes it out of both
  CHECK(cache.stats().redis.batches == before.batches + 2);
  CHECK(cache.set("k", 1, tagged("run-42")));
  CHECK(cache.invalidate_tag("run-42") == 1);
  CHECK(cache.stats().redis.batches == before.batches + 5);
  CHECK(server.info("cmdstat_scan").empty());
  CHECK(server.info("cmdstat_keys").empty());
}

TEST_CASE("what another process wrote under a tag goes too; what is none of the cache's keys does not") {
  RedisServer server;
  CapturedLog log;
  CacheManager one{config_for(server, log)};
  CacheManager other{config_for(server, log)};
  CHECK(one.set("k", 1, tagged("run-42")));
  CHECK(other.set("l", 1, tagged("run-42")));
  server.raw("SET", "someone:else", "theirs");
  server.raw("SET", "cascor:runs", "durable");
  server.raw("ZADD", run_42, "inf", "someone:else", "inf", "cascor:runs");
  CHECK(one.invalidate_tag("run-42") == 2);
  CHECK(server.raw("EXISTS", "someone:else", "cascor:runs").integer == 2);
  CHECK(server.raw("EXISTS", run_42).integer == 0);
}

TEST_CASE("on a cluster, where one step cannot have keys of several nodes, it takes several", "[cluster]") {
  const RedisCluster& cluster = shared_cluster();
  CacheManager cache = CacheManager::from_url(cluster.url());
  std::vector<std::pair<std::string, cascor::json>> entries;
  for (int i = 0; i < 1'200; ++i) entries.emplace_back("k" + std::to_string(i), i);
  for (const auto& one : cache.set_many(entries, tagged("run-42"))) REQUIRE(one);
  CHECK(cache.set("other", 1, {.ttl = 1h, .tags = {"run-43"}, .background = true}));
  CHECK(cache.invalidate_tag("run-42") == 1'200);
  CHECK(cache.keys() == std::vector<std::string>{"cascor:other"});
  CHECK(cache.command({"EXISTS", run_42}).integer == 0);
  CHECK(cache.invalidate_tag("run-43") == 1);
}

TEST_CASE("a tag that Redis refuses is no write") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  server.raw("SET", run_42, "a string");
  const auto stored = cache.set("k", 1, tagged("run-42"));
  CHECK_FALSE(stored);
  REQUIRE(stored.error() != nullptr);
  CHECK(stored.error()->code() == cascor::ErrorCode::response);
  CHECK_FALSE(cache.get("k"));
  CHECK(cache.invalidate_tag("run-42") == 0);
  CHECK(log.count("WARNING: Invalidation failed: ") == 1);
}

TEST_CASE("while Redis is away tags work on memory, and on its return what had the tag there is gone") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.set("before", 1, tagged("run-42")));
  CHECK(cache.set("rewritten", 1, tagged("run-42")));
  CHECK(cache.set("untagged", 1, {.ttl = 1h}));
  server.raw("SAVE");
  server.kill();
  CHECK_FALSE(cache.set("meanwhile", 1, tagged("run-42")));
  CHECK_FALSE(cache.set("kept", 1, tagged("run-43")));
  CHECK(cache.invalidate_tag("run-42") == 1);
  CHECK_FALSE(cache.get("meanwhile"));
  CHECK_FALSE(cache.set("rewritten", 2, tagged("run-42")));
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(log.lines().back() ==
        "INFO: Redis connection restored: " + server.address() + " (replayed 2 writes, 2 invalidations)");
  CHECK_FALSE(cache.get("before"));
  CHECK_FALSE(cache.get("meanwhile"));
  CHECK(*cache.get("untagged") == 1);
  CHECK(*cache.get("rewritten") == 2);
  CHECK(server.raw("ZRANGE", run_42, "0", "-1").elements.size() == 1);
  CHECK(cache.invalidate_tag("run-42") == 1);
  CHECK(cache.invalidate_tag("run-43") == 1);
}

TEST_CASE("a server that stands still: queued values of the tag go at once here, and there in their turn") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CHECK(cache.set("k", 0, tagged("run-42")));
  server.pause();
  CHECK(cache.set("k", 1, {.ttl = 1h, .tags = {"run-42"}, .background = true}));
  CHECK(cache.set("l", 1, {.ttl = 1h, .tags = {"run-43"}, .background = true}));
  CHECK(cache.with_deadline(50ms).invalidate_tag("run-42") == 1);
  CHECK_FALSE(cache.contains("k"));
  CHECK(*cache.get("l") == 1);
  server.resume();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("EXISTS", "cascor:k").integer == 0);
  CHECK(cache.invalidate_tag("run-43") == 1);
}

TEST_CASE("in memory a tag costs nothing once its values are gone, and its values weigh what it costs") {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.max_memory_mb = 1;
  config.log_sink = CapturedLog{}.sink();
  CacheManager cache{config};
  CHECK(cache.set("plain", 1));
  const auto plain = cache.stats().bytes;
  CHECK(cache.set("tagged-1", 1, tagged("a tag")));
  CHECK(cache.stats().bytes - plain > plain + 150);
  for (int i = 0; i < 100'000; ++i) cache.set("k" + std::to_string(i), i, tagged("run-" + std::to_string(i / 10)));
  CHECK(cache.stats().bytes <= 1 << 20);
  CHECK(cache.invalidate_tag("run-9999") == 10);
  CHECK(cache.invalidate_tag("run-0") == 0);  // all evicted
}
