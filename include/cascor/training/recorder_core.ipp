#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>
#include <utility>

#include "cascor/cache/report.hpp"
#include "cascor/config/redis_url.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/training/message.hpp"
#include "cascor/training/pubsub.hpp"
#include "cascor/training/recorder_core.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

inline constexpr std::size_t records_a_batch = 500;  // one step of the log

template <class CascorWhenUsed>
RecorderCore<CascorWhenUsed>::RecorderCore(std::shared_ptr<Life> life, std::string_view run,
                                           const RecorderOptions& options)
    : life_{std::move(life)}, run_{run}, options_{options} {
  const HistoryUse<CascorWhenUsed> use{*life_};
  if (!use) return;
  const CacheConfig& config = use->engine().config();
  clock_ = config.clock ? config.clock : SystemClock::shared();
  log_ = use->engine().log();
  timeout_ = std::min(config.connection_pool.timeout, milliseconds{2000});
  shutdown_timeout_ = config.shutdown_timeout;
  patience_ = std::min(timeout_, std::max(shutdown_timeout_, milliseconds{100}));
  const std::string folder = use->spool_folder() + '/';
  set_aside_ = folder + run_ + ".jsonl.refused";
  if (config.enabled && config.type == CacheType::redis) {
    in_one_step_ = RedisUrl::parse(config.redis_url).kind != RedisUrl::Kind::cluster;
  }
  typename Journal<CascorWhenUsed>::Options spool;
  spool.path = folder + run_ + ".jsonl";
  spool.fsync = HistoryFsync::never;  // it is for the process's end
  spool.log = log_;
  spool.destination = destination_ = use->destination();
  spool_ = std::make_unique<Journal<CascorWhenUsed>>(std::move(spool));
  if (!config.enabled) return;
  try {
    spooled_ = spool_->size();
    if (spooled_ > 0) spool_->claim();
    inherited_ = last_ = spool_->last_id();
    spooling_ = spooled_ > 0;
  } catch (const CacheError& error) {  // another recorder's
    log_.warning(error.what());
    spooled_ = 0;
  }
  thread_ = std::thread{[this] { run_thread(); }};
}

template <class CascorWhenUsed>
RecorderCore<CascorWhenUsed>::~RecorderCore() {
  if (!thread_.joinable()) return;
  const auto end = std::chrono::steady_clock::now() + shutdown_timeout_;
  {
    const std::lock_guard lock{mutex_};
    ends_by_ = end;
  }
  (void)drain(end);
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
  keep_rest();
}

// ---- the caller's side

// Under the lock.
template <class CascorWhenUsed>
RecordId RecorderCore<CascorWhenUsed>::numbered(std::uint64_t epoch, WallTime when) noexcept {
  const auto now = std::chrono::floor<std::chrono::microseconds>(when.time_since_epoch()).count();
  last_ = {epoch, std::max<std::uint64_t>(last_.seq + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(now, 1)))};
  return last_;
}

template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::epoch(json record) {
  if (!is_ours() || !thread_.joinable()) return false;
  Json& value = record;
  settle_json(value, 1);  // the record has members under its metrics, and the message has it under its data
  const auto number = value.is_object() ? value.find("epoch") : value.end();
  const bool whole = value.is_object() && number != value.end() && number->is_number_unsigned();
  const std::uint64_t epoch = whole ? number->template get<std::uint64_t>() : max_record_number + 1;
  if (epoch > max_record_number) {
    throw DataError{"an epoch without its number",
                    "Give an object with a whole number from 0 to 9007199254740991 as its \"epoch\"."};
  }
  const WallTime when = clock_->wall();
  const std::lock_guard lock{mutex_};
  if (ended_) return false;
  if (epoch < last_.epoch) {
    throw DataError{"an epoch below the one before it, " + std::to_string(last_.epoch),
                    "Epochs do not decrease within a run: give the new run a recorder and a name of its own."};
  }
  Given given{numbered(epoch, when), when, std::move(value)};
  if (spooling_ || waiting_.size() + sending_ >= options_.max_pending) return spool(std::move(given));
  waiting_.push_back(std::move(given));
  return true;
}

// Under the lock.
template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::spool(Given given) {
  try {
    Json newest = given.record;
    std::vector<Dependent<LogEntry, CascorWhenUsed>> one;
    one.push_back({given.id, {}});
    one.front().text = text_of(std::move(given));
    if (spool_->append(one).kind != AppendOutcome::kept) return false;
    spooling_ = true;
    ++spooled_;
    newest_spooled_ = std::move(newest);
    return true;
  } catch (const CacheError& error) {
    log_.error(std::string{"a record is lost: "} + error.what());
    return false;
  }
}

