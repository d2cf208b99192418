// How long an entry lives.
#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <type_traits>

#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// A TTL that never ends.
inline constexpr milliseconds no_expiry{0};

/// A time to live as a caller gives it: any `std::chrono` duration, kept in milliseconds. What is not a whole number of
/// them is rounded up, so that half a millisecond does not become "no expiry"; of a floating-point duration the last
/// bits do not count, so that 0.1 s is 100 ms. Left out, the key's prefix decides.
class Ttl {
 public:
  /// The TTL of the key's prefix.
  constexpr Ttl() noexcept = default;
  template <class Rep, class Period>
  constexpr Ttl(std::chrono::duration<Rep, Period> given) noexcept {  // NOLINT(google-explicit-constructor)
    const long double count = std::chrono::duration<long double, std::milli>{given}.count();
    if (!(count >= 0)) {
      state_ = State::negative;  // NaN too
    } else if (count > 9.2e15L) {
      state_ = State::too_long;
    } else {
      state_ = State::given;
      const auto nearest = static_cast<milliseconds::rep>(count + 0.5L);
      long double noise = 0;
      if constexpr (std::is_floating_point_v<Rep>) {
        noise = 2 * static_cast<long double>(std::numeric_limits<Rep>::epsilon()) * static_cast<long double>(nearest);
      }
      value_ = milliseconds{nearest + (count > static_cast<long double>(nearest) + noise ? 1 : 0)};
    }
  }

  /// Is there no end, where the prefix's own is `by_prefix`?
  constexpr bool never_ends(milliseconds by_prefix) const noexcept {
    return (state_ == State::by_prefix ? by_prefix : value_) == no_expiry && state_ <= State::given;
  }
  /// What it comes to at `now` where the prefix's own is `by_prefix`. Throws DataError if it is negative, or ends past
  /// what the clock can tell; the prefix's own too. O(1).
  CASCOR_CACHE_FN milliseconds resolve(milliseconds by_prefix, TimePoint now) const;

 private:
  enum class State { by_prefix, given, negative, too_long };
  State state_ = State::by_prefix;
  milliseconds value_{0};
};

/// When an entry stored at `now` ends; TimePoint::max() for no_expiry.
constexpr TimePoint expiry_after(TimePoint now, milliseconds ttl) noexcept {
  return ttl == no_expiry ? TimePoint::max() : now + ttl;
}

/// What is left at `now` until `expiry`, rounded up to a millisecond; nullopt where it does not expire.
inline std::optional<milliseconds> time_left(TimePoint expiry, TimePoint now) noexcept {
  if (expiry == TimePoint::max()) return std::nullopt;
  return expiry <= now ? milliseconds{0} : std::chrono::ceil<milliseconds>(expiry - now);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/ttl.ipp"
#endif
