// Open addressing over entries: linear probing, backward-shift deletion (Knuth, TAOCP 3, 6.4, algorithm R), no
// tombstones.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "cascor/memory/entry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Entries by key. Guarded by the shard's lock. Owns nothing.
template <class Value>
class HashTable {
 public:
  using Node = Entry<Value>;

  Node* find(std::size_t hash, std::string_view key) const noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Slot& slot = slots_[i];
      if (slot.entry == nullptr) return nullptr;
      if (slot.hash == hash && slot.entry->key() == key) return slot.entry;
    }
  }
  /// Makes room for one more, so that the insert that follows cannot fail. May throw std::bad_alloc, changing nothing.
  void reserve_one() {
    if (slots_.empty() || (size_ + 1) * 4 > slots_.size() * 3) grow();
  }
  void insert(Node& entry) noexcept {
    place(slots_, entry);
    ++size_;
  }
  void replace(Node& old, Node& by) noexcept { slots_[position(old)].entry = &by; }
  void erase(Node& entry) noexcept {
    std::size_t hole = position(entry);
    for (std::size_t i = (hole + 1) & mask(); slots_[i].entry != nullptr; i = (i + 1) & mask()) {
      const std::size_t home = slots_[i].hash & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = Slot{};
    --size_;
  }
  std::size_t size() const noexcept { return size_; }
  /// Visits every entry; `visit` must not change the table.
  template <class Visit>
  void each(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.entry != nullptr) visit(*slot.entry);
    }
  }

 private:
  struct Slot {
    std::size_t hash = 0;
    Node* entry = nullptr;
  };
  std::size_t mask() const noexcept { return slots_.size() - 1; }
  std::size_t position(const Node& entry) const noexcept {
    std::size_t i = entry.hash & mask();
    while (slots_[i].entry != &entry) i = (i + 1) & mask();
    return i;
  }
  static void place(std::vector<Slot>& slots, Node& entry) noexcept {
    const std::size_t mask = slots.size() - 1;
    std::size_t i = entry.hash & mask;
    while (slots[i].entry != nullptr) i = (i + 1) & mask;
    slots[i] = Slot{entry.hash, &entry};
  }
  void grow() {
    std::vector<Slot> larger(slots_.empty() ? 16 : slots_.size() * 2);
    each([&larger](Node& entry) { place(larger, entry); });
    slots_.swap(larger);
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
