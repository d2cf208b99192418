// What must reach Redis when it is back: the newest value of each key, what was removed, what was counted. No I/O, no
// clock, no lock.
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
#include "cascor/core/only_if.hpp"
#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Changes in a form that may be replayed in the order "all that was removed, all writes, all increments": a removal
/// takes the writes and increments that it concerns with it, a write the increments. Bounded by bytes, and what the
/// bound costs is never an old value that comes back: the oldest writes are dropped, counted, and their keys removed
/// instead; past a quarter of the bytes erasures become the removal of a whole prefix, and past max_patterns patterns
/// or tags that of everything: more than was asked, never less. Guarded by its owner.
template <class CascorWhenUsed = void>
class PendingChanges {
  using String = Dependent<std::string, CascorWhenUsed>;  // a table of them is made where one is used

 public:
  static constexpr std::size_t max_patterns = 1'000;

  struct Write {
    std::string key;
    std::shared_ptr<const std::string> bytes;
    TimePoint expires;  ///< TimePoint::max(): never
    OnlyIf only_if = OnlyIf::always;
    std::shared_ptr<const ValueTags> tags{};
    bool over_removal = false;  ///< behind a removal of its key that it has taken the place of: whatever is there goes
  };
  struct Increment {
    std::int64_t by = 0;
    TimePoint expires;
  };
  /// The pattern of all keys of the prefix that a key is under.
  using Wider = std::string (*)(const void* context, std::string_view key);

  /// `everything` is the pattern of all keys of the namespace; `context` is what `wider` is called with.
  PendingChanges(std::size_t max_bytes, std::string everything, Wider wider, const void* context)
      : max_bytes_{max_bytes}, everything_{std::move(everything)}, wider_{wider}, context_{context} {}

  /// A write that memory has taken, and so had its condition met there.
  void write(std::string_view key, std::shared_ptr<const std::string> bytes, TimePoint expires, OnlyIf only_if,
             std::shared_ptr<const ValueTags> tags = nullptr);
  /// The waiting write of the key with another value, and with its own condition.
  void rewrite(std::string_view key, std::shared_ptr<const std::string> bytes, TimePoint expires);
  void erase(std::string_view key);
  /// `pattern` is one of full keys.
  void invalidate(std::string pattern);
  /// `tag` by its full name.
  void invalidate_tag(const std::string& tag);
  /// Of a key of which no write waits: that one would be written anew instead.
  void increment(std::string_view key, std::int64_t by, TimePoint expires);
  /// Changes what is waiting of the key; nothing where nothing is.
  void touch(std::string_view key, TimePoint expires);

  bool has_write(std::string_view key) const { return by_key_.contains(key); }
  bool empty() const noexcept {
    return writes_.empty() && erased_.empty() && patterns_.empty() && increments_.empty() && tags_.empty();
  }
  /// Values that are lost if they are never replayed.
  std::size_t writes() const noexcept { return writes_.size() + increments_.size(); }
  /// How many writes were dropped, and how many erasures widened, since it was last asked.
  std::uint64_t take_dropped() noexcept { return std::exchange(dropped_, 0); }
  std::uint64_t take_widened() noexcept { return std::exchange(widened_, 0); }

  struct Changes {
    std::vector<std::string> patterns;
    std::unordered_set<String> erased;
    std::list<Write> writes;  ///< oldest first
    std::unordered_map<String, Increment> increments;
    std::vector<std::string> tags;  ///< whose keys are removed
  };
  /// Hands everything over.
  Changes take();
  /// Puts back what could not be replayed, behind what has come since: a newer write or removal wins.
  void put_back(Changes changes);

 private:
  using Writes = std::list<Write>;
  using Place = typename Writes::iterator;
  static std::size_t bytes_of(const Write& write) noexcept;
  static OnlyIf in_place_of(OnlyIf older, OnlyIf newer) noexcept;
  static std::size_t bytes_of(std::string_view key) noexcept;
  void forget(Place write);
  void forget_increment(std::string_view key);
  void drop(Place write);
  bool removes_everything() const noexcept { return !patterns_.empty() && patterns_.front() == everything_; }
  void remove_key(std::string key);
  void remove_pattern(std::string pattern);
  void remove_tag(std::string tag);
  static bool has_tag(const Write& write, const std::string& tag);
  void widen_largest_group();
  void keep_within_bounds();

  std::size_t max_bytes_;
  std::string everything_;
  Wider wider_;
  const void* context_;
  Writes writes_;  // oldest first; the index's keys are views of theirs
  std::unordered_map<std::string_view, Place> by_key_;
  std::unordered_set<String> erased_;  // none of them is among writes_
  std::unordered_map<String, Increment> increments_;
  std::vector<std::string> patterns_;  // everything_ stands alone
  std::vector<std::string> tags_;      // whose keys are removed
  std::size_t bytes_ = 0;              // of writes_ and increments_
  std::size_t erased_bytes_ = 0;       // of erased_
  std::uint64_t dropped_ = 0;
  std::uint64_t widened_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/pending_changes.ipp"
#endif
