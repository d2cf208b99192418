// Randomness as something that is given: production draws its own, tests hand in theirs.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <utility>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// 64 random bits a call, for backoff and jitter (never for secrets): from what the application gave; without it, or
/// where that throws, from a generator of its own. Never throws; safe from any thread if what was given is.
class Random {
 public:
  explicit Random(std::function<std::uint64_t()> given) : given_{std::move(given)} {}

  std::uint64_t operator()() noexcept {
    try {
      if (given_) return given_();
    } catch (...) {  // an application's generator that fails must not break the call that waits
    }
    const std::lock_guard lock{mutex_};
    return own_();
  }

 private:
  const std::function<std::uint64_t()> given_;
  std::mutex mutex_;  // guards own_ only
  std::mt19937_64 own_{std::random_device{}()};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
