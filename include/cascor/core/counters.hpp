// Counters that a hot path can afford: each thread writes its own cache lines, a reader sums them up.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "cascor/core/key.hpp"
#include "cascor/core/stats.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

/// A small number for the calling thread, spread over the stripes of a counter.
inline std::size_t stripe_of_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

/// Durations in logarithmic buckets: eight an octave, from 16 ns on.
class Histogram {
 public:
  void add(std::chrono::nanoseconds took) noexcept {
    buckets_[bucket(took.count() > 0 ? static_cast<std::uint64_t>(took.count()) : 0)].fetch_add(
        1, std::memory_order_relaxed);
  }
  using Counts = std::array<std::uint64_t, 256>;
  void add_to(Counts& counts) const noexcept {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += buckets_[i].load(std::memory_order_relaxed);
  }
  CASCOR_CACHE_FN static Latency summary(const Counts& counts) noexcept;

 private:
  CASCOR_CACHE_FN static std::size_t bucket(std::uint64_t nanoseconds) noexcept;
  CASCOR_CACHE_FN static double middle_us(std::size_t bucket) noexcept;
  CASCOR_CACHE_FN static double quantile_us(const Counts& counts, std::uint64_t total, double quantile) noexcept;
  std::array<std::atomic<std::uint64_t>, 256> buckets_{};
};

/// What Counters counts; a `redis_hit` is a `hit` too, a `write_error` that of any call that is no read.
enum class Count : unsigned char { hit, miss, stale, read_error, write_error, set, redis_hit };
inline constexpr std::size_t count_kinds = 7;

/// Counts by prefix. add() is one relaxed add on a line that few threads share; safe from any thread.
class Counters {
 public:
  void add(Prefix prefix, Count what, std::uint64_t by = 1) noexcept {
    auto& stripe = stripes_[stripe_of_thread() % stripes_.size()];
    stripe.counts[static_cast<std::size_t>(prefix)][static_cast<std::size_t>(what)].fetch_add(
        by, std::memory_order_relaxed);
  }
  void took_get(Prefix prefix, std::chrono::nanoseconds took) noexcept {
    get_[static_cast<std::size_t>(prefix)].add(took);
  }
  void took_set(Prefix prefix, std::chrono::nanoseconds took) noexcept {
    set_[static_cast<std::size_t>(prefix)].add(took);
  }

  /// Whole and by prefix; what memory holds is the caller's to add.
  CASCOR_CACHE_FN BasicStats<CascorWhenUsed> summary() const;

 private:
  struct alignas(64) Stripe {
    std::array<std::array<std::atomic<std::uint64_t>, count_kinds>, prefix_count> counts{};
  };
  std::array<Stripe, 8> stripes_;
  std::array<Histogram, prefix_count> get_;
  std::array<Histogram, prefix_count> set_;
};

}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/counters.ipp"
#endif
