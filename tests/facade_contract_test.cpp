// One contract, every backend: what goes in comes out, the same on memory and on Redis, over TCP and a Unix socket.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/backends.hpp"
#include "support/tls_backend.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::DataError;
using cascor::json;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnRedisUnix, OnRedisTls

struct TrainingMetrics {
  int epoch = 0;
  double loss = 0;
  std::vector<double> rates;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingMetrics, epoch, loss, rates)

TEMPLATE_TEST_CASE("what is cached is read back, under its name or as the latest", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.get_cached_metrics().status() == CacheStatus::miss);

  CHECK(cache.cache_metrics("epoch_5", {{"epoch", 5}, {"loss", 0.25}}, 1h));
  CHECK(cache.cache_metrics({{"epoch", 6}}));
  CHECK(cache.cache_topology("wide", {{"hidden_units", 3}}, 1h));
  CHECK(cache.cache_topology({{"hidden_units", 4}}));
  CHECK(cache.cache_history("full", json::array({1, 2, 3})));
  CHECK(cache.cache_history(json::array({4})));

  CHECK(*cache.get_cached_metrics("epoch_5") == json{{"epoch", 5}, {"loss", 0.25}});
  CHECK(cache.get_cached_metrics()->at("epoch") == 6);
  CHECK(cache.get_cached_topology("wide")->at("hidden_units") == 3);
  CHECK(cache.get_cached_topology()->at("hidden_units") == 4);
  CHECK(*cache.get_cached_history("full") == json::array({1, 2, 3}));
  CHECK(*cache.get_cached_history() == json::array({4}));
}

TEMPLATE_TEST_CASE("a read says how it went and where the value came from", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto missing = cache.get("nothing");
  CHECK_FALSE(missing);
  CHECK_FALSE(missing.has_value());
  CHECK(missing.status() == CacheStatus::miss);
  CHECK(to_string(missing.status()) == "MISS");
  CHECK(missing.tier() == cascor::CacheTier::none);
  CHECK(missing.error() == nullptr);
  CHECK(missing.share() == nullptr);
  CHECK_THROWS_AS(missing.value(), std::bad_optional_access);
  CHECK_THROWS_AS(*missing, std::bad_optional_access);
  CHECK_THROWS_AS(missing->size(), std::bad_optional_access);
  CHECK(missing.value_or(7) == 7);

  const auto stored = cache.set("there", 1, {.ttl = 1h});
  CHECK(stored);
  CHECK(stored.error() == nullptr);
  CHECK(stored.tier() == TestType::tier);
  const auto found = cache.get("there");
  CHECK(found);
  CHECK(found.status() == CacheStatus::hit);
  CHECK(to_string(found.status()) == "HIT");
  CHECK(found.tier() == TestType::tier);
  CHECK(found.error() == nullptr);
  CHECK(found.value() == 1);
  CHECK(found.value_or(7) == 1);
}

TEMPLATE_TEST_CASE("a value outlives its entry as long as somebody holds it", "", EVERY_BACKEND) {
  TestType backend;
  std::shared_ptr<const json> kept;
  {
    CacheManager cache{backend.config()};
    cache.set("k", {{"a", "b"}});
    const auto result = cache.get("k");
    const auto copy = result;
    kept = copy.share();
    CHECK(result.share() == kept);
    cache.erase("k");
    cache.set("k", "another");
    CHECK(result->at("a") == "b");
  }
  CHECK(kept->at("a") == "b");
}

TEMPLATE_TEST_CASE("every kind of JSON value comes back as its own text would", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const std::vector<json> values{
      nullptr,
      true,
      false,
      0,
      -1,
      std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::uint64_t>::max(),
      0.1,
      -0.0,
      1e300,
      5e-324,
      std::numeric_limits<double>::max(),
      "",
      "plain",
      "spirale \u00e0 deux \U0001F300",
      std::string{"nul \0 inside", 12},
      "quotes \" and \\ and \n",
      json::array(),
      json::object(),
      {{"nested", {{"deep", json::array({1, 2.5, nullptr, "x"})}}}},
      {{"", "empty name"}, {"a b\"c", 1}},
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(values[i]);
    const std::string key = "value_" + std::to_string(i);
    REQUIRE(cache.set(key, values[i]));
    const auto found = cache.get(key);
    REQUIRE(found);
    CHECK(*found == json::parse(values[i].dump()));
    CHECK(found->dump() == values[i].dump());
    CHECK(found->type() == json::parse(values[i].dump()).type());
  }
}

