// Who left lately: the hashes of entries that are gone, eight to a cache line.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The newest so many hashes that were added, but for a few: a hash has one line where it may be, and the oldest of
/// more than eight newest ones in a line makes way early (one in a hundred at most). Each is remembered by 32 of its
/// bits, so in a cache of some million entries contains() is wrong once in some ten thousand times. Both cost a cache
/// nothing but a worse guess. Guarded by the shard's lock.
template <class CascorWhenUsed = void>
class GhostQueue {
 public:
  /// Bytes of memory for each of the `room` ghosts: 13 to 19.
  static constexpr std::size_t bytes_per_ghost = 16;

  /// Remembers `hash` among the newest `room`. May throw std::bad_alloc, changing nothing.
  void add(std::uint64_t hash, std::size_t room) {
    if (room == 0) return clear();
    if (room > lines_.size() * most_in_line || (lines_.size() > fewest && room * 4 < lines_.size() * most_in_line)) {
      resize(std::max(fewest, room * 3 / 2 / most_in_line + 1));
    }
    size_ = std::min(size_ + 1, room);
    put({mark_of(hash), next_++});
  }
  bool contains(std::uint64_t hash) const noexcept {
    if (lines_.empty()) return false;
    const std::uint32_t mark = mark_of(hash);
    bool found = false;
    for (const Ghost& ghost : lines_[line_of(mark)].ghosts) found |= ghost.mark == mark && is_remembered(ghost);
    return found;
  }
  /// Has the line of this hash brought near.
  void expect(std::uint64_t hash) const noexcept {
    if (!lines_.empty()) __builtin_prefetch(&lines_[line_of(mark_of(hash))], 1);
  }
  std::size_t size() const noexcept { return size_; }
  void clear() noexcept { *this = GhostQueue{}; }

 private:
  static constexpr std::size_t most_in_line = 5;  // on average
  static constexpr std::size_t fewest = 16;
  struct Ghost {
    std::uint32_t mark = 0;
    std::uint32_t number = 0;  // it may wrap
  };
  struct alignas(64) Line {
    std::array<Ghost, 8> ghosts{};
  };

  static std::uint32_t mark_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash) ^ static_cast<std::uint32_t>(hash >> 32U);
  }
  std::size_t line_of(std::uint32_t mark) const noexcept {
    return static_cast<std::size_t>((std::uint64_t{mark} * lines_.size()) >> 32U);
  }
  std::uint32_t age(const Ghost& ghost) const noexcept { return next_ - ghost.number; }
  bool is_remembered(const Ghost& ghost) const noexcept { return age(ghost) <= size_; }
  void put(Ghost ghost) noexcept {
    auto& ghosts = lines_[line_of(ghost.mark)].ghosts;
    Ghost* place = ghosts.data();
    for (Ghost& one : ghosts) {
      if (one.mark == ghost.mark && is_remembered(one)) {
        place = &one;
        break;
      }
      if (age(one) > age(*place)) place = &one;
    }
    if (age(*place) >= age(ghost)) *place = ghost;
  }
  void resize(std::size_t lines) {
    GhostQueue other;
    other.lines_.resize(lines);
    other.next_ = next_;
    other.size_ = size_;
    for (const Line& line : lines_) {
      for (const Ghost& ghost : line.ghosts) {
        if (is_remembered(ghost)) other.put(ghost);
      }
    }
    *this = std::move(other);
  }

  std::vector<Line> lines_;
  std::uint32_t next_ = 1;  // so that a place that was never used is older than all that are remembered
  std::size_t size_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
