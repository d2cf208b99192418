// The Codec parameter: another form of bytes, the same cache.
#include <catch2/catch.hpp>
#include <concepts>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache.hpp"
#include "support/backends.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::BasicCacheManager;
using cascor::CacheStatus;
using cascor::json;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnRedisUnix

struct Epoch {
  int number = 0;
  double loss = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Epoch, number, loss)

namespace {

struct MessagePack {
  template <class T>
  static std::string encode(const T& value) {
    std::string bytes;
    json::to_msgpack(json(value), bytes);
    return bytes;
  }
  template <class T>
  static T decode(std::string_view bytes) {
    return json::from_msgpack(bytes).get<T>();
  }
};
static_assert(cascor::Codec<MessagePack>);

// Numbers alone, as text: a codec that can do little.
struct Decimal {
  template <std::same_as<int> T>
  static std::string encode(const T& value) {
    if (value < 0) throw std::out_of_range{"a negative number"};
    return std::to_string(value);
  }
  template <class T>
  static T decode(std::string_view bytes) {
    return static_cast<T>(std::stoi(std::string{bytes}));
  }
};
static_assert(cascor::Codec<Decimal>);

template <class Cache, class T>
concept Stores = requires(Cache& cache, const T& value) {
  cache.set("k", value);
};

}  // namespace

TEMPLATE_TEST_CASE("MessagePack goes in and out through the Codec parameter", "", EVERY_BACKEND) {
  TestType backend;
  BasicCacheManager<MessagePack> cache{backend.config()};
  CHECK(cache.cache_metrics("latest", {{"epoch", 5}, {"loss", 0.25}}, 1h));
  CHECK(cache.get_cached_metrics()->at("loss") == 0.25);
  CHECK(cache.cache_metrics("typed", Epoch{7, std::numeric_limits<double>::infinity()}, 1h));
  CHECK(cache.template get_cached_metrics<Epoch>("typed")->loss == std::numeric_limits<double>::infinity());
  CHECK(cache.get_cached_metrics("typed")->at("number") == 7);
  const auto binary = json::binary({0, 1, 255});
  CHECK(cache.set("binary", binary));
  CHECK(*cache.get("binary") == binary);
  CHECK(cache.set_many({{"a", 1}, {"b", "two"}}).size() == 2);
  CHECK(*cache.get_many({"b", "a"})[0] == "two");
  CHECK(cache.template get<Epoch>("b").status() == CacheStatus::error);
  CHECK(cache.contains("b"));
}

TEST_CASE("in Redis stand the codec's bytes, and others are an error result") {
  OnRedisTcp backend;
  BasicCacheManager<MessagePack> cache{backend.config()};
  cache.set("k", {{"a", 1}});
  CHECK(backend.server.raw("GET", "cascor:k").text == "\x81\xa1\x61\x01");
  backend.server.raw("SET", "cascor:k", "\xc1");
  CHECK(cache.get("k").status() == CacheStatus::error);
}

TEMPLATE_TEST_CASE("what a codec cannot encode is a DataError, what it cannot decode an error result", "",
                   EVERY_BACKEND) {
  TestType backend;
  BasicCacheManager<Decimal> cache{backend.config()};
  static_assert(Stores<decltype(cache), int>);
  static_assert(!Stores<decltype(cache), Epoch> && !Stores<decltype(cache), json>);
  CHECK(cache.set("k", 42));
  CHECK(*cache.template get<int>("k") == 42);
  try {
    cache.set("k", -1);
    FAIL("not refused");
  } catch (const cascor::DataError& error) {
    CHECK(error.what() == std::string{"the value for the key cascor:k does not encode: a negative number"});
  }
  CHECK(*cache.template get<long>("k") == 42);
}
