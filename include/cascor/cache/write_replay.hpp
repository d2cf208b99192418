// Writes that were kept while Redis was away, on their way there: only over what this process has seen.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache/pending_changes.hpp"
#include "cascor/cache/replay_counts.hpp"
#include "cascor/cache/seen_values.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Replays the writes of one return in the order in which they were kept, a pipeline at a time: one that looks at what
/// is under the keys, one that stores, each in one step with a second look at its key. What cannot be compared with
/// what is there is stored only where nothing is; otherwise it is refused, and what was there goes, as it may be older.
/// Not for more than one thread.
template <class CascorWhenUsed = void>
class WriteReplay {
 public:
  using Pending = PendingChanges<CascorWhenUsed>;
  using Write = typename Pending::Write;

  WriteReplay(KeyValueStore& store, const SeenValues<CascorWhenUsed>& seen, const Clock& clock,
              ReplayCounts<CascorWhenUsed>& counts)
      : store_{store}, seen_{seen}, clock_{clock}, counts_{counts} {}

  /// As many of them, from the first on, as one pipeline takes; they are taken out. Throws what says that Redis is away
  /// again: then all of these are still to be done. `round_trip` gives the deadline of each.
  void replay_some(std::list<Write>& writes, const std::function<Deadline()>& round_trip);

 private:
  // A write, what is to become of it, and what was found under its key.
  struct One {
    const Write* write = nullptr;
    enum class Fate : unsigned char { undecided, store, stored, dropped } fate = Fate::undecided;
    StoreAnswer found{};  // its error: why there could be no look
  };
  using Batch = std::vector<Dependent<One, CascorWhenUsed>>;
  using Keys = std::vector<Dependent<std::string_view, CascorWhenUsed>>;

  void look(Batch& batch, const std::function<Deadline()>& round_trip);
  void decide(One& one, Keys& gone);
  void drop(One& one, std::uint64_t ReplayCounts<CascorWhenUsed>::*why) {
    one.fate = One::Fate::dropped;
    ++(counts_.*why);
  }
  void refuse(One& one, const std::string& why) {
    drop(one, &ReplayCounts<CascorWhenUsed>::refused);
    counts_.why = why;
  }
  void store(Batch& batch, Keys& gone, const std::function<Deadline()>& round_trip);
  void note(One& one, const StoreOutcome& outcome, Keys& gone);
  void remove(const Keys& gone, const std::function<Deadline()>& round_trip);

  KeyValueStore& store_;
  const SeenValues<CascorWhenUsed>& seen_;
  const Clock& clock_;
  ReplayCounts<CascorWhenUsed>& counts_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/write_replay.ipp"
#endif
