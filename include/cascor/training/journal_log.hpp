// A directory of journals as a record log: one file `<run>.jsonl` a run.
//
// Locking rule: mutex_ guards the list of open journals and nothing else; each journal has its own lock.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cascor/training/journal.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Can a run be called that? Runs are files: 1 to 128 bytes of UTF-8 without slashes and control characters, not
/// beginning with a dot.
CASCOR_CACHE_FN bool is_run_name(std::string_view run) noexcept;

/// Nothing of it is asked of the network, so deadlines play no part. The directory is made by the first append. Safe
/// from any thread.
template <class CascorWhenUsed = void>
class JournalLog final : public RecordLog {
 public:
  struct Options {
    std::string directory;
    HistoryFsync fsync = HistoryFsync::always;
    std::size_t max_records = 0;
    Log log;
    std::string destination{};
  };
  explicit JournalLog(Options options) : options_{std::move(options)} {}

  AppendOutcome append(std::string_view run, std::span<const LogEntry> entries, std::uint64_t after,
                       Deadline by) override;
  std::vector<Dependent<LogEntry, CascorWhenUsed>> read(std::string_view run, RecordId from, RecordId to,
                                                        std::size_t most, Deadline by) override;
  std::vector<Dependent<LogEntry, CascorWhenUsed>> last(std::string_view run, std::size_t most, Deadline by) override;
  std::vector<Dependent<LogEntry, CascorWhenUsed>> get(std::string_view run, std::span<const RecordId> ids,
                                                       Deadline by) override;
  std::size_t size(std::string_view run, Deadline by) override;
  bool erase(std::string_view run, Deadline by) override;
  std::vector<std::string> runs(Deadline by) override;
  std::vector<Dependent<LogEntry, CascorWhenUsed>> await(std::string_view run, RecordId after, std::size_t most,
                                                         milliseconds patience) override;
  void stop() noexcept override { stopped_.store(true, std::memory_order_release); }

  /// The run's journal, opened at the first need.
  std::shared_ptr<Journal<CascorWhenUsed>> journal(std::string_view run);
  /// The runs in the directory, without asking for an order.
  std::vector<std::string> names() const;
  /// Forces to the disk what is not there yet.
  void sync() noexcept;

 private:
  using Journals = Dependent<std::unordered_map<std::string, std::shared_ptr<Journal<CascorWhenUsed>>>, CascorWhenUsed>;
  const Options options_;
  std::mutex mutex_;
  Journals journals_;
  std::atomic<bool> stopped_{false};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/journal_log.ipp"
#endif
