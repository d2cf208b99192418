// One entry of the memory cache, and the handle that keeps it alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "cascor/core/ttl.hpp"
#include "cascor/memory/policy_node.hpp"
#include "cascor/memory/thread_slots.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

/// One block: its group's links and its times, where it has any; the header; the value; the key's size where that is no
/// short one; the key's bytes. Key and value never change once it is shared, the end of its life is written under the
/// shard's lock, and the last reference deletes it.
template <class Value>
class Entry : public PolicyNode {
 public:
  struct Times {
    TimePoint stored;
    std::atomic<TimePoint::rep> expires;
  };

  // What entries of one group are linked by: those of a value type that asks for it are found by group, for
  // invalidations that do not look at the rest. Guarded by the shard's lock.
  static constexpr bool is_grouped = requires { typename Value::KeptByGroup; };
  struct GroupLinks {
    Entry* newer = nullptr;
    Entry* older = nullptr;
    std::uint32_t group = 0;
    std::uint32_t generation = 0;
  };

  Value value;

  std::string_view key() const noexcept {
    const char* const behind = reinterpret_cast<const char*>(this) + sizeof(Entry);
    if (key_size_ != long_key) return {behind, static_cast<std::size_t>(key_size_)};
    std::size_t size = 0;
    std::memcpy(&size, behind, sizeof size);
    return {behind + sizeof size, size};
  }
  [[gnu::always_inline]] bool has_key(std::string_view wanted) const noexcept {
    if (wanted.size() >= long_key) return key() == wanted;
    if (wanted.size() != key_size_) return false;
    const char* const mine = reinterpret_cast<const char*>(this) + sizeof(Entry);
    const std::size_t size = wanted.size();
    if (size < 8 || size > 32) return size == 0 || std::memcmp(mine, wanted.data(), size) == 0;
    // Without a call for keys as short as most are; the last word may overlap the one before.
    std::uint64_t differ = word(mine + size - 8) ^ word(wanted.data() + size - 8);
    differ |= word(mine) ^ word(wanted.data());
    for (std::size_t at = 8; at + 8 < size; at += 8) differ |= word(mine + at) ^ word(wanted.data() + at);
    return differ == 0;
  }
  TimePoint stored() const noexcept {
    if (has_times()) return times().stored;
    return TimePoint{TimePoint::duration{static_cast<TimePoint::rep>(coarse_stored_) << coarse_shift}};
  }
  TimePoint expires() const noexcept {
    if (!has_times()) return TimePoint::max();
    return TimePoint{TimePoint::duration{times().expires.load(std::memory_order_relaxed)}};
  }
  /// It has times.
  void expires(TimePoint at) noexcept {
    times().expires.store(at.time_since_epoch().count(), std::memory_order_relaxed);
  }
  /// It has times, and its value type is grouped.
  GroupLinks& links() const noexcept {
    char* const here = const_cast<char*>(reinterpret_cast<const char*>(this));
    return *std::launder(reinterpret_cast<GroupLinks*>(here - sizeof(Times) - sizeof(GroupLinks)));
  }
  [[gnu::always_inline]] bool has_expired(Now& now) const noexcept { return has_times() && now.has_passed(expires()); }

  /// Bytes of its block.
  static constexpr std::size_t block_size(std::size_t key_size, bool with_times) noexcept {
    return (with_times ? times_size : 0) + sizeof(Entry) + (key_size < long_key ? 0 : sizeof(std::size_t)) + key_size;
  }
  /// With times of its own, or without: then it never expires, and tells when it was stored to a fifteenth of a second.
  /// Throws what allocation or Value's move throws; nothing is left behind then.
  static Entry* make(std::string_view key, Value&& value, TimePoint stored, TimePoint expires, bool with_times) {
    char* const block = allocate(block_size(key.size(), with_times));
    char* const place = block + (with_times ? times_size : 0);
    try {
      auto* const entry = ::new (place) Entry(std::move(value));
      if (!entry->can_be_linked()) {
        entry->~Entry();
        throw std::bad_alloc{};
      }
      entry->has_times(with_times);
      if (with_times) {
        ::new (block + times_size - sizeof(Times)) Times{stored, expires.time_since_epoch().count()};
        if constexpr (is_grouped) ::new (block + times_size - sizeof(Times) - sizeof(GroupLinks)) GroupLinks{};
      } else {
        entry->coarse_stored_ = coarse(stored);
      }
      entry->put_key(key);
      return entry;
    } catch (...) {
      deallocate(block);
      throw;
    }
  }
  static void release(Entry* entry) noexcept {
    if (!entry->let_go()) return;
    char* const block = reinterpret_cast<char*>(entry) - (entry->has_times() ? times_size : 0);
    entry->~Entry();
    deallocate(block);
  }
  /// Has it brought near; may be called of any address.
  void expect() const noexcept {
    __builtin_prefetch(this, 1);
    __builtin_prefetch(reinterpret_cast<const char*>(this) + 64);
  }
  /// The same of what the value's first word points to, if it points anywhere: mostly that is what the value owns.
  void expect_value() const noexcept {
    if constexpr (sizeof(Value) >= sizeof(void*)) {
      const void* first = nullptr;
      std::memcpy(&first, static_cast<const void*>(std::addressof(value)), sizeof first);
      __builtin_prefetch(first, 1);
    }
  }
  /// Of an entry that has just left its shard, before the shard's own reference goes: what threads' slots hold is from
  /// now on counted, and the slots are marked. No slot takes it any more. O(threads) for one that was seen, else O(1).
  void hand_over(ThreadSlots* first) noexcept {
    if (!was_seen()) return;
    const auto mine = reinterpret_cast<std::uintptr_t>(static_cast<PolicyNode*>(this));
    for (ThreadSlots* thread = first; thread != nullptr; thread = thread->next) {
      for (auto& slot : thread->held) {
        if (slot.load(std::memory_order_acquire) != mine) continue;
        retain();
        std::uintptr_t held = mine;
        if (!slot.compare_exchange_strong(held, mine | 1U, std::memory_order_acq_rel)) (void)let_go();
      }
    }
  }

