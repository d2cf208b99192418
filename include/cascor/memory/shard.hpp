// One shard: a table, a policy and the mutex that guards both. An entry's value is immutable; what leaves the shard is
// handed out in a Removed list and destroyed by the caller, outside the lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>
#include <variant>

#include "cascor/core/eviction.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/budget.hpp"
#include "cascor/memory/hash_table.hpp"
#include "cascor/memory/load.hpp"
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
  /// `freed`: bytes that now belong to nobody. They are not its whole charge where a successor or an allowance has it.
  void add(Entry<Value>& entry, Removal why, std::size_t freed) noexcept {
    entry.removal = why;
    entry.older = first_;
    first_ = &entry;
    freed_ += freed;
  }
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t freed() const noexcept { return freed_; }
  template <class Visit>
  void each(Visit&& visit) const {
    for (PolicyNode* node = first_; node != nullptr; node = node->older) visit(static_cast<const Entry<Value>&>(*node));
  }

 private:
  Entry<Value>* pop() noexcept { return static_cast<Entry<Value>*>(std::exchange(first_, first_->older)); }
  PolicyNode* first_ = nullptr;
  std::size_t freed_ = 0;
};

/// Part of a cache: the entries whose hash falls to it. Bytes are the caller's to take and to give back. Safe from any
/// thread.
template <class Value>
class alignas(64) Shard {
 public:
  using Node = Entry<Value>;
  using Out = Removed<Value>;

