// What must reach Redis when it is back: the newest value of each key, and what was removed. No I/O, no clock, no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// One write that Redis has not seen.
struct PendingWrite {
  std::string key;
  std::shared_ptr<const std::string> bytes;
  TimePoint expires;  ///< TimePoint::max(): never
};

/// Changes in a form that may be replayed in the order "all that was removed, then all writes": a removal takes the
/// writes that it concerns with it. Bounded, and what the bounds cost is never an old value that comes back: past
/// `max_bytes` the oldest writes are dropped, counted, and their keys removed instead; past max_patterns or max_erased
/// all removals become one of everything, which removes more than was asked and never less. Guarded by its owner.
class PendingChanges {
 public:
  static constexpr std::size_t max_patterns = 1'000;
  static constexpr std::size_t max_erased = 10'000;

  /// `everything` is the pattern of all keys of the namespace.
  PendingChanges(std::size_t max_bytes, std::string everything)
      : max_bytes_{max_bytes}, everything_{std::move(everything)} {}

  CASCOR_CACHE_FN void write(std::string_view key, std::shared_ptr<const std::string> bytes, TimePoint expires);
  CASCOR_CACHE_FN void erase(std::string_view key);
  /// `pattern` is one of full keys.
  CASCOR_CACHE_FN void invalidate(std::string pattern);

  bool empty() const noexcept { return writes_.empty() && erased_.empty() && patterns_.empty(); }
  std::size_t writes() const noexcept { return writes_.size(); }
  /// How many writes were dropped since it was last asked.
  std::uint64_t take_dropped() noexcept { return std::exchange(dropped_, 0); }

  struct Changes {
    std::vector<std::string> patterns;
    std::unordered_set<std::string> erased;
    std::list<PendingWrite> writes;  ///< oldest first
  };
  /// Hands everything over.
  CASCOR_CACHE_FN Changes take();
  /// Puts back what could not be replayed, behind what has come since: a newer write or removal wins.
  CASCOR_CACHE_FN void put_back(Changes changes);

 private:
  using Writes = std::list<PendingWrite>;
  CASCOR_CACHE_FN static std::size_t bytes_of(const PendingWrite& write) noexcept;
  CASCOR_CACHE_FN void forget(Writes::iterator write);
  CASCOR_CACHE_FN void drop(Writes::iterator write);
  bool removes_everything() const noexcept { return !patterns_.empty() && patterns_.front() == everything_; }
  CASCOR_CACHE_FN void remove_key(std::string key);
  CASCOR_CACHE_FN void remove_pattern(std::string pattern);
  CASCOR_CACHE_FN void keep_within_bounds();

  std::size_t max_bytes_;
  std::string everything_;
  Writes writes_;  // oldest first; the index's keys are views of theirs
  std::unordered_map<std::string_view, Writes::iterator> by_key_;
  std::unordered_set<std::string> erased_;  // none of them is among writes_
  std::vector<std::string> patterns_;       // everything_ stands alone
  std::size_t bytes_ = 0;                   // of writes_
  std::uint64_t dropped_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/pending_changes.ipp"
#endif
