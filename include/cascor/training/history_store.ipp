#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/record_log.hpp"
#include "cascor/training/follower.hpp"
#include "cascor/training/history_store.hpp"
#include "cascor/training/waiting_folder.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
auto HistoryStore<CascorWhenUsed>::journals_in(const Engine& engine, const std::string& directory) ->
    typename JournalLog<CascorWhenUsed>::Options {
  typename JournalLog<CascorWhenUsed>::Options options;
  options.directory = directory;
  options.fsync = engine.config().history.fsync;
  options.log = engine.log();
  return options;
}

template <class CascorWhenUsed>
HistoryStore<CascorWhenUsed>::HistoryStore(Engine& engine)
    : engine_{engine},
      directory_{engine.config().history.directory.string()},
      spool_folder_{folder_in("spool")},
      life_{std::make_shared<HistoryLife<CascorWhenUsed>>()},
      journals_{[&] {
        auto options = journals_in(engine, directory_);
        options.max_records = engine.config().history.max_records;
        return options;
      }()},
      waiting_{[&] {
        auto options = journals_in(engine, folder_in("pending"));
        options.destination = destination_;
        return options;
      }()},
      deliveries_{
          static_cast<Dependent<Engine, CascorWhenUsed>&>(engine).above().template get<Deliveries<CascorWhenUsed>>(
              engine)} {
  life_->store = this;
  life_->made_under = forks().load(std::memory_order_relaxed);
  if (!engine.config().enabled) return;
  // What an earlier process could not bring to Redis.
  if (is_remote()) {
    for (const auto& name : waiting_.names()) run_of(name)->pending = true;
    if (!runs_.empty()) note_pending();
  } else if (engine.config().history.fsync == HistoryFsync::interval) {
    note_pending();
  }
}

// What waits in it is for this Redis and namespace, and no other.
template <class CascorWhenUsed>
std::string HistoryStore<CascorWhenUsed>::folder_in(const char* name) {
  std::string base = directory_ + '/' + name;
  if (!engine_.config().enabled) return base;
  const auto destination = Destination<CascorWhenUsed>::of(engine_.config(), engine_.key_space().key_namespace());
  if (!is_remote()) return base + '/' + destination.folder();
  destination_ = destination.text();
  return waiting_folder(base, destination, engine_.log());
}

