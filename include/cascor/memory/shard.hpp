// One shard: a table, a policy, and the lock of both. Readers are inside while they look up and take hold; whatever
// adds or removes closes the shard; hits are told to the policy by whoever holds the lock. What leaves is handed out in
// a Removed list and destroyed by the caller, outside the lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "cascor/core/eviction.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/budget.hpp"
#include "cascor/memory/expiry_index.hpp"
#include "cascor/memory/groups.hpp"
#include "cascor/memory/hash_table.hpp"
#include "cascor/memory/load.hpp"
#include "cascor/memory/lru_policy.hpp"
#include "cascor/memory/recent_hits.hpp"
#include "cascor/memory/removed.hpp"
#include "cascor/memory/s3fifo_policy.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Part of a cache: the entries whose hash falls to it. Bytes are the caller's to take and to give back. Safe from any
/// thread.
template <class Value>
class alignas(64) Shard {
 public:
  using Node = Entry<Value>;
  using Out = Removed<Value>;
  using Handle = CacheHandle<Value>;

  Shard() = default;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard() {
    Out out;
    clear(out);
  }

  /// Once, before anything else.
  void set_up(Eviction eviction, const KeyHash& hash) {
    table_.set_up(hash);
    if (eviction == Eviction::s3fifo) {
      policy_.template emplace<1>();
    } else {
      hits_.set_up();
    }
  }