template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::topology(json value) {
  if (!is_ours() || !thread_.joinable()) return false;
  settle_json(value, 1);
  const std::lock_guard lock{mutex_};
  if (ended_) return false;
  topology_ = std::move(value);
  return true;
}

template <class CascorWhenUsed>
std::size_t RecorderCore<CascorWhenUsed>::backlog() const {
  if (!is_ours()) return 0;
  const std::lock_guard lock{mutex_};
  return waiting_.size() + sending_ + spooled_;
}

// Under the lock.
template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::is_drained() const noexcept {
  return waiting_.empty() && sending_ == 0 && spooled_ == 0 && !topology_ && !newest_;
}

// Waits until all of it is durable, and published.
template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::drain(std::chrono::steady_clock::time_point end) {
  Lock lock{mutex_};
  ++flushing_;
  wake_.notify_all();
  const bool drained = done_.wait_until(lock, end, [this] { return ended_ || is_drained(); });
  --flushing_;
  return drained && !ended_;
}

template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::flush(milliseconds within) {
  if (!is_ours() || !thread_.joinable()) return false;
  const auto end = std::chrono::steady_clock::now() + within;
  const auto left = [&] {
    return std::max(std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now()), milliseconds{0});
  };
  if (!drain(end)) return false;
  // What a journal or memory has taken in Redis's place has still to come there.
  constexpr milliseconds look_again{5};
  while (true) {
    const HistoryUse<CascorWhenUsed> use{*life_};
    if (!use) return false;
    const TimePoint until = clock_->now() + left();
    if (use->is_settled(run_, until)) {
      const bool all_there = use->engine().flush(until);
      const Lock lock{mutex_};
      return !std::exchange(refused_, false) && all_there;
    }
    if (left() == milliseconds{0}) return false;
    Lock lock{mutex_};
    wake_.wait_for(lock, look_again, [this] { return ended_; });
  }
}

// ---- the thread

// The record's own members stay, and all others go under its metrics.
template <class CascorWhenUsed>
std::string RecorderCore<CascorWhenUsed>::text_of(Given given) {
  constexpr std::array<std::string_view, 4> own{"epoch", "network_topology", "phase", "timestamp"};
  Json record;
  Json metrics = Json::object();
  if (const auto named = given.record.find("metrics"); named != given.record.end() && named->is_object()) {
    metrics = std::move(*named);
    given.record.erase(named);
  }
  for (auto& [name, value] : given.record.template get_ref<typename Json::object_t&>()) {
    const bool is_own = std::find(own.begin(), own.end(), name) != own.end();
    (is_own ? record : metrics)[name] = std::move(value);
  }
  record["metrics"] = std::move(metrics);
  if (!record.contains("timestamp")) record["timestamp"] = iso8601(given.when);
  return record.dump();
}

template <class CascorWhenUsed>
void RecorderCore<CascorWhenUsed>::run_thread() noexcept {
  // Nobody pays for waking it: it looks by itself.
  constexpr milliseconds look_again{10};
  constexpr milliseconds longest{1000};
  milliseconds delay{0};
  Lock lock{mutex_};
  while (!ended_) {
    if (delay > milliseconds{0}) {
      wake_.wait_for(lock, delay, [this] { return stopping_; });
    } else if (is_drained() || flushing_ == 0) {
      wake_.wait_for(lock, look_again, [this] { return stopping_ || (flushing_ > 0 && !is_drained()); });
    }
    if (stopping_) return;
    bool good = true;
    try {
      const bool now = flushing_ > 0 || std::chrono::steady_clock::now() - last_published_ >= options_.publish_every;
      const bool some = take(lock);
      lock.unlock();
      if (some || now) good = send(now);
      lock.lock();
    } catch (const DataError& error) {
      if (lock.owns_lock()) lock.unlock();
      put_aside(batch_.entries, error.what());
      sent(batch_);
      batch_ = {};
      lock.lock();
    } catch (const CacheError& error) {  // with `strict`, that it is away
      if (log_.wants(LogLevel::debug)) log_.debug(error.what());
      if (!lock.owns_lock()) lock.lock();
      good = false;
    } catch (const std::exception& error) {
      log_.error(std::string{"recording "} + printable(run_) + ": " + error.what());
      if (!lock.owns_lock()) lock.lock();
      good = false;
    }
    if (!good) patience_ = std::min(timeout_, patience_ * 2);
    delay = good ? milliseconds{0} : std::clamp(delay * 2, look_again, longest);
    if (is_drained() || ended_) done_.notify_all();
  }
}

