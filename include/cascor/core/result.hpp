// What a read and a write give back.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// How a read went. `hit`: a value, fresh; `stale`: a value past its time, served because a fresh one was not to be
/// had; `miss`: no value, nothing wrong; `error`: error() says what went wrong; `disabled`: the cache is switched off.
enum class CacheStatus : unsigned char { hit, stale, miss, error, disabled };

/// Where a value came from.
enum class CacheTier : unsigned char { none, memory, redis };

/// "HIT", "STALE", "MISS", "ERROR", "DISABLED".
constexpr std::string_view to_string(CacheStatus status) noexcept {
  switch (status) {
    case CacheStatus::hit: return "HIT";
    case CacheStatus::stale: return "STALE";
    case CacheStatus::miss: return "MISS";
    case CacheStatus::error: return "ERROR";
    case CacheStatus::disabled: return "DISABLED";
  }
  return "UNKNOWN";
}

/// "memory", "redis", "none".
constexpr std::string_view to_string(CacheTier tier) noexcept {
  switch (tier) {
    case CacheTier::memory: return "memory";
    case CacheTier::redis: return "redis";
    case CacheTier::none: break;
  }
  return "none";
}

/// What is known of a read beside the value.
struct ReadFacts {
  CacheStatus status = CacheStatus::miss;
  CacheTier tier = CacheTier::none;
  std::optional<milliseconds> age;
  std::optional<milliseconds> ttl;
};

/// Thrown where the value of a read is used that has none. what() says why there is none, and what to test first.
class NoValueError final : public std::bad_optional_access {
 public:
  explicit NoValueError(const std::string& what) : what_{what} {}  // NOLINT(bugprone-throw-keyword-missing): a member
  const char* what() const noexcept override { return what_.what(); }

 private:
  std::runtime_error what_;  // a text whose copies share it: copying an exception must not throw
};

namespace detail {
/// Apart from the results, so that this is compiled once and not for each type.
template <class CascorWhenUsed = void>
[[noreturn]] void refuse_no_value(CacheStatus status, const CacheError* error) {
  std::string what = "the value of a read that has none was used: it was ";
  switch (status) {
    case CacheStatus::miss: what += "a MISS"; break;
    case CacheStatus::error: what += "an ERROR"; break;
    case CacheStatus::disabled: what += "DISABLED (backend.cache.enabled: false)"; break;
    case CacheStatus::hit:
    case CacheStatus::stale: what += "moved from"; break;
  }
  if (error != nullptr) what.append(" (").append(error->what()).append(")");
  throw NoValueError{what + "; test the result first, as in `if (auto hit = cache.get(key))`, or use value_or()"};
}
}  // namespace detail

/// A read's answer: a cheap handle on an immutable value that it shares with the cache and with other readers. Copying
/// it copies no value, and the value stays as long as a handle does, whatever happens to the entry. Distinct objects
/// may be used from distinct threads; one object is not for several threads at once, as any value.
template <class T>
class CacheResult {
 public:
  using value_type = T;

  /// A miss.
  CacheResult() = default;
  /// A value; hit or stale.
  CacheResult(std::shared_ptr<const T> value, const ReadFacts& facts, std::shared_ptr<const CacheError> error = nullptr)
      : value_{std::move(value)}, error_{std::move(error)}, facts_{facts} {}
  /// No value.
  explicit CacheResult(const ReadFacts& facts, std::shared_ptr<const CacheError> error = nullptr)
      : error_{std::move(error)}, facts_{facts} {}

  /// Is there a value, fresh or stale?
  explicit operator bool() const noexcept { return value_ != nullptr; }
  bool has_value() const noexcept { return value_ != nullptr; }

  CacheStatus status() const noexcept { return facts_.status; }
  CacheTier tier() const noexcept { return facts_.tier; }
  /// Since the value was stored; nullopt where that is not known.
  std::optional<milliseconds> age() const noexcept { return facts_.age; }
  /// What is left until it expires; nullopt: it does not, or that is not known.
  std::optional<milliseconds> ttl() const noexcept { return facts_.ttl; }
  /// What went wrong: null unless status is error, or stale because of an error. Valid as long as this object.
  const CacheError* error() const noexcept { return error_.get(); }

  /// The value. Throw NoValueError, a std::bad_optional_access, where there is none. O(1).
  const T& value() const { return *checked(); }
  const T& operator*() const { return *checked(); }
  const T* operator->() const { return checked(); }
  /// A copy of the value, or `other` where there is none.
  template <class U>
  T value_or(U&& other) const {
    return value_ ? *value_ : static_cast<T>(std::forward<U>(other));
  }
  /// The value, to be kept as long as one likes; null where there is none.
  std::shared_ptr<const T> share() const noexcept { return value_; }

  /// As std::optional: is there a value that is equal to `other`?
  template <class U>
  requires(!std::is_same_v<U, CacheResult> && std::is_convertible_v<const U&, T>) friend bool operator==(
      const CacheResult& result, const U& other) {
    return result.value_ && *result.value_ == other;
  }

 private:
  const T* checked() const {
    if (!value_) detail::refuse_no_value(facts_.status, error_.get());
    return value_.get();
  }

  std::shared_ptr<const T> value_;
  std::shared_ptr<const CacheError> error_;
  ReadFacts facts_;
};

/// A write's answer: true when the configured backend holds the value; otherwise error() says why not. With Redis away
/// it is false although the value may be kept in memory meanwhile: tier() tells.
class StoreResult {
 public:
  /// Held by the configured backend.
  explicit StoreResult(CacheTier held_in) noexcept : tier_{held_in}, stored_{true} {}
  /// Not held by it; `kept_in` says whether anything else keeps it.
  explicit StoreResult(std::shared_ptr<const CacheError> error, CacheTier kept_in = CacheTier::none) noexcept
      : error_{std::move(error)}, tier_{kept_in} {}

  explicit operator bool() const noexcept { return stored_; }
  const CacheError* error() const noexcept { return error_.get(); }
  CacheTier tier() const noexcept { return tier_; }

 private:
  std::shared_ptr<const CacheError> error_;
  CacheTier tier_ = CacheTier::none;
  bool stored_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