  /// The live entry of the key. Empty also where one has expired: ask is_due() then.
  Handle get(std::uint64_t hash, std::string_view key, Now& now) {
    ThreadSlots* const thread = slots_of_this_thread();
    if (thread == nullptr || !lock_.enter(*thread)) return get_closed(hash, key, now, true);
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr || entry->has_expired(now)) {
      ShardLock::leave(*thread);
      return {};
    }
    entry->used();
    Handle handle = hold(*thread, *entry);
    const bool is_full = hits_.add(*thread, *entry);
    ShardLock::leave(*thread);
    if (is_full) tell_hits(*thread);
    return handle;
  }
  /// The same, without counting as a use.
  Handle peek(std::uint64_t hash, std::string_view key, Now& now) {
    ThreadSlots* const thread = slots_of_this_thread();
    if (thread == nullptr || !lock_.enter(*thread)) return get_closed(hash, key, now, false);
    Node* const entry = table_.find(hash, key);
    Handle handle;
    if (entry != nullptr && !entry->has_expired(now)) {
      entry->seen();
      handle = hold(*thread, *entry);
    }
    ShardLock::leave(*thread);
    return handle;
  }
  /// Is there an entry that has expired, or was there lately? Takes no lock.
  bool is_due(Now& now) const noexcept {
    const TimePoint due{TimePoint::duration{due_.load(std::memory_order_relaxed)}};
    return due != TimePoint::max() && now.has_passed(due);
  }
  /// Removes entries that have expired, `most` at most; how many.
  std::size_t remove_expired(std::size_t most, Now& now, Out& out) {
    const Inside inside{*this};
    return expire(most, now, out);
  }

  enum class Put : unsigned char { done, no_room, not_expected };
  /// When a put is carried out; a condition that is left as it is holds always.
  struct Condition {
    OnlyIf only_if = OnlyIf::always;
    const Node* expected = nullptr;  ///< only in place of this very entry, alive
    const Load* load = nullptr;      ///< only where nothing has overtaken it
    bool holds_always() const noexcept { return only_if == OnlyIf::always && expected == nullptr && load == nullptr; }
    bool same_value = false;  ///< the entry's value is what was there, in another form: it overtakes no load
  };
  /// Puts `entry` in, retained for the table, in place of any other of its key, if the condition holds. Its bytes come
  /// from `room`, from the one it replaces and from those evicted for it, as long as more than `keep` entries are here.
  /// May throw std::bad_alloc, changing nothing.
  Put put(std::uint64_t hash, std::size_t group, Node& entry, const Condition& condition, Now& now, Out& out,
          Allowance& room, std::size_t keep) {
    const Inside inside{*this};
    if (index_.size() != 0) expire(most_expired_at_once, now, out, &room);
    Node* old = table_.find(hash, entry.key());
    if (!holds(condition, old, now)) return Put::not_expected;
    expect_overwrite(old != nullptr);
    if (old == nullptr) table_.reserve_one();
    await(hash, entry, old);
    if (old != nullptr) with_policy([old](auto& policy) { policy.hit(*old); });  // so that others leave before it
    while (!room.exchange(entry.charge(), old != nullptr ? old->charge() : 0)) {
      const Node* const victim = table_.size() > keep ? evict(now, out, room) : nullptr;
      if (victim == nullptr) return Put::no_room;
      if (victim == old) old = nullptr;
    }
    if (!condition.same_value) loads_.overtake(entry.key());
    entry.retain();
    if (old == nullptr) {
      table_.insert(hash, entry);
      with_policy([&](auto& policy) { policy.inserted(entry, hash); });
      count(table_.size());
    } else {
      table_.replace(hash, *old, entry);
      groups_.remove(*old);
      with_policy([&](auto& policy) { policy.replaced(*old, entry); });
      leave(*old, old->has_expired(now) ? Removal::expired : Removal::replaced, out, 0);
    }
    groups_.add(entry, group);
    return Put::done;
  }
  /// Was the last write here one of a key that was there? The next one mostly is like it. Takes no lock.
  bool expects_overwrite() const noexcept { return expects_overwrite_.load(std::memory_order_relaxed); }
  /// What an entry is to become.
  struct New {
    TimePoint stored;
    TimePoint expires;
    std::size_t charge = 0;
    bool with_times = false;
  };
  /// Exchanges the value of the key's live entry with `value`, and takes over the rest, if that is possible in place:
  /// if no handle holds it, and it needs no room that others have. What it was charged before; 0, and nothing changed,
  /// if not. May throw std::bad_alloc, changing nothing.
  std::size_t exchange(std::uint64_t hash, std::string_view key, Value& value, const New& wanted, Now& now,
                       Allowance& room) requires std::is_nothrow_swappable_v<Value> {
    const Inside inside{*this};
    Node* const entry = table_.find(hash, key);
    expect_overwrite(entry != nullptr);
    if (entry == nullptr || entry->has_times() != wanted.with_times || entry->has_expired(now)) return 0;
    if (!entry->is_held_by_none(lock_.first_thread())) return 0;
    if (wanted.with_times) await(hash, *entry, wanted.expires);
    const std::size_t before = entry->charge();
    if (!room.exchange(wanted.charge, before)) return 0;
    using std::swap;
    swap(entry->value, value);
    entry->stored(wanted.stored);
    if (wanted.with_times) entry->expires(wanted.expires);
    loads_.overtake(key);
    if (wanted.charge == before) {
      with_policy([entry](auto& policy) { policy.hit(*entry); });
    } else {
      entry->charge(wanted.charge);
      with_policy([entry, before](auto& policy) {
        policy.recharged(*entry, before);
        policy.hit(*entry);
      });
    }
    return before;
  }
  /// Evicts the entry that the policy names and credits its bytes to `room`; false where there is none.
  bool evict_one(Now& now, Out& out, Allowance& room) {
    const Inside inside{*this};
    return evict(now, out, room) != nullptr;
  }

  enum class Touched : unsigned char { yes, no_entry, has_no_times };
  /// Gives the live entry of the key another end.
  Touched touch(std::uint64_t hash, std::string_view key, TimePoint expires, Now& now, Out& out) {
    const Inside inside{*this};
    Node* const entry = live(hash, key, now, out);
    if (entry == nullptr) return Touched::no_entry;
    if (!entry->has_times()) return expires == TimePoint::max() ? Touched::yes : Touched::has_no_times;
    await(hash, *entry, expires);
    entry->expires(expires);
    return Touched::yes;
  }
  /// Calls `visit` with each live entry until it says false; did it never? It must not use the shard.
  template <class Visit>
  bool each_live(Now& now, Visit&& visit) {
    const Locked locked{lock_};
    bool more = true;
    table_.each([&](const Node& entry) { more = more && (entry.has_expired(now) || visit(entry)); });
    return more;
  }
  void begin(Load& load) noexcept {
    const Locked locked{lock_};
    loads_.add(load);
  }
  void end(Load& load) noexcept {
    const Locked locked{lock_};
    loads_.remove(load);
  }

  /// Was a live entry of the key removed? One that has expired leaves too, and does not count.
  bool erase(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    const Inside inside{*this};
    loads_.overtake(key);
    if (index_.size() != 0) expire(most_expired_at_once, now, out);
    Node* const entry = live(hash, key, now, out);
    if (entry == nullptr) return false;
    remove(hash, *entry, Removal::erased, out, entry->charge());
    return true;
  }
  /// Removes every entry of these groups whose key `matches`; how many of them were alive.
  template <class Matches>
  std::size_t erase_if(GroupSet groups, Now& now, Out& out, Matches&& matches) {
    const Inside inside{*this};
    std::size_t alive = 0;
    loads_.overtake_if(matches);
    const auto visit = [&](Node& entry) {
      if (!matches(entry.key())) return;
      const bool expired = entry.has_expired(now);
      alive += expired ? 0 : 1;
      remove(table_.hash_of(entry), entry, expired ? Removal::expired : Removal::erased, out, entry.charge());
    };
    if constexpr (Node::is_grouped) {
      groups_.each(groups, visit);
    } else {
      table_.each(visit);
    }
    return alive;
  }
  void clear(Out& out) noexcept {
    const Inside inside{*this};
    loads_.overtake_if([](std::string_view /*key*/) noexcept { return true; });
    table_.each([&](Node& entry) { leave(entry, Removal::erased, out, entry.charge()); });
    table_.clear();
    groups_.clear();
    index_.clear();
    with_policy([](auto& policy) { policy.clear(); });
    count(0);
  }

  /// These take no lock.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  std::uint64_t evictions() const noexcept { return evictions_.load(std::memory_order_relaxed); }
  std::uint64_t expirations() const noexcept { return expirations_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t most_expired_at_once = 4;

  // The shard closed, its policy told of all hits; on the way out readers may see when the next entry expires.
  class Inside {
   public:
    explicit Inside(Shard& shard) noexcept : shard_{shard} {
      shard_.lock_.close();
      shard_.drain();
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() {
      if (shard_.index_.size() != 0 || shard_.is_due_known_) shard_.make_due_known();
      shard_.lock_.open();
    }

   private:
    Shard& shard_;
  };

  template <class Use>
  void with_policy(Use&& use) noexcept {
    if (auto* const lru = std::get_if<0>(&policy_)) {
      use(*lru);
    } else {
      use(*std::get_if<1>(&policy_));
    }
  }
  // A reader's hold on an entry: a slot of its thread, or a counted reference where these are all in use.
  static Handle hold(ThreadSlots& thread, Node& entry) noexcept {
    auto* slot = thread.held.data();
    if (slot->load(std::memory_order_acquire) != 0) [[unlikely]] {
      do {
        if (++slot == thread.held.data() + ThreadSlots::handles) {
          entry.retain();
          return Handle::adopt(&entry);
        }
      } while (slot->load(std::memory_order_acquire) != 0);
    }
    slot->store(reinterpret_cast<std::uintptr_t>(static_cast<PolicyNode*>(&entry)), std::memory_order_release);
    return Handle::adopt(&entry, slot);
  }
  [[gnu::noinline]] Handle get_closed(std::uint64_t hash, std::string_view key, Now& now, bool is_use) {
    const Inside inside{*this};
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr || entry->has_expired(now)) return {};
    if (is_use) with_policy([entry](auto& policy) { policy.hit(*entry); });
    entry->retain();
    return Handle::adopt(entry);
  }
  [[gnu::noinline]] void tell_hits(const ThreadSlots& thread) noexcept {
    if (!lock_.try_lock()) return;  // the list has room for some more
    hits_.drain_own(thread, [this](PolicyNode& node) { std::get_if<0>(&policy_)->hit(node); });
    lock_.open();
  }
  void drain() noexcept {
    hits_.drain(lock_.first_thread(), [this](PolicyNode& node) { std::get_if<0>(&policy_)->hit(node); });
  }

  static bool holds(const Condition& condition, const Node* old, Now& now) noexcept {
    if (condition.load != nullptr && condition.load->overtaken()) return false;
    if (condition.expected == nullptr && condition.only_if == OnlyIf::always) return true;
    const bool alive = old != nullptr && !old->has_expired(now);
    if (condition.expected != nullptr) return alive && old == condition.expected;
    return alive == (condition.only_if == OnlyIf::present);
  }
  Node* live(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr || !entry->has_expired(now)) return entry;
    remove(hash, *entry, Removal::expired, out, entry->charge());
    return nullptr;
  }
  // Of an entry about to be put in place of `old`: sees to it that the index has a record of its key by its end.
  void await(std::uint64_t hash, Node& entry, const Node* old) {
    const TimePoint end = entry.expires();
    if (end == TimePoint::max() || entry.is_awaited()) return;
    const bool is_known = old != nullptr && old->is_awaited() && old->expires() <= end;
    if (!is_known) index_.add({end, hash});
    entry.is_awaited(true);
    if (index_.size() > 2 * table_.size() + 64) forget_old_records();
  }
  // The same of one that is there and about to have another end.
  void await(std::uint64_t hash, Node& entry, TimePoint end) {
    if (end == TimePoint::max() || (entry.is_awaited() && entry.expires() <= end)) return;
    index_.add({end, hash});
    entry.is_awaited(true);
    if (index_.size() > 2 * table_.size() + 64) forget_old_records();
  }
  // Keys that were erased or had their end brought forward leave records behind.
  void forget_old_records() noexcept {
    try {
      std::vector<typename ExpiryIndex<>::Record> records;
      table_.each([&](const Node& entry) {
        if (entry.is_awaited() && entry.expires() != TimePoint::max()) {
          records.push_back({entry.expires(), table_.hash_of(entry)});
        }
      });
      std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
      ExpiryIndex<> fresh;
      for (const auto& record : records) fresh.add(record);
      index_ = std::move(fresh);
    } catch (...) {  // no memory to tidy up with: later
    }
  }
  // Their bytes go to `room`, where there is one.
  std::size_t expire(std::size_t most, Now& now, Out& out, Allowance* room = nullptr) noexcept {
    std::size_t expired = 0;
    while (most-- > 0) {
      Node* const entry = next_expired(now);
      if (entry == nullptr) break;
      if (room != nullptr) room->add(entry->charge());
      remove(table_.hash_of(*entry), *entry, Removal::expired, out, room != nullptr ? 0 : entry->charge());
      ++expired;
    }
    return expired;
  }
  // Records that came to nothing on the way are O(1) each, as there are not many more of them than of entries.
  Node* next_expired(Now& now) noexcept {
    while (index_.size() != 0 && now.has_passed(index_.earliest())) {
      const auto record = index_.take_first();
      Node* const entry = table_.find(record.hash);
      if (entry == nullptr) continue;
      if (entry->has_expired(now)) return entry;
      if (!entry->is_awaited()) continue;
      entry->is_awaited(false);
      if (entry->expires() == TimePoint::max()) continue;
      try {
        index_.add({entry->expires(), record.hash});
        entry->is_awaited(true);
      } catch (...) {  // no memory: a read or an eviction will find that it has expired
      }
    }
    return nullptr;
  }
  // One that has expired, if any, else the policy's victim.
  const Node* evict(Now& now, Out& out, Allowance& room) noexcept {
    Node* entry = index_.size() != 0 ? next_expired(now) : nullptr;
    if (entry == nullptr) {
      PolicyNode* victim = nullptr;
      with_policy([&victim](auto& policy) { victim = policy.victim(); });
      if (victim == nullptr) return nullptr;
      entry = static_cast<Node*>(victim);
      entry->expect_next();
    }
    room.add(entry->charge());
    remove(table_.hash_of(*entry), *entry, entry->has_expired(now) ? Removal::expired : Removal::evicted, out, 0);
    return entry;
  }
  void remove(std::uint64_t hash, Node& entry, Removal why, Out& out, std::size_t freed) noexcept {
    table_.erase(hash, entry);
    groups_.remove(entry);
    with_policy([&](auto& policy) { policy.removed(entry, hash, why == Removal::evicted); });
    count(table_.size());
    leave(entry, why, out, freed);
  }
  void leave(Node& entry, Removal why, Out& out, std::size_t freed) noexcept {
    if (why == Removal::evicted) one_more(evictions_);
    if (why == Removal::expired) one_more(expirations_);
    out.add(entry, why, freed, lock_);
  }
  // Written under the lock alone: no read-modify-write.
  static void one_more(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void expect_overwrite(bool is) noexcept {
    if (expects_overwrite() != is) expects_overwrite_.store(is, std::memory_order_relaxed);
  }
  void count(std::size_t entries) noexcept { size_.store(entries, std::memory_order_relaxed); }
  void make_due_known() noexcept {
    is_due_known_ = index_.size() != 0;
    due_.store(index_.earliest().time_since_epoch().count(), std::memory_order_relaxed);
  }

  ShardLock lock_;
  HashTable<Value> table_;
  RecentHits<> hits_;
  // What readers do not need begins here.
  std::atomic<TimePoint::rep> due_{TimePoint::max().time_since_epoch().count()};
  std::variant<LruPolicy, S3FifoPolicy<>> policy_;
  ExpiryIndex<> index_;
  bool is_due_known_ = false;
  std::atomic<bool> expects_overwrite_{false};
  Loads loads_;
  Groups<Value> groups_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> evictions_{0};
  std::atomic<std::uint64_t> expirations_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
