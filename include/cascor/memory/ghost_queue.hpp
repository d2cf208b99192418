// Who left lately: the hashes of entries that are gone, sixteen to a cache line.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The newest so many hashes that were added, but for a few: a hash has one line where it may be, and the oldest of
/// more than sixteen newest ones in a line makes way early (one in a hundred at most). Its line and 16 more of its bits
/// are what is known of it, so contains() is wrong once in some five thousand times. Their order is kept by 16 bits
/// too: exact for ten thousand, and to some hundredths of a percent of all beyond. All that costs a cache nothing but a
/// worse guess. Guarded by the shard's lock, but for expect().
template <class CascorWhenUsed = void>
class GhostQueue {
 public:
  /// Bytes of memory for each of the `room` ghosts: 5 to 7, and in a cache that shrinks up to 20 for a while.
  static constexpr std::size_t bytes_per_ghost = 8;

  GhostQueue() = default;
  GhostQueue(const GhostQueue&) = delete;
  GhostQueue& operator=(const GhostQueue&) = delete;
  ~GhostQueue() = default;

  /// Remembers `hash` among the newest `room`. May throw std::bad_alloc, changing nothing.
  void add(std::uint64_t hash, std::size_t room) {
    if (room == 0) return clear();
    if (room > lines_.size() * most_in_line || (lines_.size() > fewest && room * 4 < lines_.size() * most_in_line)) {
      resize(std::max(fewest, room * 5 / 4 / most_in_line + 1));
    }
    size_ = std::min(size_ + 1, room);
    ++added_;
    const std::uint16_t mark = mark_of(hash);
    Line& line = lines_[line_of(hash)];
    // In place of itself, else of the oldest one; one that was never used is older than any.
    std::size_t place = 0;
    std::uint32_t oldest = 0;
    for (std::size_t i = 0; i < width; ++i) {
      std::uint32_t age = age_of(line.times[i]);
      if (line.marks[i] == 0) age = never;
      if (line.marks[i] == mark) age = never + 1;
      place = age > oldest ? i : place;
      oldest = std::max(age, oldest);
    }
    line.marks[place] = mark;
    line.times[place] = time();
  }
  bool contains(std::uint64_t hash) const noexcept {
    if (lines_.empty()) return false;
    const std::uint16_t mark = mark_of(hash);
    const Line& line = lines_[line_of(hash)];
    for (std::size_t i = 0; i < width; ++i) {
      if (line.marks[i] == mark && is_remembered(line.times[i])) return true;
    }
    return false;
  }
  /// Has the line of this hash brought near. The one member that needs no lock: to ask for a line that is none any more
  /// does no harm.
  void expect(std::uint64_t hash) const noexcept {
    const std::uintptr_t line =
        reinterpret_cast<std::uintptr_t>(first_.load(std::memory_order_relaxed)) + line_of(hash) * sizeof(Line);
    __builtin_prefetch(reinterpret_cast<const void*>(line), 1);  // NOLINT(performance-no-int-to-ptr)
  }
  std::size_t size() const noexcept { return size_; }
  void clear() noexcept {
    GhostQueue none;
    swap(none);
  }
  void swap(GhostQueue& other) noexcept {
    lines_.swap(other.lines_);
    know_lines();
    other.know_lines();
    std::swap(added_, other.added_);
    std::swap(unit_, other.unit_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr std::size_t width = 16;
  static constexpr std::size_t most_in_line = 12;  // on average
  static constexpr std::size_t fewest = 16;
  static constexpr std::uint32_t never = 1U << 16U;  // an age that none reaches
  struct alignas(64) Line {
    std::array<std::uint16_t, width> marks{};  // 0: none
    std::array<std::uint16_t, width> times{};  // when it was added, in units of 2^unit_ additions; it may wrap
  };

  // The hash's upper half says where; the shard is chosen by its second byte and a little of its third.
  static std::uint16_t mark_of(std::uint64_t hash) noexcept {
    const auto mark = static_cast<std::uint16_t>(hash ^ hash >> 16U);
    return mark == 0 ? std::uint16_t{1} : mark;
  }
  std::size_t line_of(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(((hash >> 32U) * count_.load(std::memory_order_relaxed)) >> 32U);
  }
  std::uint16_t time() const noexcept { return static_cast<std::uint16_t>(added_ >> unit_); }
  std::uint32_t age_of(std::uint16_t then) const noexcept { return static_cast<std::uint16_t>(time() - then); }
  bool is_remembered(std::uint16_t then) const noexcept { return age_of(then) << unit_ < size_; }
  // A line becomes the newest of all those that its hashes may have been in: of two or of a half where the number of
  // lines doubles or halves.
  void resize(std::size_t count) {
    std::vector<Line> lines(count);
    // So that the oldest that is remembered is a quarter of the way around.
    const auto bits = static_cast<unsigned>(std::bit_width(count * most_in_line));
    const unsigned unit = bits > 14 ? bits - 14 : 0;
    const std::size_t before = lines_.size();
    for (std::size_t to = 0; to < count && before != 0; ++to) {
      const std::size_t last = std::min(before, ((to + 1) * before + count - 1) / count);
      for (std::size_t from = to * before / count; from < last; ++from) merge(lines_[from], lines[to], unit);
    }
    lines_.swap(lines);
    unit_ = unit;
    know_lines();
  }
  void merge(const Line& from, Line& to, unsigned unit) const noexcept {
    const auto now = static_cast<std::uint16_t>(added_ >> unit);
    for (std::size_t i = 0; i < width; ++i) {
      if (from.marks[i] == 0 || !is_remembered(from.times[i])) continue;
      const auto age = static_cast<std::uint16_t>((std::size_t{age_of(from.times[i])} << unit_) >> unit);
      std::size_t place = 0;
      std::uint32_t oldest = 0;
      for (std::size_t k = 0; k < width; ++k) {
        const std::uint32_t other = to.marks[k] == 0 ? never : static_cast<std::uint16_t>(now - to.times[k]);
        if (other > oldest) {
          oldest = other;
          place = k;
        }
      }
      if (oldest < age) continue;
      to.marks[place] = from.marks[i];
      to.times[place] = static_cast<std::uint16_t>(now - age);
    }
  }
  void know_lines() noexcept {
    first_.store(lines_.data(), std::memory_order_relaxed);
    count_.store(lines_.size(), std::memory_order_relaxed);
  }

  std::atomic<const Line*> first_{nullptr};  // of `lines_`, for expect()
  std::atomic<std::size_t> count_{0};
  std::vector<Line> lines_;
  std::uint64_t added_ = 0;
  unsigned unit_ = 0;
  std::size_t size_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
