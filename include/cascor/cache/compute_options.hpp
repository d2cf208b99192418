// How get_or_compute computes, stores and stands in for a value.
#pragma once

#include <chrono>
#include <concepts>
#include <optional>

#include "cascor/core/clock.hpp"
#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// When a value is computed anew although it is still fresh: within the last part of its life, given as a duration
/// (`200ms`), as a fraction of its TTL from 0 to 1 (`0.25`: the last quarter), or as `true` for the last fifth. Left
/// out, never.
class RefreshAhead {
 public:
  constexpr RefreshAhead() noexcept = default;
  template <class Rep, class Period>
  constexpr RefreshAhead(std::chrono::duration<Rep, Period> before_its_end) noexcept  // NOLINT(*-explicit-constructor)
      : before_{std::chrono::ceil<milliseconds>(before_its_end)} {}
  constexpr RefreshAhead(std::floating_point auto part) noexcept  // NOLINT(*-explicit-constructor)
      : part_{static_cast<double>(part)} {}
  constexpr RefreshAhead(std::same_as<bool> auto wanted) noexcept  // NOLINT(*-explicit-constructor)
      : part_{wanted ? 0.2 : 0.0} {}

  constexpr bool wanted() const noexcept { return before_.count() != 0 || part_ != 0; }
  /// Not negative, no fraction above 1, no NaN.
  constexpr bool valid() const noexcept { return before_.count() >= 0 && part_ >= 0 && part_ <= 1; }
  /// How long before its end a value that lives for `ttl` is computed anew.
  constexpr milliseconds before_the_end_of(milliseconds ttl) const noexcept {
    if (before_.count() != 0) return before_;
    return milliseconds{static_cast<milliseconds::rep>(part_ * static_cast<double>(ttl.count()))};
  }

 private:
  milliseconds before_{0};
  double part_ = 0;
};

/// All of it may be left out. A computation that may run when the call has returned (with `refresh_ahead` or
/// `stale_after`) runs a copy of the callable: what that refers to must live as long as the manager.
struct ComputeOptions {
  /// Of what is computed; left out: that of the longest prefix that the key starts with, else `ttl_seconds`.
  Ttl ttl{};
  /// Keep the value in this process for so long past its end, whatever its prefix, and serve it STALE when a
  /// computation fails, or takes longer than a caller may wait. Its memory is within `max_memory_mb`.
  milliseconds stale_for{0};
  /// Compute anew in the background near the end of a life, when somebody asks: who asks gets the value that is there.
  RefreshAhead refresh_ahead{};
  /// On Redis: one computation among all processes that ask so, by a lock (`cascor:lock:{<key>}`) that is renewed while
  /// the computation runs. Memory as a backend has one process.
  bool across_processes = false;
  /// Wait no longer than this for a computation where a stale value can be served: that is served, and the computation
  /// goes on in the background. Left out: wait for its end. Needs `stale_for`.
  std::optional<milliseconds> stale_after{};
  /// How long this process remembers that there is no value: that `compute`, which returns an optional, returned none.
  milliseconds absent_ttl{0};
  /// A TTL is shortened by up to this part of it, drawn evenly, so that what was computed together does not expire
  /// together. 0 to 1.
  double jitter = 0.05;
  /// With `across_processes`: after so long without a sign of life, a holder of the lock is taken to be dead. At least
  /// 100 ms.
  milliseconds lock_for{5'000};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