TEMPLATE_TEST_CASE("the loss of a diverging run is null, in a tree, in a type and alone", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  cache.cache_metrics("tree", {{"loss", nan}, {"all", {infinity, -infinity, 1.0}}}, 1h);
  CHECK(*cache.get_cached_metrics("tree") == json{{"loss", nullptr}, {"all", {nullptr, nullptr, 1.0}}});
  cache.cache_metrics("typed", TrainingMetrics{1, infinity, {nan}}, 1h);
  CHECK(*cache.get_cached_metrics("typed") == json{{"epoch", 1}, {"loss", nullptr}, {"rates", {nullptr}}});
  cache.set("alone", nan);
  CHECK(cache.get("alone")->is_null());
}

TEMPLATE_TEST_CASE("what is not UTF-8 is a DataError, and what was there stays", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("k", "before");
  const std::string bad = GENERATE(std::string{"\xff"}, std::string{"a\xc3"}, std::string{"\xed\xa0\x80"});
  CHECK_THROWS_AS(cache.set("k", bad), DataError);
  CHECK_THROWS_AS(cache.set("k", json{{"deep", {bad}}}), DataError);
  CHECK_THROWS_AS(cache.set("k", json{{bad, 1}}), DataError);
  CHECK_THROWS_AS(cache.cache_metrics("m", {{"name", bad}}), DataError);
  CHECK_THROWS_AS(cache.cache_metrics("m", std::vector<std::string>{bad}), DataError);
  CHECK_THROWS_AS(cache.set_many({{"k", "after"}, {"l", bad}}), DataError);
  CHECK(*cache.get("k") == "before");
  CHECK_FALSE(cache.contains("l"));
  CHECK_FALSE(cache.get_cached_metrics("m"));
}

TEMPLATE_TEST_CASE("values deeper than the stack takes are refused, going in", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  json deep = 1;
  for (int i = 0; i < 600; ++i) deep = json::array({std::move(deep)});
  CHECK_THROWS_AS(cache.set("deep", deep), DataError);
  CHECK_FALSE(cache.contains("deep"));
}

TEMPLATE_TEST_CASE("a type of the application's goes in and comes out", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.cache_metrics("epoch_6", TrainingMetrics{6, 0.125, {0.1, 0.2}}, 1h));
  CHECK(cache.cache_topology(TrainingMetrics{7, 0, {}}));
  CHECK(cache.cache_history("h", std::vector<TrainingMetrics>{{1, 1, {}}, {2, 0.5, {}}}));
  const auto typed = cache.get_cached_metrics<TrainingMetrics>("epoch_6");
  REQUIRE(typed);
  CHECK(typed->epoch == 6);
  CHECK(typed->loss == 0.125);
  CHECK(typed->rates == std::vector{0.1, 0.2});
  CHECK(cache.get_cached_topology<TrainingMetrics>()->epoch == 7);
  CHECK(cache.get_cached_history<std::vector<TrainingMetrics>>("h")->at(1).epoch == 2);
  CHECK(cache.get_cached_metrics<TrainingMetrics>("nothing").value_or(TrainingMetrics{-1, 0, {}}).epoch == -1);

  CHECK(cache.set("text", std::string{"abc"}));
  CHECK(cache.set("literal", "abc"));
  CHECK(cache.set("map", std::map<std::string, int>{{"a", 1}}));
  CHECK(cache.set("flag", true));
  CHECK(*cache.get<std::string>("text") == "abc");
  CHECK(*cache.get<std::string>("literal") == "abc");
  CHECK(cache.get<std::map<std::string, int>>("map")->at("a") == 1);
  CHECK(*cache.get<bool>("flag"));
}

TEMPLATE_TEST_CASE("what is stored as one type reads as any other that its text decodes to", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("typed", TrainingMetrics{6, 0.5, {}});
  for (int round = 0; round < 2; ++round) {  // the second one may find decoded forms
    CHECK(cache.get("typed")->at("loss") == 0.5);
    CHECK(cache.get<TrainingMetrics>("typed")->loss == 0.5);
    CHECK(cache.get<std::map<std::string, json>>("typed")->size() == 3);
  }
  cache.set("tree", {{"epoch", 1}, {"loss", 2}, {"rates", json::array()}});
  for (int round = 0; round < 2; ++round) {
    CHECK(cache.get<TrainingMetrics>("tree")->loss == 2.0);
    CHECK(cache.get("tree")->at("loss").is_number_unsigned());
  }
  cache.set("number", 300);
  CHECK(*cache.get<double>("number") == 300.0);
  CHECK(*cache.get<int>("number") == 300);
  CHECK(*cache.get<unsigned>("number") == 300U);
}