// Takes the next batch, unless the last one is still to be sent: what is in memory first, as it is older than what is
// in the file, unless that is an earlier recorder's.
template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::take(Lock& lock) {
  if (!batch_.entries.empty()) return true;
  batch_ = {};
  const bool from_memory = !waiting_.empty() && (spool_read_ >= inherited_ || spooled_ == 0);
  if (from_memory) {
    std::vector<Given> taken;
    const std::size_t count = std::min(waiting_.size(), records_a_batch);
    for (std::size_t i = 0; i < count; ++i) {
      taken.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    sending_ = count;
    lock.unlock();
    batch_.newest = taken.back().record;
    std::vector<Dependent<LogEntry, CascorWhenUsed>> too_long;
    for (Given& given : taken) {
      LogEntry entry{given.id, {}};
      entry.text = text_of(std::move(given));
      (entry.text.size() > max_record_bytes ? too_long : batch_.entries).push_back(std::move(entry));
    }
    if (!too_long.empty()) put_aside(too_long, "a record has 16 MiB at most");
    lock.lock();
    sending_ = batch_.entries.size();
    return sending_ > 0;
  }
  if (spooled_ == 0) return false;
  const RecordId from{spool_read_.epoch, spool_read_.seq + 1};
  batch_.entries = spool_->read(from, last_record_id, records_a_batch);
  if (batch_.entries.empty()) {  // somebody removed the file
    spooled_ = 0;
    spooling_ = false;
    return false;
  }
  const bool inherited = batch_.entries.front().id <= inherited_;
  while (inherited && batch_.entries.back().id > inherited_) batch_.entries.pop_back();
  batch_.fresh = !inherited;
  batch_.from_spool = batch_.entries.back().id;
  sending_ = batch_.entries.size();
  spooled_ -= std::min(spooled_, sending_);
  if (spooled_ == 0 && newest_spooled_) batch_.newest = std::exchange(newest_spooled_, std::nullopt);
  return true;
}

// Nothing cuts a call short that is under way, and the recorder's end waits for it. So it has no more time than that
// end has, until a call fails for it.
template <class CascorWhenUsed>
TimePoint RecorderCore<CascorWhenUsed>::soon(const Engine& engine) const {
  milliseconds limit = patience_;
  const std::lock_guard lock{mutex_};
  if (ends_by_) {
    const auto left = std::chrono::ceil<milliseconds>(*ends_by_ - std::chrono::steady_clock::now());
    limit = std::clamp(left, milliseconds{0}, limit);
  }
  return engine.clock().now() + limit;
}

// False: it is tried again.
template <class CascorWhenUsed>
bool RecorderCore<CascorWhenUsed>::send(bool publish_now) {
  const HistoryUse<CascorWhenUsed> use{*life_};
  if (!use) {
    const std::lock_guard lock{mutex_};
    ended_ = true;
    return false;
  }
  Engine& engine = use->engine();
  if (!batch_.entries.empty()) {
    AlongWith also;
    const AlongWith* along = nullptr;
    std::string key;
    std::string value;
    std::string channel;
    std::string message;
    if (publish_now && in_one_step_ && batch_.newest) {
      key = engine.key_space().text(Prefix::metrics) + "latest";
      value = batch_.newest->dump();
      channel = name_of(engine, Channel::training);
      message = encode_event("metrics_update", iso8601(engine.clock().wall()), *batch_.newest);
      also = {key, value, engine.config().prefix_ttl.metrics, channel, message};
      along = &also;
    }
    const AlongWith* left = along;
    const StoreResult stored = use->append_numbered(run_, batch_.entries, batch_.fresh, left, soon(engine));
    if (!stored) {
      if (engine.log().wants(LogLevel::debug) && stored.error() != nullptr) engine.log().debug(stored.error()->what());
      return false;
    }
    const bool done_along = along != nullptr && left == nullptr;
    if (done_along) last_published_ = std::chrono::steady_clock::now();
    {
      const std::lock_guard lock{mutex_};
      newest_ = done_along ? std::nullopt : batch_.newest ? std::move(batch_.newest) : std::move(newest_);
    }
    sent(batch_);
    batch_ = {};
  }
  if (!publish_now) return true;
  std::optional<Json> newest;
  {
    const std::lock_guard lock{mutex_};
    newest = newest_;
  }
  if (newest) {
    publish(*use.store, *newest);
    last_published_ = std::chrono::steady_clock::now();
    const std::lock_guard lock{mutex_};
    newest_.reset();
  }
  send_topology(engine);
  return true;
}

template <class CascorWhenUsed>
void RecorderCore<CascorWhenUsed>::sent(const Batch& batch) {
  const std::lock_guard lock{mutex_};
  sending_ = 0;
  if (batch.from_spool == RecordId{}) return;
  spool_read_ = batch.from_spool;
  if (spooled_ > 0) return;
  // All of the file is sent, and under the lock nothing comes to it.
  spooling_ = false;
  try {
    (void)spool_->erase();
  } catch (const CacheError& error) {
    log_.warning(error.what());
  }
}

template <class CascorWhenUsed>
void RecorderCore<CascorWhenUsed>::publish(Store& store, const Json& newest) {
  Engine& engine = store.engine();
  const std::string key = engine.key_space().text(Prefix::metrics) + "latest";
  Write write;
  write.key = key;
  write.prefix = Prefix::metrics;
  write.value = StoredValue{std::make_shared<const std::string>(newest.dump())};
  (void)engine.write({&write, 1}, soon(engine));
  (void)publish_event(engine, name_of(engine, Channel::training), "metrics_update", newest, soon(engine));
}

template <class CascorWhenUsed>
void RecorderCore<CascorWhenUsed>::send_topology(Engine& engine) {
  std::optional<Json> topology;
  {
    const std::lock_guard lock{mutex_};
    topology = topology_;
  }
  if (!topology) return;
  const std::string key = engine.key_space().text(Prefix::topology) + "latest";
  Write write;
  write.key = key;
  write.prefix = Prefix::topology;
  write.value = StoredValue{std::make_shared<const std::string>(topology->dump())};
  (void)engine.write({&write, 1}, soon(engine));
  (void)publish_event(engine, name_of(engine, Channel::topology), "topology_update", *topology, soon(engine));
  const std::lock_guard lock{mutex_};
  if (topology_ == topology) topology_.reset();
}

// ---- what cannot be sent

CASCOR_CACHE_FN bool append_lines(const std::string& path,
                                  const std::vector<Dependent<LogEntry, CascorWhenUsed>>& entries) noexcept {
  const redis::Descriptor file{::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)};
  bool good = file.fd() >= 0;
  for (const LogEntry& entry : entries) {
    const std::string line = entry.text + '\n';
    good = good && ::write(file.fd(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }
  return good;
}

// The run has gone on to a later epoch by somebody else's hand: its records are not this recorder's to go on with.
template <class CascorWhenUsed>
void RecorderCore<CascorWhenUsed>::put_aside(const std::vector<Dependent<LogEntry, CascorWhenUsed>>& entries,
                                             const std::string& why) {
  try {
    spool_->claim();             // makes the folder
  } catch (const CacheError&) {  // the line below tells
  }
  const bool kept = append_lines(set_aside_, entries);
  log_.error(std::to_string(entries.size()) + " records of " + printable(run_) + " are refused: " + why +
             (kept ? "; they are in " + printable(set_aside_) : "; they are lost"));
  {
    const Lock lock{mutex_};
    refused_ = true;
  }
}

// Nobody else is here any more. What is older than what is in the file goes before it.
template <class CascorWhenUsed>
void RecorderCore<CascorWhenUsed>::keep_rest() noexcept {
  try {
    std::vector<Dependent<LogEntry, CascorWhenUsed>> rest;
    if (batch_.from_spool == RecordId{}) rest = std::move(batch_.entries);
    for (Given& given : waiting_) {
      const RecordId id = given.id;
      rest.push_back({id, text_of(std::move(given))});
    }
    if (rest.empty()) {
      if (!spooling_ && spool_->is_writing()) spool_->close_writer();
      return;
    }
    if (spooled_ > 0 || batch_.from_spool != RecordId{}) {
      const RecordId from{spool_read_.epoch, spool_read_.seq + 1};
      for (auto& entry : spool_->read(from, last_record_id, spooled_ + sending_)) rest.push_back(std::move(entry));
    }
    std::sort(rest.begin(), rest.end(), [](const LogEntry& a, const LogEntry& b) { return a.id < b.id; });
    // In one step: what the file holds already is lost at no moment.
    typename Journal<CascorWhenUsed>::Options options;
    options.path = spool_->path() + ".rest";
    options.log = log_;
    options.destination = destination_;
    Journal<CascorWhenUsed> whole{std::move(options)};
    (void)whole.erase();
    (void)whole.append(rest);
    if (std::rename(whole.path().c_str(), spool_->path().c_str()) != 0) {
      throw std::system_error{errno, std::generic_category(), "cannot rename " + printable(whole.path())};
    }
    log_.info(std::to_string(rest.size()) + " records of " + printable(run_) + " wait in " + printable(spool_->path()));
  } catch (const std::exception& error) {
    log_.error(std::string{"records of "} + printable(run_) + " are lost: " + error.what());
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class RecorderCore<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
