// The same contract for keys and patterns: which entry is meant, what goes, how many, and what never does.
#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/core/glob.hpp"
#include "support/backends.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::DataError;
using cascor::json;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnRedisUnix

TEMPLATE_TEST_CASE("a key may be written short or in full", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.cache_metrics("latest", 1, 1h);
  for (const auto* key : {"latest", "cascor:metrics:latest"}) CHECK(*cache.get_cached_metrics(key) == 1);
  for (const auto* key : {"metrics:latest", "cascor:metrics:latest"}) CHECK(*cache.get(key) == 1);
  cache.cache_metrics("cascor:metrics:latest", 2, 1h);
  CHECK(*cache.get_cached_metrics() == 2);
  cache.set("cascor:k", 3);
  CHECK(*cache.get("k") == 3);
  CHECK(cache.erase("k"));
  CHECK_FALSE(cache.contains("cascor:k"));
  cache.cache_metrics("metrics:odd", 4, 1h);  // not the prefix: a name like any other
  CHECK(*cache.get("cascor:metrics:metrics:odd") == 4);
}

TEMPLATE_TEST_CASE("prefixes and namespace are the configuration's", "", EVERY_BACKEND) {
  TestType backend;
  auto config = backend.config();
  config.key_namespace = "lab[1]:";
  config.key_prefixes.metrics = "lab[1]:m/";
  CacheManager cache{config};
  CacheManager other{backend.config()};
  other.set("kept", 1);
  cache.cache_metrics("a", 1, 1h);
  cache.cache_topology("b", 2, 1h);
  cache.set("c", 3);
  CHECK(*cache.get("lab[1]:m/a") == 1);
  CHECK(*cache.get("lab[1]:topology:b") == 2);
  CHECK(cache.invalidate_cache("lab[1]:m/*") == 1);
  CHECK(cache.invalidate_cache("topology:?") == 1);
  CHECK(cache.clear_all_cache() == 1);
  CHECK(other.contains("kept"));
  if constexpr (!TestType::remote) CHECK_FALSE(cache.contains("kept"));
}