TEMPLATE_TEST_CASE("a NaN that is read as a number is an error that tells what has become of it", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  REQUIRE(cache.set("loss", std::numeric_limits<double>::quiet_NaN()));
  REQUIRE(cache.set("run", {{"epoch", 3}, {"loss", std::numeric_limits<double>::infinity()}}));
  const auto loss = cache.get<double>("loss");
  const auto run = cache.get<std::map<std::string, double>>("run");
  CHECK(loss.status() == CacheStatus::error);
  CHECK(run.status() == CacheStatus::error);
  for (const auto* error : {loss.error(), run.error()}) {
    CHECK_THAT(error->what(), Catch::Contains("must be number, but is null"));
    CHECK_THAT(error->hint(), Catch::StartsWith("A NaN or an infinity was written: JSON has neither, so null stands") &&
                                  Catch::Contains("Test is_null()"));
  }
  CHECK(cache.get("loss")->is_null());
  CHECK(cache.get<std::string>("loss").error()->hint() == "Read it as the type it was written as, or erase it.");
}

TEMPLATE_TEST_CASE("what does not decode is an error result, and the entry stays", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("text", "not metrics");
  const auto wrong = cache.get<TrainingMetrics>("text");
  CHECK_FALSE(wrong);
  CHECK(wrong.status() == CacheStatus::error);
  REQUIRE(wrong.error() != nullptr);
  CHECK(wrong.error()->code() == cascor::ErrorCode::data);
  CHECK_THAT(wrong.error()->what(), Catch::StartsWith("the value under cascor:text does not decode: "));
  CHECK_FALSE(wrong.error()->hint().empty());
  CHECK_THROWS_AS(wrong.error()->raise(), DataError);
  CHECK_THROWS_AS(*wrong, std::bad_optional_access);
  CHECK(cache.contains("text"));
  CHECK(*cache.get<std::string>("text") == "not metrics");
}

TEMPLATE_TEST_CASE("a session's id is in no error", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("session:s3cr3t-id", "text");
  const auto wrong = cache.get<TrainingMetrics>("session:s3cr3t-id");
  REQUIRE(wrong.error() != nullptr);
  CHECK_THAT(wrong.error()->what(), Catch::Contains("cascor:session:***") && !Catch::Contains("s3cr3t"));
  try {
    cache.set("session:s3cr3t-id", json{"\xff"});
    FAIL("not refused");
  } catch (const DataError& error) {
    CHECK_THAT(error.what(), !Catch::Contains("s3cr3t"));
  }
}

