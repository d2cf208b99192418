// One entry of the memory cache, and the handle that keeps it alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

/// Why an entry left.
enum class Removal : unsigned char { none, erased, replaced, expired, evicted };

/// What an eviction policy keeps in each entry. Guarded by the shard's lock; once the entry has left its shard, by
/// whoever removed it.
struct PolicyNode {
  PolicyNode* newer = nullptr;
  PolicyNode* older = nullptr;
  std::uint64_t hash = 0;
  std::size_t charge = 0;
  std::uint8_t frequency = 0;
  bool in_main = false;
  Removal removal = Removal::none;
};

/// One block: header, value, and behind it the key's bytes. Key and value never change once it is shared; the policy's
/// part is guarded by the shard's lock; the last reference deletes it.
template <class Value>
struct Entry : PolicyNode {
  static constexpr std::size_t max_key_size = std::numeric_limits<std::uint32_t>::max();

  TimePoint stored;
  std::atomic<TimePoint::rep> expiry;  // written under the shard's lock
  std::atomic<std::uint32_t> references{1};
  std::uint32_t key_size;
  Value value;

  TimePoint expires() const noexcept { return TimePoint{TimePoint::duration{expiry.load(std::memory_order_relaxed)}}; }
  void expire_at(TimePoint at) noexcept { expiry.store(at.time_since_epoch().count(), std::memory_order_relaxed); }
  std::string_view key() const noexcept { return {reinterpret_cast<const char*>(this + 1), key_size}; }

  /// The key has at most max_key_size bytes. Throws what allocation or Value's move throws; nothing is left behind
  /// then.
  static Entry* make(std::string_view key, Value&& value, TimePoint stored, TimePoint expires) {
    void* const block = allocate(sizeof(Entry) + key.size());
    try {
      auto* entry = ::new (block) Entry(key, std::move(value), stored, expires);
      if (!key.empty()) std::memcpy(static_cast<void*>(entry + 1), key.data(), key.size());
      return entry;
    } catch (...) {
      deallocate(block);
      throw;
    }
  }
  void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  static void release(Entry* entry) noexcept {
    if (entry->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    entry->~Entry();
    deallocate(entry);
  }

 private:
  // Round brackets: in braces a json or a vector of any would become a list that holds the value.
  Entry(std::string_view key, Value&& v, TimePoint s, TimePoint e)
      : stored{s},
        expiry{e.time_since_epoch().count()},
        key_size{static_cast<std::uint32_t>(key.size())},
        value(std::move(v)) {}

  static void* allocate(std::size_t size) {
    if constexpr (alignof(Entry) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      return ::operator new (size, std::align_val_t{alignof(Entry)});
    } else {
      return ::operator new(size);
    }
  }
  static void deallocate(void* block) noexcept {
    if constexpr (alignof(Entry) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      ::operator delete (block, std::align_val_t{alignof(Entry)});
    } else {
      ::operator delete(block);
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
  CacheHandle(CacheHandle&& other) noexcept : entry_{std::exchange(other.entry_, nullptr)} {}
  CacheHandle& operator=(CacheHandle other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~CacheHandle() {
    if (entry_ != nullptr) detail::Entry<Value>::release(entry_);
  }

  explicit operator bool() const noexcept { return entry_ != nullptr; }
  /// The value; undefined on an empty handle, as with any smart pointer.
  const Value& operator*() const noexcept { return entry_->value; }
  const Value* operator->() const noexcept { return std::addressof(entry_->value); }
  const Value* get() const noexcept { return entry_ != nullptr ? std::addressof(entry_->value) : nullptr; }

  /// When it was stored and when it expires (TimePoint::max(): never), on the cache's clock. Undefined on an empty one.
  TimePoint stored_at() const noexcept { return entry_->stored; }
  TimePoint expires_at() const noexcept { return entry_->expires(); }

  friend bool operator==(const CacheHandle& a, const CacheHandle& b) noexcept { return a.entry_ == b.entry_; }

  /// For the cache: takes over one reference; tells which entry it is.
  static CacheHandle adopt(detail::Entry<Value>* entry) noexcept {
    CacheHandle handle;
    handle.entry_ = entry;
    return handle;
  }
  detail::Entry<Value>* node() const noexcept { return entry_; }

 private:
  detail::Entry<Value>* entry_ = nullptr;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
