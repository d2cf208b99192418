// One run's journal: a file of JSON Lines that is only ever appended to.
//
// Locking rule: mutex_ guards the index, the descriptors and the writing, so that lines stand in the order of the
// index; only the fsync runs outside of it, by one thread for all that wait. Between processes flock() lets one write.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/history_fsync.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/record_log.hpp"
#include "cascor/redis/descriptor.hpp"
#include "cascor/training/journal_line.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What a file holds is found by a sparse index, of 32 bytes for each 256 records, that follows what others append to
/// it. A last line that was torn is not there, and goes when somebody writes; a line in the middle that is no record is
/// reported once, by its number, and passed over. Safe from any thread.
template <class CascorWhenUsed = void>
class Journal {
 public:
  struct Options {
    std::string path;
    HistoryFsync fsync = HistoryFsync::always;
    std::size_t max_records = 0;  ///< 0: all
    Log log;
    std::string destination{};  ///< Of its folder, which is marked with it; empty: of none.
  };
  using Entries = Dependent<std::vector<LogEntry>, CascorWhenUsed>;

  /// No file is touched yet.
  explicit Journal(Options options) : options_{std::move(options)} {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal() { sync(); }

  /// As RecordLog::append. Returns when the lines are in the file, and on the disk as `fsync` says. Throws DataError
  /// for a record that is too long, ResponseError where another process, or another cache, writes the run, where no
  /// number is left, and where the file cannot be written: then nothing of it is there.
  AppendOutcome append(std::span<const LogEntry> entries);
  Entries read(RecordId from, RecordId to, std::size_t most);
  Entries last(std::size_t most);
  Entries get(std::span<const RecordId> ids);
  std::size_t size();
  RecordId last_id();
  /// The record that stands behind the last whole line, with nothing missing but its newline; or none.
  Entries unfinished();
  /// Removes the file; was it there? Throws as append() does.
  bool erase();
  /// Waits until there is something past `after`, for `patience` at most.
  Entries await(RecordId after, std::size_t most, milliseconds patience);
  /// Forces to the disk what is not there yet. Never throws.
  void sync() noexcept;
  /// Takes the right to write, which append() takes by itself. Throws as append() does.
  void claim();
  /// Lets go of it.
  void close_writer();
  bool is_writing() const;
  const std::string& path() const noexcept { return options_.path; }

 private:
  using Line = JournalLine<CascorWhenUsed>;
  using Text = Dependent<std::string, CascorWhenUsed>;
  using File =
      std::shared_ptr<Dependent<redis::Descriptor, CascorWhenUsed>>;  // shared with whoever is in an fsync of it
  using Lock = std::unique_lock<std::mutex>;
  // Each so many records have one, so that any record is so many lines from a known place at most.
  static constexpr std::size_t records_a_mark = 256;
  static constexpr std::size_t longest_line = max_record_bytes + 1024;
  static constexpr std::size_t most_bad = 65'536;  // remembered, so that no file takes memory as large as itself
  struct Mark {
    RecordId id;
    std::uint64_t offset = 0;
    std::size_t line = 0;
  };

  // All of these under the lock.
  void refresh();
  void forget();
  void scan(std::uint64_t end);
  void take_line(std::string_view line, std::uint64_t offset);
  void add(RecordId id, std::uint64_t offset);
  template <class Visit>
  void visit(std::size_t mark, const Visit& each);
  template <class Each>
  static std::uint64_t each_line(int file, std::uint64_t from, std::uint64_t to, const Each& each);
  std::size_t hidden() const noexcept;
  Entries read_locked(RecordId from, RecordId to, std::size_t most);
  void open_writer();
  void repair_tail();
  void check_record(const LogEntry& entry) const;
  std::string tail_of(int file, std::uint64_t bytes) const;
  bool is_next(Line& line, std::string_view text) const;
  void write_all(std::string_view bytes);
  void compact();
  bool is_at_path(int file) const;
  void sync_through(Lock& lock, std::uint64_t through);
  [[noreturn]] void refuse(const char* what, int error) const;

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable grown_;
  std::condition_variable synced_;
  File reader_;
  File writer_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Dependent<std::vector<Mark>, CascorWhenUsed> marks_;
  Dependent<std::vector<std::uint64_t>, CascorWhenUsed> bad_;  // offsets of lines that are no records
  bool more_bad_ = false;  // behind those there are others, which are found by looking again
  std::size_t count_ = 0;  // of records, those that max_records hides included
  std::size_t lines_ = 0;
  RecordId last_;
  std::uint64_t indexed_ = 0;  // so many bytes of the file
  std::size_t reported_ = 0;
  // Group commit: batches written, and those of them that are on the disk.
  std::uint64_t written_ = 0;
  std::uint64_t on_disk_ = 0;
  bool syncing_ = false;
  std::uint64_t failed_from_ = 0;  // batches past this one and up to failed_to_ may not be on the disk
  std::uint64_t failed_to_ = 0;
  int sync_error_ = 0;
  std::chrono::steady_clock::time_point last_sync_{};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/journal.ipp"
#endif
