#pragma once

#include <algorithm>
#include <exception>
#include <limits>

#include "cascor/core/errors.hpp"
#include "cascor/training/downsample.hpp"
#include "cascor/training/history.hpp"
#include "cascor/training/history_store.hpp"
#include "cascor/training/metric_in.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

CASCOR_CACHE_DEF void check_run_name(std::string_view run) {
  if (is_run_name(run)) return;
  throw DataError{"a name that no run can have: '" + printable(run.substr(0, 128)) + "'",
                  "Runs are files: name them by 1 to 128 bytes of UTF-8 without slashes, not beginning with a dot."};
}

CASCOR_CACHE_DEF NewRecord new_record(const json& value) {
  const Dependent<json, CascorWhenUsed>& record = value;
  const auto epoch = record.is_object() ? record.find("epoch") : record.end();
  NewRecord made;
  if (epoch != record.end() && epoch->is_number_integer()) {
    made.epoch = epoch->template get<std::uint64_t>();  // a negative one is beyond the last
    if (made.epoch <= max_record_number) {
      try {
        made.text = dump_json(record);
        if (made.text.size() <= max_record_bytes) return made;
        throw DataError{"a record of " + std::to_string(made.text.size()) + " bytes",
                        "A record has 16 MiB at most: keep what is large elsewhere, and its name in the record."};
      } catch (const CacheError&) {
        throw;
      } catch (const std::exception& error) {
        throw DataError{std::string{"the record does not encode: "} + error.what(), "Records are JSON text, in UTF-8."};
      }
    }
  }
  throw DataError{"a record without an epoch",
                  "A record is an object with a whole number from 0 to 9007199254740991 as its \"epoch\"."};
}

CASCOR_CACHE_DEF bool read_record(const LogEntry& entry, std::string_view run, const Log& log, HistoryRecord& into) {
  if (entry.text.empty()) return false;  // nothing of ours: an entry that has no such field
  try {
    check_json_text(entry.text);
    into.record = Dependent<json, CascorWhenUsed>::parse(entry.text);
    into.id = to_string(entry.id);
    return true;
  } catch (const std::exception&) {
    log.warning("a record of " + printable(run) + " is not JSON, passed over: " + to_string(entry.id));
    return false;
  }
}

template <class CascorWhenUsed>
std::shared_ptr<HistoryLife<CascorWhenUsed>> history_life(Engine& engine) {
  return history_of<CascorWhenUsed>(engine).life();
}

template <class CascorWhenUsed>
Dependent<std::vector<std::string>, CascorWhenUsed> runs_of(Engine& engine) {
  return history_of<CascorWhenUsed>(engine).runs(whenever);
}

// Others may have written it with newlines, or something else altogether.
CASCOR_CACHE_FN bool in_one_line(LogEntry& entry, std::string_view run, const Log& log) {
  if (entry.text.find_first_of("\n\r") == std::string::npos && entry.text.starts_with("{") &&
      Dependent<json, CascorWhenUsed>::accept(entry.text)) {
    return true;
  }
  HistoryRecord record;
  if (!read_record(entry, run, log, record)) return false;
  entry.text = static_cast<Dependent<json, CascorWhenUsed>&>(record.record).dump();
  return entry.text.starts_with("{");
}

template <class CascorWhenUsed>
std::size_t export_run(Engine& engine, std::string_view run, const std::string& path) {
  constexpr std::size_t page = 1000;
  check_run_name(run);
  auto& store = history_of<CascorWhenUsed>(engine);
  typename Journal<CascorWhenUsed>::Options options;
  options.path = path;
  options.fsync = HistoryFsync::interval;
  options.log = engine.log();
  Journal<CascorWhenUsed> journal{std::move(options)};
  std::size_t count = 0;
  for (RecordId from;;) {
    auto entries = store.read(run, from, last_record_id, page, whenever, true);
    if (entries.empty()) break;
    const RecordId last = entries.back().id;
    std::erase_if(entries, [&](LogEntry& entry) { return !in_one_line(entry, run, engine.log()); });
    if (journal.append(entries).kind != AppendOutcome::kept) {
      throw ResponseError{"the file " + printable(journal.path()) + " holds other records already",
                          "Export into a file that is not there yet."};
    }
    count += entries.size();
    from = {last.epoch, last.seq + 1};
  }
  journal.close_writer();
  return count;
}

template <class CascorWhenUsed>
std::size_t import_run(Engine& engine, const std::string& path, std::string_view run) {
  constexpr std::size_t page = 1000;
  check_run_name(run);
  auto& store = history_of<CascorWhenUsed>(engine);
  typename Journal<CascorWhenUsed>::Options options;
  options.path = path;
  options.log = engine.log();
  Journal<CascorWhenUsed> journal{std::move(options)};
  std::size_t count = 0;
  for (RecordId from;;) {
    auto entries = journal.read(from, last_record_id, page);
    if (entries.empty()) entries = journal.unfinished();
    if (!entries.empty() && entries.back().id < from) break;
    if (entries.empty()) break;
    store.append_entries(run, entries, whenever);
    count += entries.size();
    from = {entries.back().id.epoch, entries.back().id.seq + 1};
  }
  return count;
}

}  // namespace detail

