// The writes that wait to be sent behind their callers' backs: the newest of each key, in the order in which they were
// made. No I/O, no clock, no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/key.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Two generations: one that fills, in which a newer write takes the older one's place and goes to the back, and one
/// that is being sent, which never changes and is sent whole, front to back, before the next one. So the newest values
/// leave in the order in which they were written, a key that is written without end leaves once a generation, and what
/// was queued at some moment has left when that moment's generation has. A removal is an entry without a value. Bounded
/// by its owner, by keys and bytes. Guarded by its owner; entries of the generation that is being sent may be read
/// without.
template <class CascorWhenUsed = void>
class QueuedWrites {
 public:
  struct Entry {
    std::string key;
    std::shared_ptr<const std::string> bytes;  ///< null: the key is to be removed
    TimePoint expires = TimePoint::max();
    TimePoint queued{};
    Prefix prefix = Prefix::other;
    std::shared_ptr<const ValueTags> tags;
    bool settled = false;  ///< sent, or otherwise no longer this queue's

    bool is_removal_at(TimePoint now) const noexcept { return !bytes || expires <= now; }
  };

  /// Queues it; true when it took the place of one that waited, which `entry` then holds.
  bool put(Entry& entry);
  /// The newest of the key, whether it still waits or is being sent; null where there is none.
  const Entry* find(std::string_view key) const;
  /// Puts a removal in the place of each queued value that `match` takes; how many of them were alive at `now`.
  template <class Match>
  std::size_t remove_if(const Match& match, TimePoint now) {
    std::vector<const Entry*> found;
    for (const Generation* in : {&waiting_, &leaving_}) {
      for (const Entry& entry : in->order) {
        if (entry.bytes && match(entry) && find(entry.key) == &entry) found.push_back(&entry);
      }
    }
    std::size_t alive = 0;
    for (const Entry* entry : found) {
      if (!entry->is_removal_at(now)) ++alive;
      Entry removal;
      removal.key = entry->key;
      removal.prefix = entry->prefix;
      removal.queued = now;
      (void)put(removal);
    }
    return alive;
  }

  /// Keys that are queued, and their bytes with what is around them; one that waits while it is being sent counts
  /// twice.
  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return size_ == 0; }

  /// The generation that fills, or the one before it while it is empty: what was queued until now is in it or in an
  /// earlier one.
  std::uint64_t newest() const noexcept { return waiting_.order.empty() ? filling_ - 1 : filling_; }
  /// The newest generation that holds the key; 0 where none does.
  std::uint64_t generation_of(std::string_view key) const;
  /// All generations up to this one have left.
  std::uint64_t left() const noexcept { return leaving_.order.empty() ? filling_ - 1 : filling_ - 2; }

  /// Appends to `chunk` what is to be sent next, at most `most` entries or about `most_bytes`: either writes only or
  /// removals only, which a value that has expired meanwhile is one of, as it still took the place of the value before
  /// it. Nothing where nothing is queued.
  void next(std::vector<const Entry*>& chunk, TimePoint now, std::size_t most, std::size_t most_bytes);

  struct Generation {
    std::list<Entry> order;
    std::unordered_map<std::string_view, typename std::list<Entry>::iterator> index;
  };
  /// The first `count` entries of what is being sent are done. Gives the generation back when all of it is, for its
  /// owner to clear where no lock is held, and to give to reuse().
  Generation settle(std::size_t count);
  void reuse(Generation spent) { spare_ = std::move(spent); }

 private:
  static std::size_t bytes_of(const Entry& entry) noexcept;

  Generation waiting_;
  Generation leaving_;
  Generation spare_;                            // empty, with room
  typename std::list<Entry>::iterator next_{};  // of leaving_, the first not settled
  std::uint64_t filling_ = 1;                   // waiting_'s number; leaving_ has the one before
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/queued_writes.ipp"
#endif
