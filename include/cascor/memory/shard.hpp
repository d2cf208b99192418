// One shard: a table, a policy and the mutex that guards both. An entry's value is immutable; what leaves the shard is
// handed out in a Removed list and destroyed by the caller, outside the lock.
#pragma once

#include <cstddef>
#include <mutex>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cascor/core/eviction.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/hash_table.hpp"
#include "cascor/memory/lru_policy.hpp"
#include "cascor/memory/s3fifo_policy.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Entries that have left a shard, each with its reason. Destroying the list releases them.
template <class Value>
class Removed {
 public:
  Removed() = default;
  Removed(const Removed&) = delete;
  Removed& operator=(const Removed&) = delete;
  ~Removed() {
    while (first_ != nullptr) Entry<Value>::release(pop());
  }
  void add(Entry<Value>& entry, Removal why) noexcept {
    entry.removal = why;
    entry.older = first_;
    first_ = &entry;
  }
  template <class Visit>
  void each(Visit&& visit) const {
    for (PolicyNode* node = first_; node != nullptr; node = node->older) visit(static_cast<const Entry<Value>&>(*node));
  }

 private:
  Entry<Value>* pop() noexcept { return static_cast<Entry<Value>*>(std::exchange(first_, first_->older)); }
  PolicyNode* first_ = nullptr;
};

template <class Value>
class alignas(64) Shard {
 public:
  using Node = Entry<Value>;

  explicit Shard(Eviction eviction) {
    if (eviction == Eviction::s3fifo) policy_.template emplace<S3FifoPolicy>();
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard() {
    Removed<Value> removed;
    clear(removed);
  }

  /// The live entry of the key, retained for the caller; one that has expired leaves.
  Node* get(std::size_t hash, std::string_view key, Now& now, Removed<Value>& removed) {
    const std::lock_guard lock{mutex_};
    Node* const entry = live(hash, key, now, removed);
    if (entry == nullptr) return nullptr;
    std::visit([entry](auto& policy) { policy.hit(*entry); }, policy_);
    entry->retain();
    return entry;
  }
  bool contains(std::size_t hash, std::string_view key, Now& now, Removed<Value>& removed) {
    const std::lock_guard lock{mutex_};
    return live(hash, key, now, removed) != nullptr;
  }
  /// Puts `entry` in, in place of any other of its key, if `reserve(more)` grants the bytes it needs beyond those of
  /// the one it replaces (a negative number gives some back). With `expected` set, only in place of that very entry.
  enum class Put : unsigned char { done, no_room, not_expected };
  template <class Reserve>
  Put put(Node& entry, const Node* expected, Now& now, Removed<Value>& removed, Reserve&& reserve) {
    const std::lock_guard lock{mutex_};
    Node* const old = table_.find(entry.hash, entry.key());
    if (expected != nullptr && old != expected) return Put::not_expected;
    const std::size_t freed = old != nullptr ? old->charge : 0;
    if (old == nullptr) table_.reserve_one();
    if (!reserve(static_cast<std::ptrdiff_t>(entry.charge) - static_cast<std::ptrdiff_t>(freed))) return Put::no_room;
    if (old == nullptr) {
      table_.insert(entry);
      std::visit([&entry](auto& policy) { policy.inserted(entry); }, policy_);
    } else {
      table_.replace(*old, entry);
      std::visit([&entry, old](auto& policy) { policy.replaced(*old, entry); }, policy_);
      old->charge_passed_on = true;
      removed.add(*old, has_expired(*old, now) ? Removal::expired : Removal::replaced);
    }
    return Put::done;
  }
  /// Was a live entry of the key removed? One that has expired leaves too, and does not count.
  bool erase(std::size_t hash, std::string_view key, Now& now, Removed<Value>& removed) {
    const std::lock_guard lock{mutex_};
    Node* const entry = live(hash, key, now, removed);
    if (entry == nullptr) return false;
    take(*entry, Removal::erased, removed);
    return true;
  }
  /// Removes every entry whose key `matches`; how many of them were alive.
  template <class Matches>
  std::size_t erase_if(Now& now, Removed<Value>& removed, Matches&& matches) {
    const std::lock_guard lock{mutex_};
    std::vector<Node*> found;
    table_.each([&](Node& entry) {
      if (matches(entry.key())) found.push_back(&entry);
    });
    std::size_t alive = 0;
    for (Node* const entry : found) {
      const bool expired = has_expired(*entry, now);
      alive += expired ? 0 : 1;
      take(*entry, expired ? Removal::expired : Removal::erased, removed);
    }
    return alive;
  }
  /// Evicts the entry that the policy names; false where there is none.
  bool evict_one(Now& now, Removed<Value>& removed) {
    const std::lock_guard lock{mutex_};
    PolicyNode* const victim = std::visit([](auto& policy) { return policy.victim(); }, policy_);
    if (victim == nullptr) return false;
    auto& entry = static_cast<Node&>(*victim);
    take(entry, has_expired(entry, now) ? Removal::expired : Removal::evicted, removed);
    return true;
  }
  void clear(Removed<Value>& removed) {
    const std::lock_guard lock{mutex_};
    while (PolicyNode* const victim = std::visit([](auto& policy) { return policy.victim(); }, policy_)) {
      take(static_cast<Node&>(*victim), Removal::erased, removed);
    }
  }
  std::size_t size() const {
    const std::lock_guard lock{mutex_};
    return table_.size();
  }

 private:
  Node* live(std::size_t hash, std::string_view key, Now& now, Removed<Value>& removed) {
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr) return nullptr;
    if (!has_expired(*entry, now)) return entry;
    take(*entry, Removal::expired, removed);
    return nullptr;
  }
  static bool has_expired(const Node& entry, Now& now) noexcept {
    return entry.expires != TimePoint::max() && entry.expires <= now();
  }
  void take(Node& entry, Removal why, Removed<Value>& removed) noexcept {
    table_.erase(entry);
    std::visit([&entry, why](auto& policy) { policy.removed(entry, why == Removal::evicted); }, policy_);
    removed.add(entry, why);
  }

  mutable std::mutex mutex_;
  HashTable<Value> table_;
  std::variant<LruPolicy, S3FifoPolicy> policy_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
