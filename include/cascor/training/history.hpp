// The durable record of a training run, as a cache offers it: nothing expires it, nothing evicts it, an acknowledged
// append is not lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/cache/cache_manager.hpp"
#include "cascor/codec/json.hpp"
#include "cascor/core/result.hpp"
#include "cascor/training/new_record.hpp"
#include "cascor/training/subscription.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

// Known where they are used, in the .ipp: programs of the compiled form need not read what a store is made of.
struct LogEntry;
namespace detail {
template <class CascorWhenUsed>
struct HistoryLife;
template <class CascorWhenUsed>
struct HistoryUse;
template <class CascorWhenUsed>
class HistoryStore;
}  // namespace detail

/// One record of a run.
struct HistoryRecord {
  std::string id;  ///< its place in the run, "5-1732450000000000": what to follow from
  json record;     ///< {epoch, metrics {}, network_topology {}, phase, timestamp}, or whatever was appended

  /// The member of that name of the record, or else of its metrics. Throws DataError where neither has one.
  CASCOR_CACHE_FN const json& at(std::string_view name) const;
};

namespace detail {
/// Throws DataError for what can be no run's name.
CASCOR_CACHE_FN void check_run_name(std::string_view run);
/// A record as it is appended. Throws DataError for one without an epoch, or without a text.
CASCOR_CACHE_FN NewRecord new_record(const json& value);
/// What a log's entry says; false where it has nothing to say, and, with a line, where that is no JSON.
CASCOR_CACHE_FN bool read_record(const LogEntry& entry, std::string_view run, const Log& log, HistoryRecord& into);
}  // namespace detail

/// The history of one run: a cheap handle, which may be copied and outlive its cache; then, and in a child that was
/// forked, calls give nothing and false. Redis's stream `<namespace>run:<run>:history`, or a journal, one file
/// `<run>.jsonl` in `history.directory`. While Redis is away appends go to a journal, and are replayed in order, once,
/// when it returns; reads give what waits here. One process, and in it one cache, writes a run at a time; a second is
/// told by its append. Safe from any thread. Reads that fail give nothing and write a WARNING, with `strict` they
/// throw.
template <class CascorWhenUsed = void>
class History {
 public:
  using Records = detail::Dependent<std::vector<HistoryRecord>, CascorWhenUsed>;

  History(std::shared_ptr<detail::HistoryLife<CascorWhenUsed>> life, std::string_view run)
      : life_{std::move(life)}, run_{run} {}
  const std::string& run() const noexcept { return run_; }
  const std::shared_ptr<detail::HistoryLife<CascorWhenUsed>>& life() const noexcept { return life_; }

  /// True once the record is durable: in Redis, or in the journal under `history.fsync`; tier() tells which. error()
  /// says why it is not; it may be there all the same where Redis did not answer in time. Throws DataError, with
  /// nothing appended, for a record without an "epoch" from 0 to 2^53 - 1, for an epoch below that of the record before
  /// it, and for a text that is not UTF-8. One round trip, or one write and one fsync, which threads at once share.
  StoreResult append(const json& record);
  /// All of them in their order, or none: one round trip each 1,000 records or 1 MiB, or one fsync.
  template <class AllRecords>
  StoreResult append_many(const AllRecords& records);

  /// The records of the epochs from `from` to `to`, both included. Costs what it returns, a round trip each 1,000.
  Records range(std::int64_t from, std::int64_t to);
  /// The last `count` records, in their order. One round trip.
  Records last(std::size_t count);
  std::size_t size();
  /// The `count` records that keep the shape of the curve of a metric over the epochs (see Downsampling). Records that
  /// do not have it are no part of the curve, those where it is null are gaps in it. O(size), in pages: 40 bytes of
  /// memory each record, and those that are returned.
  Records downsample(std::size_t count, std::string_view metric);
  /// Removes the run; was it there? Not while Redis is away, nor from under another writer: false then.
  bool erase();

  /// Calls `handler(const HistoryRecord&)` for each record past the one whose id is `after`, for an empty id from the
  /// first on, and then for each that comes, on a thread of its own: none left out and none twice, however often Redis
  /// goes and comes back. What the handler throws is logged. Throws DataError for what is no id.
  template <class Handler>
  Subscription follow(std::string_view after, Handler handler) {
    return follow_from(after, [handler = std::move(handler)](const HistoryRecord& record) mutable { handler(record); });
  }

 private:
  using Use = detail::HistoryUse<CascorWhenUsed>;
  using NewRecords = detail::Dependent<std::vector<detail::NewRecord>, CascorWhenUsed>;
  StoreResult append_all(const NewRecords& records);
  Records decoded(detail::Dependent<std::vector<LogEntry>, CascorWhenUsed> entries, const Log& log) const;
  Subscription follow_from(std::string_view after, std::function<void(const HistoryRecord&)> handler);

  std::shared_ptr<detail::HistoryLife<CascorWhenUsed>> life_;
  std::string run_;
};

template <class CascorWhenUsed>
template <class AllRecords>
StoreResult History<CascorWhenUsed>::append_many(const AllRecords& records) {
  NewRecords all;
  for (const auto& record : records) all.push_back(detail::new_record(record));
  return append_all(all);
}

namespace detail {
/// What handles of this engine's runs hold, and the names of its runs.
template <class CascorWhenUsed>
std::shared_ptr<HistoryLife<CascorWhenUsed>> history_life(Engine& engine);
template <class CascorWhenUsed>
Dependent<std::vector<std::string>, CascorWhenUsed> runs_of(Engine& engine);
/// Copies what is missing from a log's run into a journal, and the other way round; how many records it went through.
template <class CascorWhenUsed>
std::size_t export_run(Engine& engine, std::string_view run, const std::string& path);
template <class CascorWhenUsed>
std::size_t import_run(Engine& engine, const std::string& path, std::string_view run);
}  // namespace detail

template <Codec C>
template <class CascorWhenUsed>
History<CascorWhenUsed> BasicCacheManager<C>::history(std::string_view run) {
  detail::check_run_name(run);
  return History<CascorWhenUsed>{detail::history_life<CascorWhenUsed>(this->engine()), run};
}
template <Codec C>
template <class CascorWhenUsed>
std::vector<std::string> BasicCacheManager<C>::runs() {
  return detail::runs_of<CascorWhenUsed>(this->engine());
}
template <Codec C>
template <class CascorWhenUsed>
std::size_t BasicCacheManager<C>::export_run(std::string_view run, const std::filesystem::path& path) {
  return detail::export_run<CascorWhenUsed>(this->engine(), run, path.string());
}
template <Codec C>
template <class CascorWhenUsed>
std::size_t BasicCacheManager<C>::import_run(const std::filesystem::path& path, std::string_view run) {
  return detail::import_run<CascorWhenUsed>(this->engine(), path.string(), run);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/history.ipp"
#endif
