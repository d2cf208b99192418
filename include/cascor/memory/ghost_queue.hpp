// Who left lately: a queue of the hashes of entries that are gone, in 10 bytes each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The newest so many hashes that were added. Each is remembered by 32 of its bits, so contains() is wrong once in some
/// billion times, which costs a cache nothing but a worse guess. Guarded by the shard's lock.
///
/// A ring holds the ghosts by number; those of one chain lead from each to the one before it. Nothing is ever taken out
/// of a chain: it ends where it leads to a number that has left the ring.
template <class CascorWhenUsed = void>
class GhostQueue {
 public:
  /// Bytes of memory for each of the `room` ghosts: 10 in a full ring, which grows in steps of two.
  static constexpr std::size_t bytes_per_ghost = 15;

  /// Remembers `hash` among the newest `room`. May throw std::bad_alloc, changing nothing.
  void add(std::uint64_t hash, std::size_t room) {
    if (room == 0) return clear();
    if (room > ring_.size() || (ring_.size() > fewest && room * 4 < ring_.size())) {
      resize(std::max(fewest, std::bit_ceil(room)));
    }
    size_ = std::min(size_ + 1, room);
    put(mark_of(hash));
  }
  bool contains(std::uint64_t hash) const noexcept {
    if (ring_.empty()) return false;
    const std::uint32_t mark = mark_of(hash);
    std::uint32_t age = 0;
    for (std::uint32_t at = chains_[mark & (chains_.size() - 1)];; at = ghost(at).previous) {
      const std::uint32_t older = next_ - at;
      if (older <= age || older > size_) return false;
      if (ghost(at).mark == mark) return true;
      age = older;
    }
  }
  std::size_t size() const noexcept { return size_; }
  void clear() noexcept { *this = GhostQueue{}; }

 private:
  static constexpr std::size_t fewest = 64;
  struct Ghost {
    std::uint32_t mark = 0;
    std::uint32_t previous = 0;  // the number of the one before in the same chain
  };
  static std::uint32_t mark_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash) ^ static_cast<std::uint32_t>(hash >> 32U);
  }
  const Ghost& ghost(std::uint32_t number) const noexcept { return ring_[number & (ring_.size() - 1)]; }
  void put(std::uint32_t mark) noexcept {
    std::uint32_t& chain = chains_[mark & (chains_.size() - 1)];
    ring_[next_ & (ring_.size() - 1)] = {mark, chain};
    chain = next_++;
  }
  void resize(std::size_t ghosts) {
    GhostQueue larger;
    larger.ring_.resize(ghosts);
    larger.chains_.resize(ghosts / 2);
    larger.size_ = std::min(size_, ghosts);
    for (std::size_t age = larger.size_; age > 0; --age) {
      larger.put(ghost(next_ - static_cast<std::uint32_t>(age)).mark);
    }
    *this = std::move(larger);
  }

  std::vector<Ghost> ring_;            // a power of two
  std::vector<std::uint32_t> chains_;  // the number of each chain's newest
  std::uint32_t next_ = 0;             // the number of the next ghost; it may wrap
  std::size_t size_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
