// Time as something that is given: production reads the system's clocks, tests move a ManualClock by hand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

using TimePoint = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;

/// Where this library reads the time. An implementation must be safe to call from any thread at once.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  /// Monotonic: for TTLs, ages and deadlines.
  virtual TimePoint now() const noexcept = 0;
  /// A cheaper look at the same time: now() or a little before it; TimePoint::min() where there is none.
  virtual TimePoint roughly() const noexcept { return TimePoint::min(); }
  /// Of the calendar: for timestamps that other programs read.
  virtual WallTime wall() const noexcept = 0;
};

/// The system's clocks.
class SystemClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
  /// As of the system's last tick, mostly less than 4 ms ago: a quarter of the cost of now().
  TimePoint roughly() const noexcept override {
#if defined(CLOCK_MONOTONIC_COARSE) && defined(__GLIBCXX__)
    timespec tick{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
    return TimePoint{std::chrono::nanoseconds { tick.tv_sec * std::int64_t{1'000'000'000} + tick.tv_nsec }};
#else
    return TimePoint::min();
#endif
  }
  WallTime wall() const noexcept override { return std::chrono::system_clock::now(); }

  /// The one that everybody may share.
  CASCOR_CACHE_FN static const std::shared_ptr<const Clock>& shared();
};

/// A clock that stands still until it is told: tests of expiry need not sleep. Thread-safe.
class ManualClock final : public Clock {
 public:
  /// Starts at an arbitrary moment well after the epoch, on both scales.
  ManualClock() = default;

  TimePoint now() const noexcept override { return TimePoint{after(1000)}; }
  WallTime wall() const noexcept override {
    return WallTime{std::chrono::duration_cast<WallTime::duration>(after(24 * 365 * 55))};
  }
  /// Moves both scales forward by `step` (backward if negative, on your own account).
  void advance(std::chrono::nanoseconds step) noexcept { offset_.fetch_add(step.count(), std::memory_order_acq_rel); }

 private:
  std::chrono::nanoseconds after(std::int64_t hours) const noexcept {
    return std::chrono::nanoseconds{offset_.load(std::memory_order_acquire) + hours * 3'600'000'000'000};
  }
  std::atomic<std::int64_t> offset_{0};
};

/// The time of one operation: read from the clock when it is first asked for, and the same from then on. An operation
/// on an entry that does not expire never reads the clock. For one thread; the clock must outlive it.
class Now {
 public:
  explicit Now(const Clock& clock) noexcept : clock_{&clock} {}
  TimePoint operator()() noexcept {
    if (!known_) {
      at_ = clock_->now();
      known_ = true;
    }
    return at_;
  }
  /// For what need not be exact: the time, or a little before it. Cheaper where the clock has a cheaper one.
  TimePoint roughly() noexcept {
    if (known_) return at_;
    const TimePoint rough = clock_->roughly();
    return rough == TimePoint::min() ? (*this)() : rough;
  }
  /// Is it `moment` yet, exactly? What is far off by a cheap look costs no more than that.
  bool has_passed(TimePoint moment) noexcept {
    if (!known_) {
      const TimePoint rough = clock_->roughly();
      if (rough >= moment) return true;
      if (rough != TimePoint::min() && moment - rough > lateness) return false;
    }
    return (*this)() >= moment;
  }

 private:
  // A tick comes each 1 to 10 ms; a machine that is short of processors may be late with one, not by so much.
  static constexpr TimePoint::duration lateness = std::chrono::milliseconds{250};

  const Clock* clock_;
  TimePoint at_{};
  bool known_ = false;
};

/// The moment by which a call must end, on the clock it was made from. A value; cheap to copy. Nothing or less to wait
/// has passed at once; more than the clock can tell never passes.
/// The clock must outlive it: deadlines live as long as a call, clocks as long as a manager.
class Deadline {
 public:
  Deadline(const Clock& clock, milliseconds within) noexcept : clock_{&clock}, at_{saturated(clock.now(), within)} {}
  /// The earlier of two.
  static Deadline sooner(Deadline one, Deadline other) noexcept { return one.at_ <= other.at_ ? one : other; }

  bool passed() const noexcept { return clock_->now() >= at_; }
  /// What is left, rounded up so that it is zero only when the deadline has passed; never negative.
  milliseconds remaining() const noexcept {
    const auto left = at_ - clock_->now();
    return left.count() <= 0 ? milliseconds{0} : std::chrono::ceil<milliseconds>(left);
  }
  TimePoint at() const noexcept { return at_; }
  const Clock& clock() const noexcept { return *clock_; }

 private:
  static TimePoint saturated(TimePoint now, milliseconds within) noexcept {
    if (within.count() <= 0) return now;
    return within >= std::chrono::floor<milliseconds>(TimePoint::max() - now) ? TimePoint::max() : now + within;
  }
  const Clock* clock_;
  TimePoint at_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/clock.ipp"
#endif