template <class CascorWhenUsed>
HistoryStore<CascorWhenUsed>::~HistoryStore() {
  end();
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::end() noexcept {
  {
    const std::unique_lock life{life_->mutex};
    life_->store = nullptr;
  }
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// ---- the way of a call

template <class CascorWhenUsed>
template <class Call>
bool HistoryStore<CascorWhenUsed>::remotely(TimePoint until, const Call& call) {
  const auto with_log = [&](KeyValueStore& store, Deadline by) {
    redis::StreamLog<CascorWhenUsed> log{store, engine_.key_space().key_namespace(),
                                         engine_.config().history.max_records};
    call(log, by);
  };
  return engine_.remotely(RemoteCallOf<decltype(with_log)>{with_log}, until);
}

template <class CascorWhenUsed>
auto HistoryStore<CascorWhenUsed>::run_of(std::string_view run) -> RunPtr {
  const std::lock_guard lock{mutex_};
  auto& held = runs_[std::string{run}];
  if (!held) held = std::make_shared<Run>();
  return held;
}

// Numbers are microseconds of the calendar, and past the one before all the same: a later process's are higher without
// anybody having been asked.
template <class CascorWhenUsed>
auto HistoryStore<CascorWhenUsed>::numbered(std::span<const NewRecord> records, std::uint64_t past) const -> Entries {
  const auto now = std::chrono::floor<std::chrono::microseconds>(engine_.clock().wall().time_since_epoch()).count();
  std::uint64_t seq = std::max<std::uint64_t>(past + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(now, 1)));
  Entries entries;
  entries.reserve(records.size());
  for (const NewRecord& record : records) {
    if (!entries.empty() && record.epoch < entries.back().id.epoch) refuse_epoch(entries.back().id);
    entries.push_back({{record.epoch, seq++}, record.text});
  }
  return entries;
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::refuse_epoch(RecordId last) {
  throw DataError{"an epoch below the last one of the run, " + std::to_string(last.epoch),
                  "Epochs do not decrease within a run: give the new run a name of its own, or erase() the old one."};
}

template <class CascorWhenUsed>
std::shared_ptr<const CacheError> HistoryStore<CascorWhenUsed>::another_writer(std::string_view run) {
  return std::make_shared<const Dependent<ResponseError, CascorWhenUsed>>(
      "another writer has appended to the run " + printable(run),
      "One process, and in it one cache, writes a run at a time; give each run a name of its own.");
}

// ---- appending

template <class CascorWhenUsed>
StoreResult HistoryStore<CascorWhenUsed>::append(std::string_view run, std::span<const NewRecord> records,
                                                 TimePoint until) {
  if (!engine_.config().enabled) {
    return StoreResult{std::make_shared<const ConfigError>("the cache is disabled (backend.cache.enabled: false)",
                                                           "Enable it to have records kept.")};
  }
  if (records.empty()) return StoreResult{is_remote() ? CacheTier::redis : CacheTier::memory};
  const RunPtr state = run_of(run);
  const RunLock lock{state->mutex};
  if (!is_remote() && !state->known) {
    state->last = journals_.journal(run)->last_id();
    state->known = true;
  }
  Entries entries = numbered(records, state->last.seq);
  const AlongWith* nothing = nullptr;
  return append_locked(run, *state, entries, true, nothing, until);
}

template <class CascorWhenUsed>
StoreResult HistoryStore<CascorWhenUsed>::append_numbered(std::string_view run, Entries& entries, bool fresh,
                                                          const AlongWith*& also, TimePoint until) {
  const RunPtr state = run_of(run);
  const RunLock lock{state->mutex};
  return append_locked(run, *state, entries, fresh, also, until);
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::renumber(Entries& entries, std::uint64_t past) {
  for (LogEntry& entry : entries) entry.id.seq = past = std::max(entry.id.seq, past + 1);
}

template <class CascorWhenUsed>
StoreResult HistoryStore<CascorWhenUsed>::append_locked(std::string_view run, Run& state, Entries& entries, bool fresh,
                                                        const AlongWith*& also, TimePoint until) {
  try {
    if (state.pending && !replay(run, state, until)) return append_to_journal(run, state, entries, fresh);
    // A second attempt is for what was numbered behind the run's end: by a clock that is behind that of the run's last
    // writer, or before something else of this cache's. Nothing of it is there.
    for (int attempt = 0;; ++attempt) {
      bool asked = true;
      AppendOutcome outcome;
      if (is_remote()) {
        const std::uint64_t after = state.known ? state.last.seq : 0;
        outcome = append_remotely(run, state, entries, after, also, until, asked);
      } else {
        outcome = journals_.append(run, entries, 0, engine_.deadline(until));
      }
      if (!asked) return append_to_journal(run, state, entries, fresh);
      const RecordId before = std::exchange(state.last, outcome.last);
      const bool knew = std::exchange(state.known, outcome.kind == AppendOutcome::kept);
      if (outcome.kind == AppendOutcome::kept) {
        if (is_remote()) also = nullptr;
        return StoreResult{is_remote() ? CacheTier::redis : CacheTier::memory};
      }
      if (outcome.kind == AppendOutcome::epoch_behind) refuse_epoch(outcome.last);
      const bool ours = !knew || outcome.last == before;
      if (!fresh || !ours || attempt > 0) break;
      renumber(entries, outcome.last.seq);
    }
    auto error = another_writer(run);
    if (engine_.config().strict) error->raise();
    engine_.log().warning(error->what());
    return StoreResult{std::move(error)};
  } catch (const DataError&) {
    throw;
  } catch (const CacheError& error) {
    state.known = false;  // it may be there all the same
    if (engine_.config().strict) throw;
    return StoreResult{error.share()};
  }
}

template <class CascorWhenUsed>
AppendOutcome HistoryStore<CascorWhenUsed>::append_remotely(std::string_view run, Run& state,
                                                            std::span<const LogEntry> entries, std::uint64_t after,
                                                            const AlongWith* also, TimePoint until, bool& asked) {
  AppendOutcome outcome;
  std::string not_done;
  struct Changed {  // whatever becomes of it
    Engine& engine;
    const AlongWith* also;
    Changed(Engine& in, const AlongWith* what) : engine{in}, also{what} {}
    Changed(const Changed&) = delete;
    Changed& operator=(const Changed&) = delete;
    ~Changed() {
      if (also != nullptr) engine.changed(also->key);
    }
  } const changed{engine_, also};
  asked = remotely(until, [&](redis::StreamLog<CascorWhenUsed>& log, Deadline by) {
    if (!state.listed) {
      const auto now = std::chrono::floor<milliseconds>(engine_.clock().wall().time_since_epoch()).count();
      log.list(run, now, by);
      state.listed = true;
    }
    outcome = log.append(run, entries, after, also, not_done, by);
  });
  if (!not_done.empty())
    engine_.log().warning("Along with the history of " + printable(run) + ": " + printable(not_done));
  return outcome;
}

// While Redis is away. What was sent and not answered keeps its numbers here: the replay finds it there.
template <class CascorWhenUsed>
StoreResult HistoryStore<CascorWhenUsed>::append_to_journal(std::string_view run, Run& state, Entries& entries,
                                                            bool fresh) {
  if (state.known && entries.front().id.epoch < state.last.epoch) refuse_epoch(state.last);
  const auto journal = waiting_.journal(run);
  AppendOutcome outcome = journal->append(entries);
  if (outcome.kind == AppendOutcome::seq_behind && fresh) {
    renumber(entries, outcome.last.seq);
    outcome = journal->append(entries);
  }
  if (outcome.kind == AppendOutcome::epoch_behind) refuse_epoch(outcome.last);
  if (outcome.kind != AppendOutcome::kept) return StoreResult{another_writer(run)};
  state.last = outcome.last;
  if (!std::exchange(state.pending, true)) {
    state.replayed = {};
    state.count = 0;
  }
  note_pending();
  return StoreResult{CacheTier::memory};
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::append_entries(std::string_view run, std::span<const LogEntry> entries,
                                                  TimePoint until) {
  const RunPtr state = run_of(run);
  const RunLock lock{state->mutex};
  state->known = false;
  AppendOutcome outcome;
  if (is_remote()) {
    bool asked = false;
    if (!state->pending || replay(run, *state, until)) {
      outcome = append_remotely(run, *state, entries, 0, nullptr, until, asked);
    }
    if (!asked) throw ConnectionError{"Redis is away", "Import the run again when it is back."};
  } else {
    outcome = journals_.append(run, entries, 0, engine_.deadline(until));
  }
  if (outcome.kind == AppendOutcome::kept) return;
  throw ResponseError{"the run " + printable(run) + " holds other records already",
                      "Import into a run of another name, or erase this one first."};
}

// ---- the way back to Redis

template <class CascorWhenUsed>
bool HistoryStore<CascorWhenUsed>::replay(std::string_view run, Run& state, TimePoint until) {
  if (!engine_.is_served_remotely()) return false;
  constexpr std::size_t page = 1000;
  const auto journal = waiting_.journal(run);
  try {
    journal->claim();  // nobody else's, who may be replaying it
    while (true) {
      const RecordId from{state.replayed.epoch, state.replayed.seq + 1};
      const Entries entries = journal->read(from, last_record_id, page);
      if (entries.empty()) break;
      bool asked = false;
      const AppendOutcome outcome = append_remotely(run, state, entries, 0, nullptr, until, asked);
      if (!asked) return false;
      if (outcome.kind != AppendOutcome::kept) {
        set_aside(run, state,
                  outcome.kind == AppendOutcome::seq_behind ? "another writer has gone on with the run"
                                                            : "the run has gone on to a later epoch");
        return true;
      }
      state.replayed = entries.back().id;
      state.count += entries.size();
      state.last = state.replayed;
      state.known = true;
    }
    (void)journal->erase();
  } catch (const DataError&) {
    throw;
  } catch (const ResponseError& error) {  // what does not pass by itself, as a key of another kind
    if (error.what() != std::exchange(state.refusal, error.what())) {
      engine_.log().warning("History of " + printable(run) + " waits, as it cannot be replayed: " + state.refusal);
    }
    return false;
  } catch (const CacheError& error) {
    if (engine_.log().wants(LogLevel::debug)) engine_.log().debug("Replaying " + printable(run) + ": " + error.what());
    return false;
  }
  if (state.count > 0) {
    engine_.log().info("History of " + printable(run) + " replayed: " + std::to_string(state.count) + " records");
  }
  state.pending = false;
  state.refusal.clear();
  return true;
}

// What can no longer be appended where it belongs is not thrown away.
template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::set_aside(std::string_view run, Run& state, const std::string& why) {
  const auto journal = waiting_.journal(run);
  std::string aside = journal->path() + ".refused";
  for (int n = 2; ::access(aside.c_str(), F_OK) == 0; ++n) {  // never over what was set aside before
    aside = journal->path() + ".refused." + std::to_string(n);
  }
  const bool moved = std::rename(journal->path().c_str(), aside.c_str()) == 0;
  journal->close_writer();
  engine_.log().warning("History of " + printable(run) + " that waited for Redis is not in it, as " + why + ": " +
                        printable(moved ? aside : journal->path()));
  state.pending = false;
  state.known = false;
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::note_pending() {
  const std::lock_guard lock{mutex_};
  if (stopping_) return;
  if (!thread_.joinable()) thread_ = std::thread{[this] { work(); }};
  wake_.notify_all();
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::work() noexcept {
  std::unique_lock lock{mutex_};
  const bool remote = is_remote();
  const milliseconds step{remote ? 50 : 1000};
  while (!wake_.wait_for(lock, step, [this] { return stopping_; })) {
    lock.unlock();
    try {
      if (!remote) {
        journals_.sync();
      } else {
        if (engine_.config().history.fsync == HistoryFsync::interval) waiting_.sync();
        replay_all();
      }
    } catch (const std::exception& error) {
      engine_.log().error(std::string{"history: "} + error.what());
    }
    lock.lock();
  }
}

template <class CascorWhenUsed>
void HistoryStore<CascorWhenUsed>::replay_all() {
  if (!engine_.is_served_remotely()) return;
  std::vector<std::pair<std::string, RunPtr>> all;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, state] : runs_) all.emplace_back(name, state);
  }
  for (const auto& [name, state] : all) {
    const RunLock held{state->mutex, std::try_to_lock};
    if (held && state->pending) (void)replay(name, *state, whenever);
  }
}

template <class CascorWhenUsed>
std::size_t HistoryStore<CascorWhenUsed>::waiting() {
  std::size_t records = 0;
  for (const auto& name : waiting_.names()) records += waiting_.journal(name)->size();
  return records;
}

// ---- reading

// Is what waits still here? Where Redis is back it is brought there first, so that one answer has all.
template <class CascorWhenUsed>
bool HistoryStore<CascorWhenUsed>::is_pending(std::string_view run, TimePoint until) {
  RunPtr state;
  {
    const std::lock_guard lock{mutex_};
    const auto found = runs_.find(std::string{run});
    if (found == runs_.end()) return false;
    state = found->second;
  }
  const RunLock lock{state->mutex};
  return state->pending && !replay(run, *state, until);
}

// While Redis is away: what is here.
template <class CascorWhenUsed>
template <class Call>
auto HistoryStore<CascorWhenUsed>::ask(std::string_view run, TimePoint until, bool must, const Call& call) {
  decltype(call(std::declval<RecordLog&>(), std::declval<Deadline>())) answer{};
  if (!engine_.config().enabled) return answer;
  const Deadline here = engine_.deadline(until);
  try {
    if (!is_remote()) return call(journals_, here);
    const bool pending = is_pending(run, until);
    if (!pending || engine_.is_served_remotely()) {
      const auto asked = [&](RecordLog& log, Deadline by) { answer = call(log, by); };
      if (remotely(until, asked)) return answer;
    }
    if (must) throw ConnectionError{"Redis is away", "Try it again when it is back."};
    return call(waiting_, here);
  } catch (const CacheError& error) {
    if (must || engine_.config().strict) throw;
    engine_.log().warning("History of " + printable(run) + " could not be read: " + error.what());
    return decltype(answer){};
  }
}

template <class CascorWhenUsed>
auto HistoryStore<CascorWhenUsed>::read(std::string_view run, RecordId from, RecordId to, std::size_t most,
                                        TimePoint until, bool must) -> Entries {
  return ask(run, until, must, [&](RecordLog& log, Deadline by) { return log.read(run, from, to, most, by); });
}
template <class CascorWhenUsed>
auto HistoryStore<CascorWhenUsed>::last(std::string_view run, std::size_t most, TimePoint until) -> Entries {
  return ask(run, until, false, [&](RecordLog& log, Deadline by) { return log.last(run, most, by); });
}
template <class CascorWhenUsed>
auto HistoryStore<CascorWhenUsed>::get(std::string_view run, std::span<const RecordId> ids, TimePoint until)
    -> Entries {
  return ask(run, until, false, [&](RecordLog& log, Deadline by) { return log.get(run, ids, by); });
}
template <class CascorWhenUsed>
std::size_t HistoryStore<CascorWhenUsed>::size(std::string_view run, TimePoint until) {
  return ask(run, until, false, [&](RecordLog& log, Deadline by) { return log.size(run, by); });
}

template <class CascorWhenUsed>
std::vector<std::string> HistoryStore<CascorWhenUsed>::runs(TimePoint until) {
  Names runs = ask({}, until, false, [](RecordLog& log, Deadline by) { return log.runs(by); });
  if (!is_remote() || !engine_.config().enabled) return runs;
  for (auto& name : waiting_.names()) {
    if (std::find(runs.begin(), runs.end(), name) == runs.end()) runs.push_back(std::move(name));
  }
  return runs;
}

// A run that is erased while Redis is away would come back with it: it stays.
template <class CascorWhenUsed>
bool HistoryStore<CascorWhenUsed>::erase(std::string_view run, TimePoint until) {
  if (!engine_.config().enabled) return false;
  const RunPtr state = run_of(run);
  const RunLock lock{state->mutex};
  try {
    bool there = false;
    if (!is_remote()) {
      there = journals_.erase(run, engine_.deadline(until));
    } else {
      const auto gone = [&](RecordLog& log, Deadline by) { there = log.erase(run, by); };
      if (!remotely(until, gone)) throw ConnectionError{"Redis is away", "Erase the run again when it is back."};
      if (waiting_.erase(run, engine_.deadline(until))) there = true;
    }
    state->last = {};
    state->known = state->listed = state->pending = false;
    return there;
  } catch (const CacheError& error) {
    if (engine_.config().strict) throw;
    engine_.log().warning("History of " + printable(run) + " could not be erased: " + error.what());
    return false;
  }
}

template <class CascorWhenUsed>
std::shared_ptr<Closable> HistoryStore<CascorWhenUsed>::follow(std::string_view run, RecordId after, Handler handler) {
  if (!engine_.config().enabled) return nullptr;
  using Follower = HistoryFollower<CascorWhenUsed>;
  std::shared_ptr<Follower> follower;
  if (!is_remote()) {
    follower =
        std::make_shared<Follower>(engine_.log(), std::string{run}, after, std::move(handler), journals_.journal(run));
  } else {
    const auto& config = engine_.config();
    follower =
        std::make_shared<Follower>(engine_.log(), std::string{run}, after, std::move(handler),
                                   make_remote_store(config, config.clock ? config.clock : SystemClock::shared()),
                                   engine_.key_space().key_namespace());
  }
  deliveries_.start(follower);
  return follower;
}

#if defined(CASCOR_CACHE_COMPILED)
template class HistoryStore<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
