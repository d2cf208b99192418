// Where the runs of one cache are kept: in Redis, or in journals; and in journals too while Redis is away, from which
// they are replayed in order, once.
//
// Locking rule: mutex_ guards the list of runs and the thread's orders. Each run has a lock of its own, held while
// something is appended to it or replayed, so that records keep their order; under it the server and the disk are
// asked.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cascor/cache/engine.hpp"
#include "cascor/cache/parts_above.hpp"
#include "cascor/core/record_log.hpp"
#include "cascor/training/delivery.hpp"
#include "cascor/training/journal_log.hpp"
#include "cascor/training/new_record.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
class HistoryStore;

/// What handles hold: the store, as long as its cache lives. The mutex is held shared by every call, and alone by the
/// cache's end.
template <class CascorWhenUsed = void>
struct HistoryLife {
  std::shared_mutex mutex;
  HistoryStore<CascorWhenUsed>* store = nullptr;  // null: the cache has ended
  unsigned made_under = 0;                        // how often this process was forked then
};

/// The store, for as long as this lives; null once the cache has ended, and in a child that was forked.
template <class CascorWhenUsed = void>
struct HistoryUse {
  explicit HistoryUse(HistoryLife<CascorWhenUsed>& life) {
    if (life.made_under != forks().load(std::memory_order_relaxed)) return;
    lock = std::shared_lock{life.mutex};
    store = life.store;
  }
  explicit operator bool() const noexcept { return store != nullptr; }
  HistoryStore<CascorWhenUsed>* operator->() const noexcept { return store; }
  std::shared_lock<std::shared_mutex> lock;
  HistoryStore<CascorWhenUsed>* store = nullptr;
};

/// Names of runs are checked by the caller. Safe from any thread.
template <class CascorWhenUsed = void>
class HistoryStore final : public PartAbove {
 public:
  static constexpr std::string_view part_name = "history";
  using Entries = std::vector<Dependent<LogEntry, CascorWhenUsed>>;
  using Handler = std::function<void(LogEntry)>;

  explicit HistoryStore(Engine& engine);
  ~HistoryStore() override;
  void end() noexcept override;
  const std::shared_ptr<HistoryLife<CascorWhenUsed>>& life() const noexcept { return life_; }

  /// In Redis, or in the journal under its fsync policy: then true. Throws DataError for an epoch below that of the
  /// record before it, with nothing appended.
  StoreResult append(std::string_view run, std::span<const NewRecord> records, TimePoint until);
  /// The same for one who repeats it until it is done: the entries have their numbers, which `fresh` ones get anew
  /// where the run has gone on past them. `also` happens in the same step where that can be: then it is null
  /// afterwards.
  StoreResult append_numbered(std::string_view run, std::vector<Dependent<LogEntry, CascorWhenUsed>>& entries,
                              bool fresh, const AlongWith*& also, TimePoint until);
  /// Is nothing of the run waiting for Redis?
  bool is_settled(std::string_view run, TimePoint until) { return !is_pending(run, until); }
  /// The same with places that are known already, as from another log.
  void append_entries(std::string_view run, std::span<const LogEntry> entries, TimePoint until);
  /// While Redis is away: what waits for it here. `must`: then it throws, as for whatever else keeps it.
  Entries read(std::string_view run, RecordId from, RecordId to, std::size_t most, TimePoint until, bool must = false);
  Entries last(std::string_view run, std::size_t most, TimePoint until);
  Entries get(std::string_view run, std::span<const RecordId> ids, TimePoint until);
  std::size_t size(std::string_view run, TimePoint until);
  bool erase(std::string_view run, TimePoint until);
  std::vector<std::string> runs(TimePoint until);
  /// Calls `handler` for each record past `after`, and from then on for each that comes.
  std::shared_ptr<Closable> follow(std::string_view run, RecordId after, Handler handler);

  Engine& engine() noexcept { return engine_; }
  /// For files of what a recorder could not send yet, each `<run>.jsonl`, and what such a folder is to be marked with.
  const std::string& spool_folder() const noexcept { return spool_folder_; }
  const std::string& destination() const noexcept { return destination_; }
  /// Records that wait in journals for Redis's return.
  std::size_t waiting();

 private:
  // One run as its writer knows it; the mutex is the run's.
  struct Run {
    std::mutex mutex;
    RecordId last;          // of what this cache appended last
    bool known = false;     // is `last` the run's end, as far as this cache was told?
    bool listed = false;    // is it among the runs?
    bool pending = false;   // its journal waits for Redis
    RecordId replayed;      // so far the journal is in Redis already
    std::size_t count = 0;  // of records replayed
    std::string refusal;    // said last of why it is not
  };
  using RunPtr = std::shared_ptr<Run>;
  using RunLock = std::unique_lock<std::mutex>;
  using Names = std::vector<std::string>;
  template <class Call>
  bool remotely(TimePoint until, const Call& call);
  template <class Call>
  auto ask(std::string_view run, TimePoint until, bool must, const Call& call);
  bool is_remote() const noexcept { return !engine_.keeps_decoded(); }
  static typename JournalLog<CascorWhenUsed>::Options journals_in(const Engine& engine, const std::string& directory);
  std::string folder_in(const char* name);
  RunPtr run_of(std::string_view run);
  Entries numbered(std::span<const NewRecord> records, std::uint64_t past) const;
  AppendOutcome append_remotely(std::string_view run, Run& state, std::span<const LogEntry> entries,
                                std::uint64_t after, const AlongWith* also, TimePoint until, bool& asked);
  StoreResult append_locked(std::string_view run, Run& state, Entries& entries, bool fresh, const AlongWith*& also,
                            TimePoint until);
  static void renumber(Entries& entries, std::uint64_t past);
  StoreResult append_to_journal(std::string_view run, Run& state, Entries& entries, bool fresh);
  [[noreturn]] static void refuse_epoch(RecordId last);
  static std::shared_ptr<const CacheError> another_writer(std::string_view run);
  // Under the run's lock: false where the journal still waits.
  bool replay(std::string_view run, Run& state, TimePoint until);
  void set_aside(std::string_view run, Run& state, const std::string& why);
  bool is_pending(std::string_view run, TimePoint until);
  void note_pending();
  void work() noexcept;
  void replay_all();

  Engine& engine_;
  const std::string directory_;
  std::string destination_;
  const std::string spool_folder_;
  const std::shared_ptr<HistoryLife<CascorWhenUsed>> life_;
  JournalLog<CascorWhenUsed> journals_;  // of the runs themselves
  JournalLog<CascorWhenUsed> waiting_;   // of what waits for Redis
  Deliveries<CascorWhenUsed>& deliveries_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<std::string, RunPtr> runs_;
  std::thread thread_;  // started when something waits, or is to be forced to the disk by and by
  bool stopping_ = false;
};

/// The one of this engine.
template <class CascorWhenUsed>
HistoryStore<CascorWhenUsed>& history_of(Engine& engine) {
  return static_cast<Dependent<Engine, CascorWhenUsed>&>(engine).above().template get<HistoryStore<CascorWhenUsed>>(
      engine);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/history_store.ipp"
#endif
