// Open addressing over entries: linear probing, backward-shift deletion (Knuth, TAOCP 3, 6.4, algorithm R), no
// tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cascor/memory/entry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Entries by key. Guarded by the shard's lock. Owns nothing. At most three quarters full, and given back when it has
/// become less than a quarter full, so that it weighs little beside what it holds.
template <class Value>
class HashTable {
 public:
  using Node = Entry<Value>;
  /// Bytes of the table an entry: a slot of 16, half full on average.
  static constexpr std::size_t bytes_per_entry = 32;

  Node* find(std::uint64_t hash, std::string_view key) const noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t i = home(hash);; i = next(i)) {
      const Slot& slot = slots_[i];
      if (slot.entry == nullptr) return nullptr;
      if (slot.hash == hash && slot.entry->key() == key) return slot.entry;
    }
  }
  /// Makes room for one more, so that the insert that follows cannot fail. May throw std::bad_alloc, changing nothing.
  /// O(1) on average.
  void reserve_one() {
    if (slots_.empty() || (size_ + 1) * 4 > slots_.size() * 3) {
      resize(slots_.empty() ? fewest : slots_.size() * 2);
    } else if (slots_.size() > fewest && size_ * 4 < slots_.size()) {
      try {
        resize(slots_.size() / 2);
      } catch (...) {  // it stays larger than it need be
      }
    }
  }
  void insert(Node& entry) noexcept {
    place(entry);
    ++size_;
  }
  void replace(const Node& old, Node& by) noexcept { slots_[position(old)].entry = &by; }
  void erase(const Node& entry) noexcept { close(position(entry)); }
  /// Erases every entry for which `leaves` is true, which may already have done with it what it likes. O(slots).
  template <class Leaves>
  void erase_if(Leaves&& leaves) {
    // Closing a gap only moves entries from further on to it or behind it, also round the end: none is passed over.
    for (std::size_t i = 0; i < slots_.size();) {
      if (slots_[i].entry != nullptr && leaves(*slots_[i].entry)) {
        close(i);
      } else {
        ++i;
      }
    }
  }
  void clear() noexcept {
    slots_ = {};
    size_ = 0;
  }
  std::size_t size() const noexcept { return size_; }
  std::size_t slots() const noexcept { return slots_.size(); }
  /// Visits every entry; `visit` must not change the table.
  template <class Visit>
  void each(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.entry != nullptr) visit(*slot.entry);
    }
  }

 private:
  static constexpr std::size_t fewest = 16;
  struct Slot {
    std::uint64_t hash = 0;
    Node* entry = nullptr;
  };
  std::size_t home(std::uint64_t hash) const noexcept { return static_cast<std::size_t>(hash) & (slots_.size() - 1); }
  std::size_t next(std::size_t i) const noexcept { return (i + 1) & (slots_.size() - 1); }
  std::size_t distance(std::size_t from, std::size_t to) const noexcept { return (to - from) & (slots_.size() - 1); }
  std::size_t position(const Node& entry) const noexcept {
    std::size_t i = home(entry.hash);
    while (slots_[i].entry != &entry) i = next(i);
    return i;
  }
  void place(Node& entry) noexcept {
    std::size_t i = home(entry.hash);
    while (slots_[i].entry != nullptr) i = next(i);
    slots_[i] = Slot{entry.hash, &entry};
  }
  void close(std::size_t gap) noexcept {
    for (std::size_t i = next(gap); slots_[i].entry != nullptr; i = next(i)) {
      const std::size_t start = home(slots_[i].hash);
      if (distance(start, i) < distance(gap, i)) continue;  // it would come to stand before its home
      slots_[gap] = slots_[i];
      gap = i;
    }
    slots_[gap] = Slot{};
    --size_;
  }
  void resize(std::size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.entry != nullptr) place(*slot.entry);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
