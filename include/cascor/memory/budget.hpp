// Bytes that many writers share: each takes what it needs before it stores, so that the sum never passes the limit.
#pragma once

#include <atomic>
#include <cstddef>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// So many bytes and no more. Safe from any thread.
class Budget {
 public:
  explicit Budget(std::size_t limit) noexcept : limit_{limit} {}

  /// All of them, or none and false.
  bool take(std::size_t bytes) noexcept {
    std::size_t used = used_.load(std::memory_order_relaxed);
    while (bytes <= limit_ - used) {
      if (used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void give_back(std::size_t bytes) noexcept {
    if (bytes != 0) used_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  std::size_t limit() const noexcept { return limit_; }

 private:
  alignas(64) std::atomic<std::size_t> used_{0};
  std::size_t limit_;
};

/// What one writer has taken and not yet spent. What it evicts is credited here and not to everybody, so that a large
/// value gets its room however many small ones are being written meanwhile. The rest goes back at the end. For one
/// thread.
class Allowance {
 public:
  explicit Allowance(Budget& budget) noexcept : budget_{budget} {}
  Allowance(const Allowance&) = delete;
  Allowance& operator=(const Allowance&) = delete;
  ~Allowance() { give_back(); }

  void add(std::size_t bytes) noexcept { held_ += bytes; }
  /// Spends `wanted` bytes, of which `freed` come from what is replaced and the missing ones from the budget. False,
  /// with nothing changed, where that has too few.
  bool exchange(std::size_t wanted, std::size_t freed) noexcept {
    const std::size_t own = held_ + freed;
    if (wanted > own && !budget_.take(wanted - own)) return false;
    held_ = wanted > own ? 0 : own - wanted;
    return true;
  }
  void give_back() noexcept {
    budget_.give_back(held_);
    held_ = 0;
  }

 private:
  Budget& budget_;
  std::size_t held_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
