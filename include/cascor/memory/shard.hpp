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
#include <vector>

#include "cascor/core/eviction.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/budget.hpp"
#include "cascor/memory/either_policy.hpp"
#include "cascor/memory/expiry_index.hpp"
#include "cascor/memory/groups.hpp"
#include "cascor/memory/hash_table.hpp"
#include "cascor/memory/in_place.hpp"
#include "cascor/memory/load.hpp"
#include "cascor/memory/recent_hits.hpp"
#include "cascor/memory/removed.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Part of a cache: the entries whose hash falls to it. Bytes are the caller's to take and to give back. Safe from any
/// thread.
template <class Value>
class alignas(64) Shard {
 public:
  using Node = Entry<Value>;
  using Out = Removed<Value>;
  using Handle = CacheHandle<Value>;
  using Index = Dependent<ExpiryIndex<>, Value>;
  using Policy = Dependent<EitherPolicy<>, Value>;

  /// What the entries of a shard that was cleared were kept in: to be destroyed outside the lock, as it may be large.
  struct Emptied {
    HashTable<Value> table;
    Index index;
    typename Policy::S3Fifo policy;
  };

  Shard() = default;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard() {
    GroupSizes sizes{};
    Emptied emptied;
    clear(sizes, emptied);
    Out out;
    while (PolicyNode* const entry = cleared_.oldest()) leave_cleared(*entry, out);
  }

  /// Once, before anything else.
  void set_up(Eviction eviction, const KeyHash& hash) {
    table_.set_up(hash);
    policy_.set_up(eviction);
    if (eviction == Eviction::lru) hits_.set_up();
  }