CASCOR_CACHE_DEF const json& HistoryRecord::at(std::string_view name) const {
  const detail::Dependent<json, CascorWhenUsed>& whole = record;
  const std::string key{name};
  if (const auto found = whole.find(key); found != whole.end()) return *found;
  if (const auto metrics = whole.find("metrics"); metrics != whole.end() && metrics->is_object()) {
    if (const auto found = metrics->find(key); found != metrics->end()) return *found;
  }
  throw DataError{"the record has no member " + printable(name) + ", nor have its metrics",
                  "Look at what was appended; contains() of the record tells."};
}

template <class CascorWhenUsed>
StoreResult History<CascorWhenUsed>::append(const json& record) {
  NewRecords one;
  one.push_back(detail::new_record(record));
  return append_all(one);
}

template <class CascorWhenUsed>
StoreResult History<CascorWhenUsed>::append_all(const NewRecords& records) {
  if (const Use use{*life_}) return use->append(run_, records, detail::whenever);
  return StoreResult{std::make_shared<const ConnectionError>("the cache of this history has ended",
                                                             "Keep the cache for as long as its handles are used.")};
}

template <class CascorWhenUsed>
auto History<CascorWhenUsed>::decoded(detail::Dependent<std::vector<LogEntry>, CascorWhenUsed> entries,
                                      const Log& log) const -> Records {
  Records records;
  records.reserve(entries.size());
  for (const LogEntry& entry : entries) {
    HistoryRecord record;
    if (detail::read_record(entry, run_, log, record)) records.push_back(std::move(record));
  }
  return records;
}

template <class CascorWhenUsed>
auto History<CascorWhenUsed>::range(std::int64_t from, std::int64_t to) -> Records {
  constexpr std::size_t page = 1000;
  Records records;
  const Use use{*life_};
  if (!use || to < 0 || to < from) return records;
  RecordId next{static_cast<std::uint64_t>(std::max<std::int64_t>(from, 0)), 0};
  const RecordId end{static_cast<std::uint64_t>(to), std::numeric_limits<std::uint64_t>::max()};
  while (true) {
    auto entries = use->read(run_, next, end, page, detail::whenever);
    if (entries.empty()) return records;
    const bool all = entries.size() < page;
    next = {entries.back().id.epoch, entries.back().id.seq + 1};
    for (auto& record : decoded(std::move(entries), use->engine().log())) records.push_back(std::move(record));
    if (all) return records;
  }
}

template <class CascorWhenUsed>
auto History<CascorWhenUsed>::last(std::size_t count) -> Records {
  const Use use{*life_};
  if (!use) return {};
  return decoded(use->last(run_, count, detail::whenever), use->engine().log());
}

template <class CascorWhenUsed>
std::size_t History<CascorWhenUsed>::size() {
  const Use use{*life_};
  return use ? use->size(run_, detail::whenever) : 0;
}

template <class CascorWhenUsed>
auto History<CascorWhenUsed>::downsample(std::size_t count, std::string_view metric) -> Records {
  constexpr std::size_t page = 1000;
  const Use use{*life_};
  if (!use) return {};
  using Sampling = Downsampling<CascorWhenUsed>;
  detail::Dependent<std::vector<typename Sampling::Point>, CascorWhenUsed> points;
  detail::Dependent<std::vector<RecordId>, CascorWhenUsed> ids;
  for (RecordId next;;) {
    auto entries = use->read(run_, next, last_record_id, page, detail::whenever);
    if (entries.empty()) break;
    next = {entries.back().id.epoch, entries.back().id.seq + 1};
    for (LogEntry& entry : entries) {
      const RecordId id = entry.id;
      typename Sampling::Point point{static_cast<double>(id.epoch), std::numeric_limits<double>::quiet_NaN()};
      if (!detail::metric_in(entry.text, metric, point.y)) continue;
      points.push_back(point);
      ids.push_back(id);
    }
    if (entries.size() < page) break;
  }
  detail::Dependent<std::vector<RecordId>, CascorWhenUsed> picked;
  for (const std::size_t index : Sampling::pick(points, count)) picked.push_back(ids[index]);
  return decoded(use->get(run_, picked, detail::whenever), use->engine().log());
}

template <class CascorWhenUsed>
bool History<CascorWhenUsed>::erase() {
  const Use use{*life_};
  return use && use->erase(run_, detail::whenever);
}

template <class CascorWhenUsed>
Subscription History<CascorWhenUsed>::follow_from(std::string_view after,
                                                  std::function<void(const HistoryRecord&)> handler) {
  RecordId from;
  if (!after.empty()) {
    const auto parsed = parse_record_id(after);
    if (!parsed) {
      throw DataError{"no record's id: '" + printable(after) + "'", "Follow from HistoryRecord::id, or from \"\"."};
    }
    from = *parsed;
  }
  const Use use{*life_};
  if (!use) return {};
  auto each = [handler = std::move(handler), run = run_, log = use->engine().log()](const LogEntry& entry) {
    HistoryRecord record;
    if (detail::read_record(entry, run, log, record)) handler(record);
  };
  return Subscription{use->follow(run_, from, std::move(each))};
}

#if defined(CASCOR_CACHE_COMPILED)
template class History<>;
namespace detail {
template std::shared_ptr<HistoryLife<>> history_life<void>(Engine&);
template std::vector<std::string> runs_of<void>(Engine&);
template std::size_t export_run<void>(Engine&, std::string_view, const std::string&);
template std::size_t import_run<void>(Engine&, const std::string&, std::string_view);
}  // namespace detail
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI
