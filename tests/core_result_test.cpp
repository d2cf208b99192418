// What a read and a write give back.
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "cascor/core/result.hpp"

using cascor::CacheResult;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::ReadFacts;
using cascor::StoreResult;
using namespace std::chrono_literals;

namespace {

const auto an_error = std::make_shared<const cascor::DataError>("what", "hint");

CacheResult<std::string> hit(CacheStatus status = CacheStatus::hit) {
  return {std::make_shared<const std::string>("value"), ReadFacts{status, CacheTier::memory, 3ms, 5ms}};
}

}  // namespace

TEST_CASE("a hit and a stale value are true, and give the value in every way") {
  for (const CacheStatus status : {CacheStatus::hit, CacheStatus::stale}) {
    const auto result = hit(status);
    CHECK(result);
    CHECK(result.has_value());
    CHECK(*result == "value");
    CHECK(result.value() == "value");
    CHECK(result->size() == 5);
    CHECK(result.value_or("other") == "value");
    CHECK(*result.share() == "value");
    CHECK(result.status() == status);
    CHECK(result.tier() == CacheTier::memory);
    CHECK(result.age() == 3ms);
    CHECK(result.ttl() == 5ms);
    CHECK(result.error() == nullptr);
  }
}

TEST_CASE("without a value every access throws, and nothing is undefined") {
  const CacheResult<std::string> miss;
  ReadFacts failed;
  failed.status = CacheStatus::error;
  const CacheResult<std::string> error{failed, an_error};
  for (const auto& result : {miss, error}) {
    CHECK_FALSE(result);
    CHECK_FALSE(result.has_value());
    CHECK_THROWS_AS(*result, std::bad_optional_access);
    CHECK_THROWS_AS(result.value(), std::bad_optional_access);
    CHECK_THROWS_AS(result->size(), std::bad_optional_access);
    CHECK(result.value_or("other") == "other");
    CHECK(result.share() == nullptr);
    CHECK(result.tier() == CacheTier::none);
    CHECK(result.age() == std::nullopt);
    CHECK(result.ttl() == std::nullopt);
  }
  CHECK(miss.status() == CacheStatus::miss);
  CHECK(miss.error() == nullptr);
  CHECK(error.error()->code() == cascor::ErrorCode::data);
}

TEST_CASE("who uses a value that is not there is told why it is not, and what to test first") {
  const auto told = [](const CacheResult<std::string>& result) {
    try {
      (void)*result;
    } catch (const std::bad_optional_access& error) {
      return std::string{error.what()};
    }
    return std::string{};
  };
  const auto of = [](CacheStatus status) {
    ReadFacts facts;
    facts.status = status;
    return CacheResult<std::string>{facts, status == CacheStatus::error ? an_error : nullptr};
  };
  const std::string cure = "; test the result first, as in `if (auto hit = cache.get(key))`, or use value_or()";
  CHECK(told(of(CacheStatus::miss)) == "the value of a read that has none was used: it was a MISS" + cure);
  CHECK(told(of(CacheStatus::error)) == "the value of a read that has none was used: it was an ERROR (what)" + cure);
  CHECK(told(of(CacheStatus::disabled)) ==
        "the value of a read that has none was used: it was DISABLED (backend.cache.enabled: false)" + cure);
  auto moved = hit();
  const auto to = std::move(moved);
  CHECK(told(moved) ==  // NOLINT(bugprone-use-after-move): that is the promise
        "the value of a read that has none was used: it was moved from" + cure);
}

TEST_CASE("copies share the value, and it stays as long as one of them or what share() gave") {
  std::shared_ptr<const std::string> kept;
  const std::string* address = nullptr;
  {
    const auto result = hit();
    const auto copy = result;
    CHECK(&*copy == &*result);
    address = &*result;
    kept = copy.share();
  }
  CHECK(kept.get() == address);
  CHECK(*kept == "value");
}

TEST_CASE("a result that was moved from is empty, and says so instead of giving a value") {
  auto result = hit();
  const auto taken = std::move(result);
  CHECK(*taken == "value");
  CHECK_THROWS_AS(result.value(), std::bad_optional_access);  // NOLINT(bugprone-use-after-move): that is the promise
}

TEST_CASE("a write is true only where the configured backend holds the value") {
  const StoreResult stored{CacheTier::redis};
  CHECK(stored);
  CHECK(stored.error() == nullptr);
  CHECK(stored.tier() == CacheTier::redis);
  const StoreResult refused{an_error};
  CHECK_FALSE(refused);
  CHECK(refused.error()->hint() == "hint");
  CHECK(refused.tier() == CacheTier::none);
  const StoreResult kept_meanwhile{an_error, CacheTier::memory};
  CHECK_FALSE(kept_meanwhile);
  CHECK(kept_meanwhile.tier() == CacheTier::memory);
}

TEST_CASE("results do not turn into numbers") {
  STATIC_REQUIRE_FALSE(std::is_convertible_v<CacheResult<int>, bool>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<StoreResult, int>);
}

TEST_CASE("statuses and tiers have the names that other programs read") {
  CHECK(to_string(CacheStatus::hit) == "HIT");
  CHECK(to_string(CacheStatus::stale) == "STALE");
  CHECK(to_string(CacheStatus::miss) == "MISS");
  CHECK(to_string(CacheStatus::error) == "ERROR");
  CHECK(to_string(CacheStatus::disabled) == "DISABLED");
  CHECK(to_string(CacheTier::memory) == "memory");
  CHECK(to_string(CacheTier::redis) == "redis");
  CHECK(to_string(CacheTier::none) == "none");
}

TEST_CASE("a result compares with a value as std::optional does") {
  CHECK(hit() == "value");
  CHECK(hit() == std::string{"value"});
  CHECK(hit() != "other");
  CHECK_FALSE(CacheResult<std::string>{} == "value");
  CHECK(CacheResult<int>{} != 0);
}
