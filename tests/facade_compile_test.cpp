// What must not compile does not, and what must, does.
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cascor/cache.hpp"

using cascor::BasicCacheManager;
using cascor::CacheManager;
using cascor::CacheResult;
using cascor::json;

namespace {

struct Opaque {};

template <class T>
concept CachedAlone = requires(CacheManager& cache, T value) {
  cache.cache_metrics(value);
  cache.cache_topology(value);
  cache.cache_history(value);
};
template <class T>
concept CachedByKey = requires(CacheManager& cache, T value) {
  cache.cache_metrics("k", value);
  cache.set("k", value);
};

template <class Cache>
concept MetricsFromLiteral = requires(Cache& cache) {
  cache.cache_metrics("text");
};
template <class Cache>
concept TopologyFromLiteral = requires(Cache& cache) {
  cache.cache_topology("text");
};
template <class Cache>
concept HistoryFromLiteral = requires(Cache& cache) {
  cache.cache_history("text");
};
template <class Cache>
concept SetFromLiteral = requires(Cache& cache) {
  cache.set("text");
};

// A text alone is a key whose value was forgotten.
static_assert(!CachedAlone<const char*>);
static_assert(!CachedAlone<std::string>);
static_assert(!CachedAlone<std::string_view>);
static_assert(!MetricsFromLiteral<CacheManager> && !TopologyFromLiteral<CacheManager>);
static_assert(!HistoryFromLiteral<CacheManager> && !SetFromLiteral<CacheManager>);
static_assert(CachedAlone<json>);
static_assert(CachedAlone<int>);
static_assert(CachedAlone<std::map<std::string, double>>);

static_assert(CachedByKey<const char*>);
static_assert(CachedByKey<std::string>);
static_assert(CachedByKey<json>);
static_assert(CachedByKey<std::vector<double>>);
static_assert(!CachedByKey<Opaque>);
static_assert(!CachedByKey<std::shared_ptr<int>>);

static_assert(!std::is_copy_constructible_v<CacheManager> && !std::is_copy_assignable_v<CacheManager>);
static_assert(std::is_nothrow_move_constructible_v<CacheManager> && std::is_nothrow_move_assignable_v<CacheManager>);
static_assert(!std::is_convertible_v<cascor::CacheConfig, CacheManager>);
static_assert(std::is_same_v<CacheManager, BasicCacheManager<cascor::JsonCodec>>);

// A result is asked before it is used: it is neither a number nor a value by itself.
static_assert(!std::is_convertible_v<CacheResult<int>, bool> && !std::is_convertible_v<CacheResult<int>, int>);
static_assert(!std::is_convertible_v<cascor::StoreResult, bool>);
static_assert(std::is_constructible_v<bool, CacheResult<int>> && std::is_constructible_v<bool, cascor::StoreResult>);
static_assert(std::is_same_v<decltype(*std::declval<CacheResult<int>>()), const int&>);
static_assert(std::is_nothrow_move_constructible_v<CacheResult<json>>);

// TTLs are durations, whatever their unit; bare integers are not.
static_assert(std::is_convertible_v<std::chrono::minutes, cascor::Ttl>);
static_assert(std::is_convertible_v<std::chrono::duration<double>, cascor::Ttl>);
static_assert(!std::is_convertible_v<int, cascor::Ttl>);

}  // namespace

TEST_CASE("the calls of the documentation compile with what they are given there") {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.log_sink = [](cascor::LogLevel, std::string_view) {};
  CacheManager cache{config};
  using namespace std::chrono_literals;
  CHECK(cache.cache_metrics("latest", {{"epoch", 5}, {"loss", 0.25}}));
  CHECK(cache.cache_metrics({{"epoch", 5}, {"loss", 0.25}}));
  CHECK(cache.cache_metrics("epoch_5", {{"epoch", 5}}, 10s));
  CHECK(cache.set("config:app", {{"a", 1}}, {.ttl = 0s}));
  if (auto metrics = cache.get_cached_metrics("latest")) CHECK((*metrics)["epoch"] == 5);
  CHECK(cache.get_many({"metrics:latest", "nothing"}).size() == 2);
  CHECK(cache.set_many({{"a", 1}, {"b", {{"c", 2}}}}).size() == 2);
  CHECK(cache.invalidate_cache("metrics:*") == 2);
}
