// What must reach Redis when it is back: the newest value of each key, and invalidations. No I/O, no clock, no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// One write that Redis has not seen.
struct PendingWrite {
  std::string key;
  std::shared_ptr<const std::string> bytes;
  TimePoint expires;  ///< TimePoint::max(): never
};

/// Changes in a form that may be replayed in the order "all invalidations, then all writes": an invalidation takes the
/// writes that it matches with it. Bounded: past `max_bytes` the oldest writes are dropped and counted; past
/// max_invalidations all of them become one of everything, which removes more than was asked and never less.
/// Guarded by its owner.
class PendingChanges {
 public:
  static constexpr std::size_t max_invalidations = 10'000;

  PendingChanges(std::size_t max_bytes, std::string everything)
      : max_bytes_{max_bytes}, everything_{std::move(everything)} {}

  void write(std::string_view key, std::shared_ptr<const std::string> bytes, TimePoint expires);
  /// `pattern` is one of full keys.
  void invalidate(std::string pattern);

  bool empty() const noexcept { return writes_.empty() && invalidations_.empty(); }
  std::size_t writes() const noexcept { return writes_.size(); }
  std::uint64_t dropped() const noexcept { return dropped_; }

  struct Changes {
    std::vector<std::string> invalidations;
    std::list<PendingWrite> writes;
  };
  /// Hands everything over, oldest first.
  Changes take();
  /// Puts back what could not be replayed, behind what has come since: a newer write of a key or a newer invalidation
  /// wins.
  void put_back(Changes changes);

 private:
  using Writes = std::list<PendingWrite>;
  static std::size_t bytes_of(const PendingWrite& write) noexcept;
  void forget(Writes::iterator write);
  void keep_within_bounds();

  std::size_t max_bytes_;
  std::string everything_;
  Writes writes_;  // oldest first; the index's keys are views of theirs
  std::unordered_map<std::string_view, Writes::iterator> by_key_;
  std::vector<std::string> invalidations_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/pending_changes.ipp"
#endif
