// Randomness as something that is given: production draws its own, tests hand in theirs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "cascor/core/system_random.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// 64 random bits a call, for backoff and jitter (never for secrets): from what the application gave; without it, or
/// where that throws, from a generator of its own. Never throws; safe from any thread if what was given is.
class Random {
 public:
  /// Throws std::system_error where the system has no bits to begin with.
  explicit Random(std::function<std::uint64_t()> given) : given_{std::move(given)} {
    std::uint64_t seed = 0;
    fill_from_system(&seed, sizeof seed);
    state_.store(seed, std::memory_order_relaxed);
  }

  std::uint64_t operator()() noexcept {
    try {
      if (given_) return given_();
    } catch (...) {  // an application's generator that fails must not break the call that waits
    }
    // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): a counter, mixed.
    constexpr std::uint64_t step = 0x9E3779B97F4A7C15;
    std::uint64_t bits = state_.fetch_add(step, std::memory_order_relaxed) + step;
    bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EB;
    return bits ^ (bits >> 31U);
  }

 private:
  const std::function<std::uint64_t()> given_;
  std::atomic<std::uint64_t> state_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