TEMPLATE_TEST_CASE("an empty key, or one that is too long, is a DataError to every call", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (const std::string& key : {std::string{}, std::string{"cascor:"}, std::string(1'025, 'k')}) {
    CAPTURE(key.size());
    CHECK_THROWS_AS(cache.set(key, 1), DataError);
    CHECK_THROWS_AS(cache.get(key), DataError);
    CHECK_THROWS_AS(cache.erase(key), DataError);
    CHECK_THROWS_AS(cache.contains(key), DataError);
    CHECK_THROWS_AS(cache.get_many({"fine", std::string_view{key}}), DataError);
    CHECK_THROWS_AS(cache.set_many({{"fine", 1}, {std::string_view{key}, 2}}), DataError);
  }
  CHECK_FALSE(cache.contains("fine"));
  CHECK_THROWS_AS(cache.cache_metrics("", 1), DataError);
  CHECK_THROWS_AS(cache.cache_metrics("cascor:metrics:", 1), DataError);
  CHECK_THROWS_AS(cache.get_cached_topology(""), DataError);
  CHECK_THROWS_AS(cache.invalidate_cache(""), DataError);
  const std::string longest(1'024, 'k');
  CHECK(cache.set(longest, 1));
  CHECK(*cache.get(longest) == 1);
  CHECK(cache.erase(longest));
}

TEMPLATE_TEST_CASE("a key is bytes: none of them means anything", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const std::vector<std::string> keys{"*",          "?",           "[abc]",  "a\\*b",
                                      "with space", "line\r\nend", "%s%n%d", std::string{"nul\0inside", 10},
                                      "\xff\xfe",   "\u00e9poque", "-",      "$6\r\nFLUSHALL"};
  for (std::size_t i = 0; i < keys.size(); ++i) REQUIRE(cache.set(keys[i], i));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CAPTURE(keys[i]);
    CHECK(*cache.get(keys[i]) == i);
    CHECK(cache.contains(keys[i]));
  }
  CHECK(cache.erase("*"));
  CHECK_FALSE(cache.erase("*"));
  CHECK(cache.contains("[abc]"));
  CHECK(cache.invalidate_cache("[[]abc]") == 1);
  CHECK(cache.invalidate_cache(cascor::glob_escape("a\\*b")) == 1);
  CHECK(cache.invalidate_cache("line??end") == 1);
  CHECK(cache.invalidate_cache("\xff?") == 1);
  CHECK(cache.clear_all_cache() == keys.size() - 5);
}

TEMPLATE_TEST_CASE("the library's own keys are not for set or erase, nor for patterns", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (const std::string key : {"run:1:history", "runs", "lock:{a}", "tag:b", "cascor:run:1", "cascor:runs"}) {
    CAPTURE(key);
    CHECK_THROWS_AS(cache.set(key, 1), DataError);
    CHECK_THROWS_AS(cache.set_many({{std::string_view{key}, 1}}), DataError);
    CHECK_THROWS_AS(cache.erase(key), DataError);
    CHECK_FALSE(cache.get(key));
    CHECK_FALSE(cache.contains(key));
  }
  CHECK(cache.set("runs2", 1));
  CHECK(cache.set("running:1", 1));
  CHECK(cache.set("tags", 1));
  CHECK(cache.clear_all_cache() == 3);
}

TEMPLATE_TEST_CASE("erase and contains speak of live entries", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK_FALSE(cache.contains("k"));
  CHECK_FALSE(cache.erase("k"));
  cache.set("k", nullptr);
  CHECK(cache.contains("k"));
  CHECK(cache.erase("k"));
  CHECK_FALSE(cache.erase("k"));
  CHECK_FALSE(cache.get("k"));
}

TEMPLATE_TEST_CASE("invalidate_cache takes what the pattern matches, and counts it", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (int i = 0; i < 120; ++i) cache.cache_metrics("epoch_" + std::to_string(i), i, 1h);
  cache.cache_metrics("latest", 1, 1h);
  cache.cache_topology("epoch_5", 1, 1h);
  cache.set("session:a", 1);
  CHECK(cache.invalidate_cache("cascor:metrics:epoch_1?") == 10);
  CHECK(cache.invalidate_cache("metrics:epoch_1[0-4]?") == 20);
  CHECK(cache.invalidate_cache("cascor:metrics:epoch_[^2]") == 9);
  CHECK(cache.invalidate_cache("epoch_*") == 0);
  CHECK(cache.invalidate_cache("metrics:nothing") == 0);
  CHECK(cache.invalidate_cache("metrics:latest") == 1);
  CHECK(cache.invalidate_cache("metrics:*") == 120 - 10 - 20 - 9);
  CHECK(cache.invalidate_cache("session:*") == 1);
  CHECK(*cache.get_cached_topology("epoch_5") == 1);
  CHECK(cache.invalidate_cache("*") == 1);
}

TEMPLATE_TEST_CASE("get_many answers in the order asked, set_many in the order given", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto stored = cache.set_many({{"a", 1}, {"metrics:b", {{"epoch", 2}}}, {"c", "three"}, {"a", 4}}, {.ttl = 1h});
  REQUIRE(stored.size() == 4);
  for (const auto& result : stored) CHECK(result);
  const auto found = cache.get_many({"c", "nothing", "a", "cascor:metrics:b", "a"});
  REQUIRE(found.size() == 5);
  CHECK(*found[0] == "three");
  CHECK(found[1].status() == CacheStatus::miss);
  CHECK(*found[2] == 4);  // the last one given
  CHECK(found[3]->at("epoch") == 2);
  CHECK(*found[4] == 4);

  const std::map<std::string, int> numbers{{"x", 1}, {"y", 2}};
  CHECK(cache.set_many(numbers).size() == 2);
  const std::vector<std::pair<std::string, std::vector<double>>> lists{{"l", {1.5}}, {"m", {}}};
  CHECK(cache.set_many(lists).size() == 2);
  const std::vector<std::string> names{"y", "x"};
  const auto typed = cache.get_many<int>(names);
  CHECK(*typed[0] == 2);
  CHECK(*typed[1] == 1);
  const auto mixed = cache.get_many<int>({"x", "c"});
  CHECK(*mixed[0] == 1);
  CHECK(mixed[1].status() == CacheStatus::error);
  CHECK(cache.get_many(std::vector<std::string>{}).empty());
  CHECK(cache.set_many(std::map<std::string, int>{}).empty());
}

// Any sequence of calls has the same answers on memory as on Redis.
namespace {

class Calls {
 public:
  explicit Calls(unsigned seed) : random_{seed} {}

  /// The next call, made on both; its answer as text.
  template <class One, class Other>
  std::pair<std::string, std::string> next(One& one, Other& other) {
    const auto kind = draw(9);
    const auto key = this->key();
    const auto value = this->value();
    const auto pattern = this->pattern();
    const auto another = this->key();
    const auto call = [&](auto& cache) -> std::string {
      switch (kind) {
        case 0:
        case 1: return "set " + key + (cache.set(key, value, {.ttl = 1h}) ? " true" : " false");
        case 2: return "set typed " + key + (cache.set(key, std::vector<int>{1, 2}) ? " true" : " false");
        case 3: return "get " + key + ' ' + shown(cache.get(key));
        case 4: return "get int " + key + ' ' + shown(cache.template get<int>(key));
        case 5: return "get list " + key + ' ' + shown(cache.template get<std::vector<int>>(key));
        case 6: return "erase " + key + (cache.erase(key) ? " true" : " false");
        case 7: return "invalidate " + pattern + ' ' + std::to_string(cache.invalidate_cache(pattern));
        case 8: return "contains " + key + (cache.contains(key) ? " true" : " false");
        default: break;
      }
      std::string all = "get_many ";
      for (const auto& result : cache.get_many({std::string_view{key}, std::string_view{another}}))
        all += shown(result) + ' ';
      return all;
    };
    return {call(one), call(other)};
  }

 private:
  std::size_t draw(std::size_t most) { return std::uniform_int_distribution<std::size_t>{0, most}(random_); }
  std::string key() {
    static const std::vector<std::string> keys{"a",         "b",          "ab",        "a*",  "[a]",
                                               "metrics:a", "metrics:ab", "session:a", "\xff"};
    return keys[draw(keys.size() - 1)];
  }
  std::string pattern() {
    static const std::vector<std::string> patterns{"a",         "a?",  "[ab]",  "*b",  "metrics:*",
                                                   "cascor:*a", "\\a", "[^b]*", "\xff"};
    return patterns[draw(patterns.size() - 1)];
  }
  json value() {
    static const std::vector<json> values{1,
                                          -1,
                                          2.5,
                                          3.0,
                                          "text",
                                          nullptr,
                                          json::array({1, 2}),
                                          {{"k", "v"}},
                                          true,
                                          std::numeric_limits<double>::infinity()};
    return values[draw(values.size() - 1)];
  }
  template <class T>
  static std::string shown(const cascor::CacheResult<T>& result) {
    if (result) return json(*result).dump();
    return std::string{to_string(result.status())} + (result.error() ? std::string{" "} + result.error()->what() : "");
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("any sequence of calls has the same answers on memory as on Redis") {
  OnMemory memory;
  OnRedisTcp redis;
  CacheManager one{memory.config()};
  CacheManager other{redis.config()};
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  Calls calls{seed};
  std::string before;
  for (int i = 0; i < 5'000; ++i) {
    const auto [on_memory, on_redis] = calls.next(one, other);
    INFO("after " << before);
    REQUIRE(on_memory == on_redis);
    before = on_memory;
  }
}

TEST_CASE("nothing of another application in the same database is read, written or removed") {
  OnRedisTcp backend;
  auto& server = backend.server;
  CacheManager cache{backend.config()};
  const std::vector<std::string> others{"someone:else",         "cascor",      "cascor2:metrics:a", "metrics:a",
                                        "cascor:run:1:history", "cascor:runs", "cascor:lock:{a}",   "cascor:tag:b"};
  for (const auto& key : others) server.raw("SET", key, "theirs");
  server.raw("SELECT", "1");
  server.raw("SET", "cascor:metrics:a", "another database");
  cache.cache_metrics("a", 1, 1h);
  CHECK(cache.invalidate_cache("*") == 1);
  CHECK(cache.invalidate_cache("cascor:*") == 0);
  CHECK(cache.invalidate_cache("run:*") == 0);
  CHECK(cache.invalidate_cache("cascor:runs") == 0);
  CHECK(cache.clear_all_cache() == 0);
  CHECK(server.raw("EXISTS", "cascor:metrics:a").integer == 1);
  server.raw("SELECT", "0");
  for (const auto& key : others) CHECK(server.raw("GET", key).text == "theirs");
}

TEST_CASE("what another program writes as JSON text reads as if this one had") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  backend.server.raw("SET", "cascor:metrics:latest", R"(  {"epoch" : 6, "loss": 1e-3}  )");
  CHECK(cache.get_cached_metrics()->at("epoch") == 6);
  CHECK(cache.get_cached_metrics().ttl() == std::nullopt);
  for (const auto* text : {"{not json", "", "\x80\x04pickle", "{\"a\":1} trailing", "[1,"}) {
    CAPTURE(text);
    backend.server.raw("SET", "cascor:bad", text);
    CHECK(cache.get("bad").status() == CacheStatus::error);
    CHECK(cache.contains("bad"));
  }
  backend.server.raw("SET", "cascor:deep", std::string(100'000, '['));
  CHECK(cache.get("deep").status() == CacheStatus::error);
  backend.server.raw("DEL", "cascor:bad");
  backend.server.raw("RPUSH", "cascor:bad", "x");
  const auto wrong = cache.get("bad");
  CHECK(wrong.status() == CacheStatus::error);
  CHECK(wrong.error()->code() == cascor::ErrorCode::response);
  CHECK_THAT(wrong.error()->what(), Catch::StartsWith("WRONGTYPE"));
}

TEST_CASE("what is cached stands in Redis as its JSON text and nothing else, expiring by the millisecond") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  cache.cache_metrics("epoch_5", {{"loss", 0.25}, {"epoch", 5}}, 90'500ms);
  CHECK(backend.server.raw("GET", "cascor:metrics:epoch_5").text == R"({"epoch":5,"loss":0.25})");
  const auto left = backend.server.raw("PTTL", "cascor:metrics:epoch_5").integer;
  CHECK(left <= 90'500);
  CHECK(left > 80'000);
}