  explicit Shard(Eviction eviction) {
    if (eviction == Eviction::s3fifo) policy_.template emplace<S3FifoPolicy>();
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard() {
    Out out;
    clear(out);
  }

  /// The live entry of the key, retained for the caller; one that has expired leaves.
  Node* get(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    const std::lock_guard lock{mutex_};
    Node* const entry = live(hash, key, now, out);
    if (entry == nullptr) return nullptr;
    std::visit([entry](auto& policy) { policy.hit(*entry); }, policy_);
    entry->retain();
    return entry;
  }
  /// The same, without counting as a use.
  Node* peek(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    const std::lock_guard lock{mutex_};
    Node* const entry = live(hash, key, now, out);
    if (entry != nullptr) entry->retain();
    return entry;
  }
  bool contains(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    const std::lock_guard lock{mutex_};
    return live(hash, key, now, out) != nullptr;
  }

  enum class Put : unsigned char { done, no_room, not_expected };
  /// When a put is carried out; a condition that is left as it is holds always.
  struct Condition {
    OnlyIf only_if = OnlyIf::always;
    const Node* expected = nullptr;  ///< only in place of this very entry, alive
    const Load* load = nullptr;      ///< only where nothing has overtaken it
    bool same_value = false;         ///< the entry's value is what was there, in another form: it overtakes no load
  };
  /// Puts `entry` in, retained for the table, in place of any other of its key, if the condition holds. Its bytes come
  /// from `room`, from the one it replaces and from those evicted for it, as long as more than `keep` entries are here.
  /// May throw std::bad_alloc, changing nothing.
  Put put(Node& entry, const Condition& condition, Now& now, Out& out, Allowance& room, std::size_t keep) {
    const std::lock_guard lock{mutex_};
    Node* old = table_.find(entry.hash, entry.key());
    if (!holds(condition, old, now)) return Put::not_expected;
    if (old == nullptr) {
      table_.reserve_one();
    } else {
      std::visit([old](auto& policy) { policy.hit(*old); }, policy_);  // so that others leave before it
    }
    while (!room.exchange(entry.charge, old != nullptr ? old->charge : 0)) {
      const Node* const victim = table_.size() > keep ? evict(now, out, room) : nullptr;
      if (victim == nullptr) return Put::no_room;
      if (victim == old) old = nullptr;
    }
    if (!condition.same_value) loads_.overtake(entry.key());
    entry.retain();
    if (old == nullptr) {
      table_.insert(entry);
      std::visit([&entry](auto& policy) { policy.inserted(entry); }, policy_);
      count(size() + 1);
    } else {
      table_.replace(*old, entry);
      std::visit([&entry, old](auto& policy) { policy.replaced(*old, entry); }, policy_);
      out.add(*old, has_expired(*old, now) ? Removal::expired : Removal::replaced, 0);
    }
    return Put::done;
  }
  /// Evicts the entry that the policy names and credits its bytes to `room`; false where there is none.
  bool evict_one(Now& now, Out& out, Allowance& room) {
    const std::lock_guard lock{mutex_};
    return evict(now, out, room) != nullptr;
  }

  /// Gives the live entry of the key another end; is there one?
  bool touch(std::uint64_t hash, std::string_view key, TimePoint expires, Now& now, Out& out) {
    const std::lock_guard lock{mutex_};
    Node* const entry = live(hash, key, now, out);
    if (entry != nullptr) entry->expire_at(expires);
    return entry != nullptr;
  }
  /// Calls `visit` with each live entry until it says false; did it never? It must not use the shard.
  template <class Visit>
  bool each_live(Now& now, Visit&& visit) {
    const std::lock_guard lock{mutex_};
    bool more = true;
    table_.each([&](const Node& entry) { more = more && (has_expired(entry, now) || visit(entry)); });
    return more;
  }
  void begin(Load& load) noexcept {
    const std::lock_guard lock{mutex_};
    loads_.add(load);
  }
  void end(Load& load) noexcept {
    const std::lock_guard lock{mutex_};
    loads_.remove(load);
  }

  /// Was a live entry of the key removed? One that has expired leaves too, and does not count.
  bool erase(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    const std::lock_guard lock{mutex_};
    loads_.overtake(key);
    Node* const entry = live(hash, key, now, out);
    if (entry == nullptr) return false;
    table_.erase(*entry);
    forget(*entry, Removal::erased, out, entry->charge);
    return true;
  }
  /// Removes every entry whose key `matches`; how many of them were alive.
  template <class Matches>
  std::size_t erase_if(Now& now, Out& out, Matches&& matches) {
    const std::lock_guard lock{mutex_};
    std::size_t alive = 0;
    loads_.overtake_if(matches);
    table_.erase_if([&](Node& entry) {
      if (!matches(entry.key())) return false;
      const bool expired = has_expired(entry, now);
      alive += expired ? 0 : 1;
      forget(entry, expired ? Removal::expired : Removal::erased, out, entry.charge);
      return true;
    });
    return alive;
  }
  void clear(Out& out) noexcept {
    const std::lock_guard lock{mutex_};
    loads_.overtake_if([](std::string_view /*key*/) noexcept { return true; });
    table_.each([&out](Node& entry) { out.add(entry, Removal::erased, entry.charge); });
    table_.clear();
    std::visit([](auto& policy) { policy.clear(); }, policy_);
    count(0);
  }

  /// Entries here. Takes no lock.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  static bool holds(const Condition& condition, const Node* old, Now& now) noexcept {
    if (condition.load != nullptr && condition.load->overtaken()) return false;
    if (condition.expected == nullptr && condition.only_if == OnlyIf::always) return true;
    const bool alive = old != nullptr && !has_expired(*old, now);
    if (condition.expected != nullptr) return alive && old == condition.expected;
    return alive == (condition.only_if == OnlyIf::present);
  }
  Node* live(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr) return nullptr;
    if (!has_expired(*entry, now)) return entry;
    table_.erase(*entry);
    forget(*entry, Removal::expired, out, entry->charge);
    return nullptr;
  }
  static bool has_expired(const Node& entry, Now& now) noexcept {
    const TimePoint expires = entry.expires();
    return expires != TimePoint::max() && expires <= now();
  }
  const Node* evict(Now& now, Out& out, Allowance& room) noexcept {
    PolicyNode* const victim = std::visit([](auto& policy) { return policy.victim(); }, policy_);
    if (victim == nullptr) return nullptr;
    auto& entry = static_cast<Node&>(*victim);
    table_.erase(entry);
    forget(entry, has_expired(entry, now) ? Removal::expired : Removal::evicted, out, 0);
    room.add(entry.charge);
    return &entry;
  }
  // Of an entry that the table no longer has.
  void forget(Node& entry, Removal why, Out& out, std::size_t freed) noexcept {
    std::visit([&entry, why](auto& policy) { policy.removed(entry, why == Removal::evicted); }, policy_);
    count(size() - 1);
    out.add(entry, why, freed);
  }
  void count(std::size_t entries) noexcept { size_.store(entries, std::memory_order_relaxed); }

  std::mutex mutex_;
  HashTable<Value> table_;
  Loads loads_;
  std::variant<LruPolicy, S3FifoPolicy> policy_;
  std::atomic<std::size_t> size_{0};  // written under the lock, read without it too
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