  /// Has brought near what an operation on this hash looks at first. Takes no lock.
  void expect(std::uint64_t hash) const noexcept { table_.expect(hash); }
  /// The same for one that will most likely be put in.
  void expect_new(std::uint64_t hash) const noexcept {
    table_.expect(hash);
    policy_.expect(hash);
  }
  /// The live entry of the key. Empty also where one has expired: ask is_due() then.
  Handle get(std::uint64_t hash, std::string_view key, Now& now) {
    ThreadSlots* const thread = slots_of_this_thread();
    if (thread == nullptr || !lock_.enter(*thread)) return get_closed(hash, key, now, true);
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr || !is_live(*entry, now)) {
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
    if (entry != nullptr && is_live(*entry, now)) {
      entry->seen();
      handle = hold(*thread, *entry);
    }
    ShardLock::leave(*thread);
    return handle;
  }
  /// Is there an entry that has expired, or was there lately, or memory of one that was invalidated? Takes no lock.
  bool is_due(Now& now) const noexcept {
    const TimePoint due{TimePoint::duration{due_.load(std::memory_order_relaxed)}};
    return due != TimePoint::max() && now.has_passed(due);
  }
  /// Removes entries that have expired or were invalidated, `most` at most; how many.
  std::size_t remove_expired(std::size_t most, Now& now, Out& out) {
    const Inside inside{*this};
    return reclaim(most, now, out);
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
    if (index_.size() != 0) reclaim(most_reclaimed_at_once, now, out, &room);
    Node* old = table_.find(hash, entry.key());
    if (!holds(condition, old, now)) return Put::not_expected;
    expect_overwrite(old != nullptr);
    if (old == nullptr) table_.reserve_one();
    await(hash, entry, old);
    if (old != nullptr) policy_.use([old](auto& policy) { policy.hit(*old); });  // so that others leave before it
    while (!room.exchange(entry.charge(), old != nullptr ? old->charge() : 0)) {
      const PolicyNode* const victim = leftovers() != 0 || table_.size() > keep ? evict(now, out, room) : nullptr;
      if (victim == nullptr) return Put::no_room;
      if (victim == old) old = nullptr;
    }
    if (!condition.same_value) loads_.overtake(entry.key());
    entry.retain();
    if (old == nullptr) {
      table_.insert(hash, entry);
      policy_.use([&](auto& policy) { policy.inserted(entry, hash); });
    } else {
      table_.replace(hash, *old, entry);
      const Removal why = reason(*old, now, Removal::replaced);
      groups_.remove(*old);
      policy_.use([&](auto& policy) { policy.replaced(*old, entry); });
      leave(*old, why, out, 0);
    }
    groups_.add(entry, group);
    count();
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
    Node* const entry = overwritable(hash, key, wanted, now);
    if (entry == nullptr) return 0;
    if (wanted.with_times) await(hash, *entry, wanted.expires);
    const std::size_t before = entry->charge();
    if (!room.exchange(wanted.charge, before)) return 0;
    using std::swap;
    swap(entry->value, value);
    if (wanted.charge != before) {
      entry->charge(wanted.charge);
      policy_.use([entry, before](auto& policy) { policy.recharged(*entry, before); });
    }
    overwritten(*entry, key, wanted);
    return before;
  }
  /// The same by copying `value` into the entry's, if that has a buffer for it: its charge stays.
  std::size_t assign(std::uint64_t hash, std::string_view key, const Value& value, const New& wanted,
                     Now& now) requires has_buffer<Value> {
    const Inside inside{*this};
    Node* const entry = overwritable(hash, key, wanted, now);
    if (entry == nullptr || !fits_into(entry->value, value)) return 0;
    if (wanted.with_times) await(hash, *entry, wanted.expires);
    entry->value = value;
    overwritten(*entry, key, wanted);
    return entry->charge();
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
    table_.each([&](const Node& entry) { more = more && (!is_live(entry, now) || visit(entry)); });
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
  void overtake(std::string_view key) noexcept {
    const Locked locked{lock_};
    loads_.overtake(key);
  }

  /// Was a live entry of the key removed? One that has expired leaves too, and does not count.
  bool erase(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    const Inside inside{*this};
    loads_.overtake(key);
    if (index_.size() != 0) reclaim(most_reclaimed_at_once, now, out);
    Node* const entry = live(hash, key, now, out);
    if (entry == nullptr) return false;
    remove(hash, *entry, Removal::erased, out, entry->charge());
    return true;
  }
  /// Removes every entry of these groups whose key `matches`; how many of them were alive.
  template <class Matches>
  std::size_t erase_if(GroupSet groups, Now& now, Out& out, Matches&& matches) {
    const Inside inside{*this};
    loads_.overtake_if(matches);
    return erase_matching(groups, now, out, matches);
  }
  /// The same, but that of the groups under `prefixed.whole` it matches every key: these are invalidated as they are.
  /// Adds to `sizes` how many entries that concerns.
  template <class Matches>
  std::size_t invalidate(const GroupsUnder& prefixed, Now& now, Out& out, GroupSizes& sizes,
                         Matches&& matches) requires Node::is_grouped {
    const Inside inside{*this};
    loads_.overtake_if(matches);
    if (prefixed.whole != 0) remove_all_expired(now, out);
    const std::size_t alive = groups_.invalidate(prefixed.whole, sizes);
    count();
    return alive + erase_matching(prefixed.part, now, out, matches);
  }
  /// The same of all entries.
  std::size_t invalidate_all(Now& now, Out& out, GroupSizes& sizes, Emptied& emptied) {
    const Inside inside{*this};
    remove_all_expired(now, out);
    const std::size_t alive = size();
    clear_inside(sizes, emptied);
    return alive;
  }
  /// Removes all, alive or not. O(1).
  void clear(GroupSizes& sizes, Emptied& emptied) noexcept {
    const Inside inside{*this};
    clear_inside(sizes, emptied);
  }

  /// These take no lock.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  /// To a sixteenth: for those who look often, as what they read is seldom written.
  std::size_t rough_size() const noexcept { return rough_size_.load(std::memory_order_relaxed); }
  std::uint64_t evictions() const noexcept { return evictions_.load(std::memory_order_relaxed); }
  std::uint64_t expirations() const noexcept { return expirations_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t most_reclaimed_at_once = 4;

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
      if (shard_.index_.size() != 0 || shard_.is_due_known_ || shard_.leftovers() != 0) shard_.make_due_known();
      shard_.lock_.open();
    }

   private:
    Shard& shard_;
  };

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
    if (entry == nullptr || !is_live(*entry, now)) return {};
    if (is_use) policy_.use([entry](auto& policy) { policy.hit(*entry); });
    entry->retain();
    return Handle::adopt(entry);
  }
  [[gnu::noinline]] void tell_hits(const ThreadSlots& thread) noexcept {
    if (!lock_.try_lock()) return;  // the list has room for some more
    hits_.drain_own(thread, has_many(), [this](PolicyNode& node) { policy_.lru().hit(node); });
    lock_.open();
  }
  // So many that their headers do not stay in a processor's cache of 1 MiB beside those of fifteen other shards.
  bool has_many() const noexcept { return size() > 512; }
  void drain() noexcept {
    hits_.drain(lock_.first_thread(), has_many(), [this](PolicyNode& node) { policy_.lru().hit(node); });
  }

  // The key's entry, if its value may be exchanged for another one.
  Node* overwritable(std::uint64_t hash, std::string_view key, const New& wanted, Now& now) noexcept {
    Node* const entry = table_.find(hash, key);
    expect_overwrite(entry != nullptr);
    if (entry == nullptr || entry->has_times() != wanted.with_times || !is_live(*entry, now)) return nullptr;
    return entry->is_held_by_none(lock_.first_thread()) ? entry : nullptr;
  }
  void overwritten(Node& entry, std::string_view key, const New& wanted) noexcept {
    entry.stored(wanted.stored);
    if (wanted.with_times) entry.expires(wanted.expires);
    loads_.overtake(key);
    policy_.use([&entry](auto& policy) { policy.hit(entry); });
  }
  [[gnu::always_inline]] bool is_live(const Node& entry, Now& now) const noexcept {
    return groups_.is_valid(entry) && !entry.has_expired(now);
  }
  /// Why an entry leaves that was not to be read any more, or else leaves for `otherwise`.
  Removal reason(const Node& entry, Now& now, Removal otherwise) const noexcept {
    if (!groups_.is_valid(entry)) return Removal::invalidated;
    return entry.has_expired(now) ? Removal::expired : otherwise;
  }
  bool holds(const Condition& condition, const Node* old, Now& now) const noexcept {
    if (condition.load != nullptr && condition.load->overtaken()) return false;
    if (condition.expected == nullptr && condition.only_if == OnlyIf::always) return true;
    const bool alive = old != nullptr && is_live(*old, now);
    if (condition.expected != nullptr) return alive && old == condition.expected;
    return alive == (condition.only_if == OnlyIf::present);
  }
  Node* live(std::uint64_t hash, std::string_view key, Now& now, Out& out) {
    Node* const entry = table_.find(hash, key);
    if (entry == nullptr || is_live(*entry, now)) return entry;
    remove(hash, *entry, reason(*entry, now, Removal::none), out, entry->charge());
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
      std::vector<typename Index::Record> records;
      table_.each([&](const Node& entry) {
        if (entry.is_awaited() && entry.expires() != TimePoint::max()) {
          records.push_back({entry.expires(), table_.hash_of(entry)});
        }
      });
      std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
      Index fresh;
      for (const auto& record : records) fresh.add(record);
      index_ = std::move(fresh);
    } catch (...) {  // no memory to tidy up with: later
    }
  }
  template <class Matches>
  std::size_t erase_matching(GroupSet groups, Now& now, Out& out, Matches&& matches) {
    std::size_t alive = 0;
    const auto visit = [&](Node& entry) {
      if (!matches(entry.key())) return;
      const Removal why = reason(entry, now, Removal::erased);
      alive += why == Removal::erased ? 1 : 0;
      remove(table_.hash_of(entry), entry, why, out, entry.charge());
    };
    if constexpr (Node::is_grouped) {
      groups_.each(groups, visit);
    } else {
      table_.each(visit);
    }
    return alive;
  }
  void clear_inside(GroupSizes& sizes, Emptied& emptied) noexcept {
    loads_.overtake_if([](std::string_view /*key*/) noexcept { return true; });
    policy_.clear(cleared_, emptied.policy);
    groups_.clear(sizes);
    table_.swap(emptied.table);
    std::swap(index_, emptied.index);
    count();
  }
  // Entries that were invalidated and are still in memory.
  std::size_t leftovers() const noexcept { return cleared_.size() + groups_.count_invalid(); }
  // Of those first, then of expired ones. Their bytes go to `room`, where there is one.
  std::size_t reclaim(std::size_t most, Now& now, Out& out, Allowance* room = nullptr) noexcept {
    std::size_t count = 0;
    for (; count < most; ++count) {
      if (take_leftover(out, room) != nullptr) continue;
      Node* const entry = next_expired(now);
      if (entry == nullptr) break;
      take(*entry, reason(*entry, now, Removal::expired), out, room);
    }
    return count;
  }
  void remove_all_expired(Now& now, Out& out) noexcept {
    while (Node* const entry = next_expired(now)) take(*entry, reason(*entry, now, Removal::expired), out, nullptr);
  }
  const PolicyNode* take_leftover(Out& out, Allowance* room) noexcept {
    if (PolicyNode* const entry = cleared_.oldest()) {
      if (room != nullptr) room->add(entry->charge());
      leave_cleared(*entry, out, room != nullptr ? 0 : entry->charge());
      return entry;
    }
    Node* const entry = groups_.first_invalid();
    if (entry != nullptr) take(*entry, Removal::invalidated, out, room);
    return entry;
  }
  // Its bytes go to `room`, where there is one, else to nobody.
  void take(Node& entry, Removal why, Out& out, Allowance* room) noexcept {
    if (room != nullptr) room->add(entry.charge());
    remove(table_.hash_of(entry), entry, why, out, room != nullptr ? 0 : entry.charge());
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
  // One that was invalidated or has expired, if any, else the policy's victim.
  const PolicyNode* evict(Now& now, Out& out, Allowance& room) noexcept {
    if (const PolicyNode* const leftover = take_leftover(out, &room)) return leftover;
    Node* entry = index_.size() != 0 ? next_expired(now) : nullptr;
    if (entry == nullptr) {
      PolicyNode* victim = nullptr;
      policy_.use([&victim](auto& policy) { victim = policy.victim(); });
      if (victim == nullptr) return nullptr;
      entry = static_cast<Node*>(victim);
      expect_next_victim(*entry);
    }
    take(*entry, reason(*entry, now, Removal::evicted), out, &room);
    return entry;
  }
  // Most likely what is newer leaves next. The policy has it near by now; what else its removal looks at is far away:
  // the line of the table, and what its value owns.
  void expect_next_victim(const Node& victim) noexcept {
    const auto* const next = static_cast<const Node*>(victim.newer());
    if (next == nullptr) return;
    const std::uint64_t hash = table_.hash_of(*next);
    table_.expect(hash);
    policy_.expect(hash);
    next->expect_value();
  }
  void remove(std::uint64_t hash, Node& entry, Removal why, Out& out, std::size_t freed) noexcept {
    table_.erase(hash, entry);
    groups_.remove(entry);
    policy_.use([&](auto& policy) { policy.removed(entry, hash, why == Removal::evicted); });
    count();
    leave(entry, why, out, freed);
  }
  void leave(Node& entry, Removal why, Out& out, std::size_t freed) noexcept {
    if (why == Removal::evicted) one_more(evictions_);
    if (why == Removal::expired) one_more(expirations_);
    out.add(entry, why, freed, lock_);
  }
  void leave_cleared(PolicyNode& entry, Out& out, std::size_t freed = 0) noexcept {
    cleared_.remove(entry);
    leave(static_cast<Node&>(entry), Removal::invalidated, out, freed);
  }
  // Written under the lock alone: no read-modify-write.
  static void one_more(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void expect_overwrite(bool is) noexcept {
    if (expects_overwrite() != is) expects_overwrite_.store(is, std::memory_order_relaxed);
  }
  void count() noexcept {
    const std::size_t size = table_.size() - groups_.count_invalid();
    size_.store(size, std::memory_order_relaxed);
    const std::size_t rough = rough_size();
    if (size > rough + rough / 16 || size + rough / 16 < rough) rough_size_.store(size, std::memory_order_relaxed);
  }
  void make_due_known() noexcept {
    const TimePoint due = leftovers() != 0 ? TimePoint::min() : index_.earliest();
    is_due_known_ = due != TimePoint::max();
    const TimePoint::rep at = due.time_since_epoch().count();
    if (due_.load(std::memory_order_relaxed) != at) due_.store(at, std::memory_order_relaxed);
  }

  // In the first line what every write changes and every read looks at; then what is read often, by others too, and
  // seldom written; then what only those in the shard need.
  ShardLock lock_;
  HashTable<Value> table_;
  Dependent<RecentHits<>, Value> hits_;
  std::atomic<TimePoint::rep> due_{TimePoint::max().time_since_epoch().count()};
  std::atomic<std::size_t> rough_size_{0};
  bool is_due_known_ = false;
  std::atomic<bool> expects_overwrite_{false};
  alignas(64) Policy policy_;
  Index index_;
  Loads loads_;
  Groups<Value> groups_;
  EntryList cleared_;  // by clear(): still in memory, and nowhere else
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> evictions_{0};
  std::atomic<std::uint64_t> expirations_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