TEMPLATE_TEST_CASE("a prefix decides how long a value lives, unless the call does", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto lives = [&](const std::string& key, std::optional<cascor::milliseconds> expected) {
    CAPTURE(key);
    const auto ttl = backend.ttl_of(cache, key);
    REQUIRE(ttl.has_value() == expected.has_value());
    if (!ttl) return;
    CHECK(*ttl <= *expected);
    CHECK(*ttl >= *expected - TestType::slack);
  };
  cache.cache_metrics("a", 1);
  lives("cascor:metrics:a", 1s);
  cache.set("metrics:b", 1);
  lives("cascor:metrics:b", 1s);
  cache.cache_topology("a", 1);
  lives("cascor:topology:a", 5s);
  cache.cache_history("a", 1);
  lives("cascor:history:a", 60s);
  cache.set("session:a", 1);
  lives("cascor:session:a", 24h);
  cache.set("control:a", 1);
  lives("cascor:control:a", 5s);
  cache.set("other", 1);
  lives("cascor:other", 1h);
  cache.cache_metrics("long", 1, 10min);
  lives("cascor:metrics:long", 10min);
  cache.cache_metrics("for ever", 1, cascor::no_expiry);
  lives("cascor:metrics:for ever", std::nullopt);
  cache.set("brief", 1, {.ttl = 3'600'000'500us});
  lives("cascor:brief", 3'600'001ms);
  cache.set_many({{"many_1", 1}, {"many_2", 2}}, {.ttl = 2min});
  lives("cascor:many_1", 2min);
  lives("cascor:many_2", 2min);
  cache.set_many({{"metrics:many", 1}});
  lives("cascor:metrics:many", 1s);
}

TEMPLATE_TEST_CASE("TTLs of the configuration are those of its prefixes", "", EVERY_BACKEND) {
  TestType backend;
  auto config = backend.config();
  config.ttl = 30min;
  config.prefix_ttl.metrics = 90s;
  config.prefix_ttl.topology = cascor::no_expiry;
  CacheManager cache{config};
  cache.cache_metrics("a", 1);
  cache.cache_topology("a", 1);
  cache.set("a", 1);
  CHECK(backend.ttl_of(cache, "cascor:metrics:a") > 80s);
  CHECK_FALSE(backend.ttl_of(cache, "cascor:topology:a"));
  CHECK(backend.ttl_of(cache, "cascor:a") > 25min);
}

TEMPLATE_TEST_CASE("a TTL that cannot be is a DataError, and what was there stays", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager cache{backend.config()};
  cache.set("k", "before");
  CHECK_THROWS_AS(cache.set("k", 1, {.ttl = -1ms}), DataError);
  CHECK_THROWS_AS(cache.set("k", 1, {.ttl = -1h}), DataError);
  CHECK_THROWS_AS(cache.set("k", 1, {.ttl = std::chrono::hours::max()}), DataError);
  CHECK_THROWS_AS(cache.set("k", 1, {.ttl = std::chrono::duration<double>{std::nan("")}}), DataError);
  CHECK_THROWS_AS(cache.cache_metrics("k", 1, -1ns), DataError);
  CHECK_THROWS_AS(cache.set_many({{"k", 1}, {"l", 2}}, {.ttl = -1s}), DataError);
  CHECK(*cache.get("k") == "before");
  CHECK_FALSE(cache.contains("l"));
}

TEMPLATE_TEST_CASE("the debug line tells what was cached, a failed one tells nothing", "", EVERY_BACKEND) {
  TestType backend;
  const LogLevelIs level{cascor::LogLevel::debug};
  CacheManager cache{backend.config()};
  cache.cache_metrics("epoch_5", 1);
  cache.cache_topology(2);
  cache.cache_history("full", 3);
  cache.set("any", 4);
  CHECK(backend.log.count("DEBUG: Cached ") == 3);
  CHECK(backend.log.count("DEBUG: Cached metrics: epoch_5") == 1);
  cache.cache_metrics("x\nINFO: Redis connection established: forged", 1);
  CHECK(backend.log.count("DEBUG: Cached metrics: x\\x0aINFO: Redis connection established: forged") == 1);
  CHECK(backend.log.count("DEBUG: Cached topology: latest") == 1);
  CHECK(backend.log.count("DEBUG: Cached history: full") == 1);
}

TEMPLATE_TEST_CASE("a manager that was moved works on", "", EVERY_BACKEND) {
  TestType backend;
  CacheManager first{backend.config()};
  first.set("k", 1);
  CacheManager second{std::move(first)};
  CHECK(*second.get("k") == 1);
  CacheManager third{backend.config()};
  third = std::move(second);
  CHECK(*third.get("k") == 1);
  CHECK(third.set("l", 2));
}

TEST_CASE("on memory, an entry is there to the last millisecond of its time, and no longer") {
  auto clock = std::make_shared<cascor::ManualClock>();
  OnMemory backend;
  auto config = backend.config();
  config.clock = clock;
  CacheManager cache{config};
  cache.set("k", 1, {.ttl = 1'500ms});
  CHECK(cache.get("k").ttl() == 1'500ms);
  CHECK(cache.get("k").age() == 0ms);
  clock->advance(1'499ms);
  CHECK(cache.get("k").ttl() == 1ms);
  CHECK(cache.get("k").age() == 1'499ms);
  CHECK(cache.contains("k"));
  clock->advance(1ms);
  CHECK(cache.get("k").status() == CacheStatus::miss);
  CHECK_FALSE(cache.contains("k"));
  CHECK_FALSE(cache.erase("k"));
}

TEST_CASE("on memory, readers share one decoded value") {
  OnMemory backend;
  CacheManager cache{backend.config()};
  cache.set("tree", {{"a", 1}});
  CHECK(cache.get("tree").share() == cache.get("tree").share());
  cache.set("typed", TrainingMetrics{1, 2, {}});
  CHECK(cache.get<TrainingMetrics>("typed").share() == cache.get<TrainingMetrics>("typed").share());
  const auto tree = cache.get("typed").share();
  CHECK(cache.get("typed").share() == tree);
}

TEST_CASE("on memory, a value that the whole cache has no room for is refused, and no old one is left in its place") {
  OnMemory backend;
  auto config = backend.config();
  config.max_memory_mb = 1;
  CacheManager cache{config};
  cache.set("k", "before");
  const auto refused = cache.set("k", std::string(2'000'000, 'x'));
  CHECK_FALSE(refused);
  REQUIRE(refused.error() != nullptr);
  CHECK(refused.error()->code() == cascor::ErrorCode::data);
  CHECK_THAT(refused.error()->hint(), Catch::Contains("max_memory_mb"));
  CHECK(refused.tier() == cascor::CacheTier::none);
  CHECK_FALSE(cache.get("k"));
}
