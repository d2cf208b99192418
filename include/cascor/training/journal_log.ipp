#pragma once

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "cascor/training/journal_log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF bool is_run_name(std::string_view run) noexcept {
  constexpr std::size_t longest = 128;  // a file's name has 255 at most
  const bool plain = std::all_of(run.begin(), run.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F && c != '/' && c != '\\';
  });
  return plain && !run.empty() && run.size() <= longest && run.front() != '.' && is_utf8(run);
}

template <class CascorWhenUsed>
std::shared_ptr<Journal<CascorWhenUsed>> JournalLog<CascorWhenUsed>::journal(std::string_view run) {
  constexpr std::size_t most_open = 256;  // each that was read has a descriptor
  const std::lock_guard lock{mutex_};
  std::string name{run};
  if (const auto found = journals_.find(name); found != journals_.end()) return found->second;
  if (journals_.size() >= most_open) {
    std::erase_if(journals_, [](const auto& one) { return one.second.use_count() == 1 && !one.second->is_writing(); });
  }
  typename Journal<CascorWhenUsed>::Options options;
  options.path = options_.directory + '/' + name + ".jsonl";
  options.fsync = options_.fsync;
  options.max_records = options_.max_records;
  options.log = options_.log;
  options.destination = options_.destination;
  auto made = std::make_shared<Journal<CascorWhenUsed>>(std::move(options));
  journals_.emplace(std::move(name), made);
  return made;
}

template <class CascorWhenUsed>
AppendOutcome JournalLog<CascorWhenUsed>::append(std::string_view run, std::span<const LogEntry> entries,
                                                 std::uint64_t /*after*/, Deadline /*by*/) {
  return journal(run)->append(entries);
}
template <class CascorWhenUsed>
std::vector<Dependent<LogEntry, CascorWhenUsed>> JournalLog<CascorWhenUsed>::read(std::string_view run, RecordId from,
                                                                                  RecordId to, std::size_t most,
                                                                                  Deadline /*by*/) {
  return journal(run)->read(from, to, most);
}
template <class CascorWhenUsed>
std::vector<Dependent<LogEntry, CascorWhenUsed>> JournalLog<CascorWhenUsed>::last(std::string_view run,
                                                                                  std::size_t most, Deadline /*by*/) {
  return journal(run)->last(most);
}
template <class CascorWhenUsed>
std::vector<Dependent<LogEntry, CascorWhenUsed>> JournalLog<CascorWhenUsed>::get(std::string_view run,
                                                                                 std::span<const RecordId> ids,
                                                                                 Deadline /*by*/) {
  return journal(run)->get(ids);
}
template <class CascorWhenUsed>
std::size_t JournalLog<CascorWhenUsed>::size(std::string_view run, Deadline /*by*/) {
  return journal(run)->size();
}
template <class CascorWhenUsed>
bool JournalLog<CascorWhenUsed>::erase(std::string_view run, Deadline /*by*/) {
  return journal(run)->erase();
}

template <class CascorWhenUsed>
std::vector<std::string> JournalLog<CascorWhenUsed>::names() const {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code error;
  const Dependent<fs::path, CascorWhenUsed> directory{options_.directory};
  for (fs::directory_iterator at{directory, error}, end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != ".jsonl") continue;
    std::string name = at->path().stem().string();
    if (is_run_name(name)) names.push_back(std::move(name));
  }
  return names;
}

template <class CascorWhenUsed>
std::vector<std::string> JournalLog<CascorWhenUsed>::runs(Deadline /*by*/) {
  struct Run {
    std::uint64_t start = 0;
    std::string name;
  };
  Dependent<std::vector<Run>, CascorWhenUsed> found;
  for (auto& name : names()) {
    const auto first = journal(name)->read({}, last_record_id, 1);
    if (!first.empty()) found.push_back({first.front().id.seq, std::move(name)});
  }
  std::sort(found.begin(), found.end(),
            [](const Run& a, const Run& b) { return a.start != b.start ? a.start < b.start : a.name < b.name; });
  std::vector<std::string> runs;
  for (Run& run : found) runs.push_back(std::move(run.name));
  return runs;
}

template <class CascorWhenUsed>
std::vector<Dependent<LogEntry, CascorWhenUsed>> JournalLog<CascorWhenUsed>::await(std::string_view run, RecordId after,
                                                                                   std::size_t most,
                                                                                   milliseconds patience) {
  // In short steps: stop() wakes nobody.
  constexpr milliseconds step{50};
  const auto one = journal(run);
  for (milliseconds waited{0}; !stopped_.load(std::memory_order_acquire) && waited < patience; waited += step) {
    auto entries = one->await(after, most, std::min(step, patience - waited));
    if (!entries.empty()) return entries;
  }
  return {};
}

template <class CascorWhenUsed>
void JournalLog<CascorWhenUsed>::sync() noexcept {
  Dependent<std::vector<std::shared_ptr<Journal<CascorWhenUsed>>>, CascorWhenUsed> open;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, one] : journals_) open.push_back(one);
  }
  for (const auto& one : open) one->sync();
}

#if defined(CASCOR_CACHE_COMPILED)
template class JournalLog<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