  /// May its value be exchanged, the shard being closed: is there no handle?
  bool is_held_by_none(const ThreadSlots* first) noexcept {
    if (!is_alone()) return false;
    if (!was_seen()) return true;
    const auto mine = reinterpret_cast<std::uintptr_t>(static_cast<PolicyNode*>(this));
    for (const ThreadSlots* thread = first; thread != nullptr; thread = thread->next) {
      for (const auto& slot : thread->held) {
        if (slot.load(std::memory_order_acquire) == mine) return false;
      }
    }
    not_seen();
    return true;
  }
  /// Of one that no handle holds, the shard being closed.
  void stored(TimePoint at) noexcept {
    if (has_times()) {
      times().stored = at;
    } else {
      coarse_stored_ = coarse(at);
    }
  }

 private:
  static std::uint64_t word(const char* at) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  static std::uint32_t coarse(TimePoint at) noexcept {
    return static_cast<std::uint32_t>(at.time_since_epoch().count() >> coarse_shift);
  }
  static constexpr std::uint8_t long_key = 255;
  static constexpr std::size_t alignment = alignof(Value) > alignof(Times) ? alignof(Value) : alignof(Times);
  static constexpr std::size_t times_size =
      (sizeof(Times) + (is_grouped ? sizeof(GroupLinks) : 0) + alignment - 1) / alignment * alignment;

  // Round brackets: in braces a json or a vector of any would become a list that holds the value.
  explicit Entry(Value&& v) : value(std::move(v)) {}

  Times& times() const noexcept {
    char* const here = const_cast<char*>(reinterpret_cast<const char*>(this));
    return *std::launder(reinterpret_cast<Times*>(here - sizeof(Times)));
  }
  void put_key(std::string_view key) noexcept {
    char* behind = reinterpret_cast<char*>(this) + sizeof(Entry);
    if (key.size() < long_key) {
      key_size_ = static_cast<std::uint8_t>(key.size());
    } else {
      key_size_ = long_key;
      const std::size_t size = key.size();
      std::memcpy(behind, &size, sizeof size);
      behind += sizeof size;
    }
    if (!key.empty()) std::memcpy(behind, key.data(), key.size());
  }
  static char* allocate(std::size_t size) {
    if constexpr (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      return static_cast<char*>(::operator new (size, std::align_val_t{alignment}));
    } else {
      return static_cast<char*>(::operator new(size));
    }
  }
  static void deallocate(char* block) noexcept {
    if constexpr (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      ::operator delete (block, std::align_val_t{alignment});
    } else {
      // The analyzer loses track of where the block begins: before the entry, by what stands in front of it.
      ::operator delete(block);  // NOLINT(clang-analyzer-cplusplus.NewDelete)
    }
  }
};

}  // namespace detail

/// A shared hold on a cached value: like std::shared_ptr<const Value>, at one allocation less. The value outlives
/// eviction, clear() and the cache itself as long as a handle does. Copying is one relaxed increment. Distinct handles
/// may be used from distinct threads.
template <class Value>
class [[nodiscard]] CacheHandle {
 public:
  CacheHandle() noexcept = default;
  CacheHandle(const CacheHandle& other) noexcept : entry_{other.entry_} {
    if (entry_ != nullptr) entry_->retain();
  }
  CacheHandle(CacheHandle&& other) noexcept
      : entry_{std::exchange(other.entry_, nullptr)}, slot_{std::exchange(other.slot_, nullptr)} {}
  CacheHandle& operator=(CacheHandle other) noexcept {
    std::swap(entry_, other.entry_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~CacheHandle() {
    if (entry_ == nullptr) return;
    if (slot_ != nullptr && (slot_->exchange(0, std::memory_order_acq_rel) & 1U) == 0) return;
    detail::Entry<Value>::release(entry_);
  }

  explicit operator bool() const noexcept { return entry_ != nullptr; }
  /// The value; undefined on an empty handle, as with any smart pointer.
  const Value& operator*() const noexcept { return entry_->value; }
  const Value* operator->() const noexcept { return std::addressof(entry_->value); }
  const Value* get() const noexcept { return entry_ != nullptr ? std::addressof(entry_->value) : nullptr; }

  /// When it was stored and when it expires (TimePoint::max(): never), on the cache's clock. The former to the
  /// nanosecond if it was given a TTL, else to a fifteenth of a second, earlier rather than later. Undefined on an
  /// empty one.
  TimePoint stored_at() const noexcept { return entry_->stored(); }
  TimePoint expires_at() const noexcept { return entry_->expires(); }

  friend bool operator==(const CacheHandle& a, const CacheHandle& b) noexcept { return a.entry_ == b.entry_; }

  /// For the cache: takes over one reference, or one slot of a thread that holds the entry; tells which entry it is.
  static CacheHandle adopt(detail::Entry<Value>* entry, std::atomic<std::uintptr_t>* slot = nullptr) noexcept {
    CacheHandle handle;
    handle.entry_ = entry;
    handle.slot_ = slot;
    return handle;
  }
  detail::Entry<Value>* node() const noexcept { return entry_; }

 private:
  detail::Entry<Value>* entry_ = nullptr;
  std::atomic<std::uintptr_t>* slot_ = nullptr;  // null: the reference is counted in the entry
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
