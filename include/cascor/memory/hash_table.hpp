// Open addressing over entries in chunks of one cache line: seven entries and a byte of the hash of each. A chunk
// counts those that found it full and went on, so a look-up stops where nobody did (as in Facebook's F14; Bronson and
// Shi, 2019); nothing is ever moved by an erase.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory/entry.hpp"
#include "cascor/memory/key_hash.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Entries by key. Guarded by the shard's lock. Owns nothing. At most five sevenths full, as look-ups of what is not
/// there would else often go on to a second line; grows and shrinks by half, so it weighs 13 to 19 bytes an entry.
template <class Value, class Hash = KeyHash>
class HashTable {
 public:
  using Node = Entry<Value>;
  static constexpr std::size_t bytes_per_entry = 16;

  /// Once, before anything else; the hash must outlive it.
  void set_up(const Hash& hash) noexcept { hash_ = &hash; }

  /// Has the line brought near in which a key of this hash is looked for first. The one member that needs no lock: to
  /// ask for a line that is none any more does no harm.
  void expect(std::uint64_t hash) const noexcept {
    const std::uintptr_t line = reinterpret_cast<std::uintptr_t>(first()) + home(hash) * sizeof(Chunk);
    __builtin_prefetch(reinterpret_cast<const void*>(line));  // NOLINT(performance-no-int-to-ptr)
  }
  /// Inlined, as it is a third of a hit; compilers shy away from it.
  [[gnu::always_inline]] Node* find(std::uint64_t hash, std::string_view key) const noexcept {
    const Chunk* const chunks = first();
    if (chunks == nullptr) return nullptr;
    // Nearly always it is here, the only one with its tag, or nowhere.
    const Chunk& chunk = chunks[home(hash)];
    const std::uint64_t slots = slots_with(chunk, tag_of(hash));
    if (slots != 0) {
      Node* const entry = chunk.entries[first_of(slots)];
      if (entry->has_key(key)) return entry;
    }
    if (chunk.passed == 0 && (slots & (slots - 1)) == 0) return nullptr;
    return find_on(hash, key);
  }
  /// The entry whose key has exactly this hash.
  Node* find(std::uint64_t hash) const noexcept {
    return search(hash, [this, hash](const Node& node) noexcept { return (*hash_)(node.key()) == hash; });
  }
  /// Makes room for one more, so that the insert that follows cannot fail. May throw std::bad_alloc, changing nothing.
  /// O(1) on average.
  void reserve_one() {
    if (size_ + 1 > chunks_.size() * most_in_chunk) {
      resize(chunks_.size() + chunks_.size() / 2 + 1);
    } else if (chunks_.size() > fewest && size_ < chunks_.size() * 2) {
      try {
        resize(chunks_.size() / 2);
      } catch (...) {  // it stays larger than it need be
      }
    }
  }
  void insert(std::uint64_t hash, Node& entry) noexcept {
    place(hash, entry);
    ++size_;
  }
  void replace(std::uint64_t hash, const Node& old, Node& by) noexcept {
    const auto [chunk, slot] = position(hash, old);
    chunks_[chunk].entries[slot] = &by;
  }
  void erase(std::uint64_t hash, const Node& entry) noexcept {
    const auto [last, slot] = position(hash, entry);
    for (std::size_t i = home(hash); i != last; i = next(i)) {
      if (chunks_[i].passed != countless) --chunks_[i].passed;
    }
    chunks_[last].tags[slot] = 0;
    --size_;
  }
  /// Visits every entry, which `visit` may erase.
  template <class Visit>
  void each(Visit&& visit) const {
    for (const Chunk& chunk : chunks_) {
      for (std::size_t slot = 0; slot < width; ++slot) {
        if (chunk.tags[slot] != 0) visit(*chunk.entries[slot]);
      }
    }
  }
  /// Of the same hash, or one that is not set up and is thrown away.
  void swap(HashTable& other) noexcept {
    chunks_.swap(other.chunks_);
    know_chunks();
    other.know_chunks();
    std::swap(size_, other.size_);
  }
  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return chunks_.size() * sizeof(Chunk); }
  std::uint64_t hash_of(const Node& entry) const noexcept { return (*hash_)(entry.key()); }

 private:
  static constexpr std::size_t width = 7;
  static constexpr std::size_t most_in_chunk = 5;
  static constexpr std::size_t fewest = 4;
  static constexpr std::uint8_t countless = 255;  // so many went on that it is not counted any more
  struct alignas(64) Chunk {
    std::array<std::uint8_t, width> tags{};  // 0: free
    std::uint8_t passed = 0;                 // entries further on whose way led through here
    std::array<Node*, width> entries{};
  };

  // The hash's upper half says where, its lowest byte is the tag; the shard is chosen by others.
  std::size_t home(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(((hash >> 32U) * count_.load(std::memory_order_relaxed)) >> 32U);
  }
  std::size_t next(std::size_t i) const noexcept { return i + 1 == chunks_.size() ? 0 : i + 1; }
  const Chunk* first() const noexcept { return first_.load(std::memory_order_relaxed); }
  static std::uint8_t tag_of(std::uint64_t hash) noexcept {
    const auto tag = static_cast<std::uint8_t>(hash);
    return tag == 0 ? std::uint8_t{1} : tag;
  }
  static_assert(std::endian::native == std::endian::little);
  // The slots whose tag is this one: the highest bit of each of their bytes.
  static std::uint64_t slots_with(const Chunk& chunk, std::uint8_t tag) noexcept {
    constexpr std::uint64_t lows = 0x7F7F7F7F7F7F7F7F;
    std::uint64_t word = 0;
    std::memcpy(&word, &chunk, sizeof word);  // the count too, which the mask at the end leaves out
    word ^= tag * std::uint64_t{0x0101010101010101};
    return ~(((word & lows) + lows) | word | lows) & 0x0080808080808080;
  }
  static std::size_t first_of(std::uint64_t slots) noexcept {
    return static_cast<std::size_t>(std::countr_zero(slots)) / 8;
  }
  [[gnu::noinline]] Node* find_on(std::uint64_t hash, std::string_view key) const noexcept {
    return search(hash, [key](const Node& node) noexcept { return node.has_key(key); });
  }
  template <class Is>
  Node* search(std::uint64_t hash, const Is& is) const noexcept {
    const std::uint8_t tag = tag_of(hash);
    std::size_t at = home(hash);
    for (std::size_t turns = 0; turns < chunks_.size(); ++turns, at = next(at)) {
      const Chunk& chunk = chunks_[at];
      for (std::uint64_t slots = slots_with(chunk, tag); slots != 0; slots &= slots - 1) {
        Node* const entry = chunk.entries[first_of(slots)];
        if (is(*entry)) return entry;
      }
      if (chunk.passed == 0) return nullptr;
    }
    return nullptr;
  }
  std::pair<std::size_t, std::size_t> position(std::uint64_t hash, const Node& entry) const noexcept {
    const std::uint8_t tag = tag_of(hash);
    for (std::size_t at = home(hash);; at = next(at)) {
      for (std::uint64_t slots = slots_with(chunks_[at], tag); slots != 0; slots &= slots - 1) {
        if (chunks_[at].entries[first_of(slots)] == &entry) return {at, first_of(slots)};
      }
    }
  }
  void place(std::uint64_t hash, Node& entry) noexcept {
    std::size_t at = home(hash);
    std::uint64_t free = slots_with(chunks_[at], 0);
    for (; free == 0; free = slots_with(chunks_[at], 0)) {
      if (chunks_[at].passed != countless) ++chunks_[at].passed;
      at = next(at);
    }
    chunks_[at].tags[first_of(free)] = tag_of(hash);
    chunks_[at].entries[first_of(free)] = &entry;
  }
  void know_chunks() noexcept {
    first_.store(chunks_.data(), std::memory_order_relaxed);
    count_.store(chunks_.size(), std::memory_order_relaxed);
  }
  void resize(std::size_t chunks) {
    std::vector<Chunk> old(chunks < fewest ? fewest : chunks);
    old.swap(chunks_);
    know_chunks();
    for (const Chunk& chunk : old) {
      for (std::size_t slot = 0; slot < width; ++slot) {
        if (chunk.tags[slot] != 0) place(hash_of(*chunk.entries[slot]), *chunk.entries[slot]);
      }
    }
  }

  const Hash* hash_ = nullptr;
  std::atomic<const Chunk*> first_{nullptr};  // of `chunks_`, for look-ups
  std::atomic<std::size_t> count_{0};
  std::size_t size_ = 0;  // here, in the line of a shard's lock, which is written with it
  std::vector<Chunk> chunks_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
