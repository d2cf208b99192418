#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "cascor/core/errors.hpp"
#include "cascor/training/journal.hpp"
#include "cascor/training/waiting_folder.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// What a directory was told is on the disk only after an fsync of its own.
CASCOR_CACHE_FN void sync_directory_of(const std::string& path) noexcept {
  const auto slash = path.find_last_of('/');
  const redis::Descriptor directory{
      ::open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.fd() >= 0) (void)::fsync(directory.fd());
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::refuse(const char* what, int error) const {
  throw ResponseError{
      std::string{what} + ' ' + printable(options_.path) + ": " + std::generic_category().message(error),
      "Look at history.directory: whether it is there, has room, and may be written."};
}

// ---- reading

// Calls each(line without its newline, its offset) for the whole lines of a part of the file, until it returns false;
// returns where the last whole line ends. A line that no record can be comes as far as it was read.
template <class CascorWhenUsed>
template <class Each>
std::uint64_t Journal<CascorWhenUsed>::each_line(int file, std::uint64_t from, std::uint64_t to, const Each& each) {
  std::size_t chunk = std::size_t{48} << 10U;  // holds the records between two marks; more for who reads on
  Text buffer;
  std::uint64_t offset = from;  // of what the buffer begins with
  std::uint64_t next = from;    // to be read
  std::uint64_t skipped = 0;    // of the line that is too long
  while (next < to) {
    const std::size_t held = buffer.size();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(chunk, to - next));
    buffer.resize(held + wanted);
    const ssize_t got = ::pread(file, buffer.data() + held, wanted, static_cast<off_t>(next));
    if (got < 0 && errno == EINTR) {
      buffer.resize(held);
      continue;
    }
    if (got <= 0) break;
    buffer.resize(held + static_cast<std::size_t>(got));
    next += static_cast<std::uint64_t>(got);
    chunk = std::min(2 * chunk, std::size_t{1} << 20U);
    std::size_t begin = 0;
    for (std::size_t end = buffer.find('\n', held); end != Text::npos; end = buffer.find('\n', begin)) {
      const std::string_view line{buffer.data() + begin, end - begin};
      if (!each(line, offset - skipped)) return offset;
      offset += end + 1 - begin;
      begin = end + 1;
      skipped = 0;
    }
    buffer.erase(0, begin);
    if (buffer.size() > longest_line) {
      skipped += buffer.size();
      offset += buffer.size();
      buffer.clear();
    }
  }
  return offset - skipped;
}

template <class CascorWhenUsed>
bool Journal<CascorWhenUsed>::is_at_path(int file) const {
  struct stat held {};
  struct stat named {};
  return ::fstat(file, &held) == 0 && ::stat(options_.path.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::forget() {
  reader_.reset();
  marks_.clear();
  bad_.clear();
  more_bad_ = false;
  count_ = lines_ = 0;
  last_ = {};
  indexed_ = 0;
}

// Takes in what has changed in the file since, by whomever.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::refresh() {
  struct stat named {};
  if (::stat(options_.path.c_str(), &named) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) refuse("cannot read", errno);
    return forget();
  }
  const auto bytes = static_cast<std::uint64_t>(named.st_size);
  if (!reader_ || named.st_ino != inode_ || named.st_dev != device_ || bytes < indexed_) {
    forget();
    const int fd = ::open(options_.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return;
    if (fd < 0) refuse("cannot read", errno);
    reader_ = std::make_shared<Dependent<redis::Descriptor, CascorWhenUsed>>(fd);
    if (::fstat(fd, &named) != 0) refuse("cannot read", errno);
    device_ = named.st_dev;
    inode_ = named.st_ino;
  }
  if (static_cast<std::uint64_t>(named.st_size) > indexed_) scan(static_cast<std::uint64_t>(named.st_size));
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::scan(std::uint64_t end) {
  indexed_ = each_line(reader_->fd(), indexed_, end, [this](std::string_view line, std::uint64_t offset) {
    take_line(line, offset);
    return true;
  });
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::take_line(std::string_view line, std::uint64_t offset) {
  Line parsed;
  ++lines_;
  if (is_next(parsed, line)) return add(parsed.id, offset);
  const bool whole = line.size() <= longest_line && parsed.read(line, last_, false);
  if (bad_.size() < most_bad) {
    bad_.push_back(offset);
  } else {
    more_bad_ = true;
  }
  if (++reported_ > 10) return;  // a file that is something else altogether fills no log
  options_.log.warning(printable(options_.path) + ':' + std::to_string(lines_) +
                       (whole ? ": a record out of order, passed over" : ": not a record, passed over"));
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::add(RecordId id, std::uint64_t offset) {
  if (count_ % records_a_mark == 0) marks_.push_back({id, offset, lines_});
  ++count_;
  last_ = id;
}

template <class CascorWhenUsed>
std::size_t Journal<CascorWhenUsed>::hidden() const noexcept {
  return options_.max_records > 0 && count_ > options_.max_records ? count_ - options_.max_records : 0;
}

// Calls each(number of the record, line) from a mark on, until it returns false.
template <class CascorWhenUsed>
template <class Visit>
void Journal<CascorWhenUsed>::visit(std::size_t mark, const Visit& each) {
  if (mark >= marks_.size()) return;
  std::size_t number = mark * records_a_mark;
  RecordId before{marks_[mark].id.epoch, marks_[mark].id.seq - 1};
  auto bad = std::lower_bound(bad_.begin(), bad_.end(), marks_[mark].offset);
  each_line(reader_->fd(), marks_[mark].offset, indexed_, [&](std::string_view line, std::uint64_t offset) {
    if (bad != bad_.end() && *bad == offset) {
      ++bad;
      return true;
    }
    Line parsed;
    const bool checked = !more_bad_ || offset <= bad_.back() || offset == marks_[mark].offset;
    if (!checked && line.size() > longest_line) return true;
    if (!parsed.read(line, before, checked)) return true;
    if (!checked && (parsed.id <= before || parsed.id.epoch < before.epoch)) return true;
    before = parsed.id;
    return each(number++, parsed);
  });
}

template <class CascorWhenUsed>
auto Journal<CascorWhenUsed>::read_locked(RecordId from, RecordId to, std::size_t most) -> Entries {
  Entries entries;
  if (count_ == 0 || most == 0) return entries;
  const auto after =
      std::upper_bound(marks_.begin(), marks_.end(), from, [](RecordId id, const Mark& mark) { return id < mark.id; });
  const auto place = static_cast<std::size_t>(after - marks_.begin());
  const std::size_t first = hidden();
  visit(std::max(place == 0 ? 0 : place - 1, first / records_a_mark), [&](std::size_t number, const Line& line) {
    if (line.id > to) return false;
    if (number >= first && line.id >= from) entries.push_back({line.id, Text{line.text}});
    return entries.size() < most;
  });
  return entries;
}

template <class CascorWhenUsed>
auto Journal<CascorWhenUsed>::read(RecordId from, RecordId to, std::size_t most) -> Entries {
  const Lock lock{mutex_};
  refresh();
  return read_locked(from, to, most);
}

template <class CascorWhenUsed>
auto Journal<CascorWhenUsed>::last(std::size_t most) -> Entries {
  const Lock lock{mutex_};
  refresh();
  Entries entries;
  const std::size_t first = std::max(hidden(), count_ - std::min(count_, most));
  if (most > 0) {
    visit(first / records_a_mark, [&](std::size_t number, const Line& line) {
      if (number >= first) entries.push_back({line.id, Text{line.text}});
      return true;
    });
  }
  return entries;
}

template <class CascorWhenUsed>
auto Journal<CascorWhenUsed>::get(std::span<const RecordId> ids) -> Entries {
  const Lock lock{mutex_};
  refresh();
  Entries entries;
  for (const RecordId id : ids) {
    for (auto& entry : read_locked(id, id, 1)) entries.push_back(std::move(entry));
  }
  return entries;
}

template <class CascorWhenUsed>
std::size_t Journal<CascorWhenUsed>::size() {
  const Lock lock{mutex_};
  refresh();
  return count_ - hidden();
}

template <class CascorWhenUsed>
RecordId Journal<CascorWhenUsed>::last_id() {
  const Lock lock{mutex_};
  refresh();
  return last_;
}

// This process's appends wake it at once; those of others are looked for.
template <class CascorWhenUsed>
auto Journal<CascorWhenUsed>::await(RecordId after, std::size_t most, milliseconds patience) -> Entries {
  constexpr milliseconds look_again{20};
  const RecordId from{after.epoch, after.seq + 1};
  Lock lock{mutex_};
  for (const auto end = std::chrono::steady_clock::now() + patience;;) {
    refresh();
    if (last_ > after) return read_locked(from, last_record_id, most);
    const auto left = end - std::chrono::steady_clock::now();
    if (left.count() <= 0) return {};
    grown_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, look_again));
  }
}

// ---- writing

template <class CascorWhenUsed>
AppendOutcome Journal<CascorWhenUsed>::append(std::span<const LogEntry> entries) {
  Lock lock{mutex_};
  if (!writer_ || !is_at_path(writer_->fd())) open_writer();
  refresh();
  AppendOutcome outcome;
  Text bytes;
  Dependent<std::vector<std::pair<RecordId, std::uint64_t>>, CascorWhenUsed> added;
  RecordId before = last_;
  outcome.last = last_;
  for (const LogEntry& entry : entries) {
    check_record(entry);
    if (entry.id.seq <= before.seq) {
      const Entries there = read_locked(entry.id, entry.id, 1);
      if (!there.empty() && there.front().text == entry.text && bytes.empty()) continue;
      outcome.kind = AppendOutcome::seq_behind;
      return outcome;
    }
    if (entry.id.epoch < before.epoch) {
      outcome.kind = AppendOutcome::epoch_behind;
      return outcome;
    }
    added.emplace_back(entry.id, indexed_ + bytes.size());
    Line::write(bytes, entry.id, entry.text);
    before = entry.id;
  }
  write_all(bytes);
  for (const auto& [id, offset] : added) {
    ++lines_;
    add(id, offset);
  }
  indexed_ += bytes.size();
  outcome.last = last_;
  const std::uint64_t mine = ++written_;
  grown_.notify_all();
  if (options_.max_records > 0 && hidden() > std::max<std::size_t>(options_.max_records, 1024)) compact();
  const auto now = std::chrono::steady_clock::now();
  const bool due = options_.fsync == HistoryFsync::interval && now - last_sync_ >= std::chrono::seconds{1};
  if (options_.fsync == HistoryFsync::always || due) sync_through(lock, mine);
  return outcome;
}

// Under the lock: the file at the path is this object's to write, or it throws.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::open_writer() {
  writer_.reset();
  std::error_code ignored;  // the open will tell
  const auto folder = Dependent<std::filesystem::path, CascorWhenUsed>{options_.path}.parent_path();
  std::filesystem::create_directories(folder, ignored);
  if (!options_.destination.empty()) mark_folder(folder.string(), options_.destination);
  while (true) {
    const int fd = ::open(options_.path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) refuse("cannot write", errno);
    File file = std::make_shared<Dependent<redis::Descriptor, CascorWhenUsed>>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) refuse("cannot lock", errno);
      throw ResponseError{"another writer is at " + printable(options_.path),
                          "One process, and in it one cache, writes a run at a time; give each run an id of its own."};
    }
    if (!is_at_path(fd)) continue;  // it was removed or replaced before it was locked
    writer_ = std::move(file);
    break;
  }
  if (options_.fsync != HistoryFsync::never) sync_directory_of(options_.path);
  refresh();
  repair_tail();
}

// What no reader would take is not written.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::check_record(const LogEntry& entry) const {
  if (entry.text.size() > max_record_bytes) {
    throw DataError{"a record of " + std::to_string(entry.text.size()) + " bytes",
                    "A record has 16 MiB at most: keep what is large elsewhere, and its name in the record."};
  }
  if (!is_record_number(entry.id)) {
    throw ResponseError{"no number is left behind the last record of " + printable(options_.path),
                        "Look at that record's seq and epoch: they go up to 9007199254740991."};
  }
}

template <class CascorWhenUsed>
auto Journal<CascorWhenUsed>::unfinished() -> Entries {
  const Lock lock{mutex_};
  refresh();
  struct stat now {};
  Entries entries;
  if (!reader_ || ::fstat(reader_->fd(), &now) != 0) return entries;
  Line line;
  const Text tail = tail_of(reader_->fd(), static_cast<std::uint64_t>(now.st_size) - indexed_);
  if (is_next(line, tail)) entries.push_back({line.id, Text{line.text}});
  return entries;
}

// The first bytes of what stands behind the last whole line.
template <class CascorWhenUsed>
std::string Journal<CascorWhenUsed>::tail_of(int file, std::uint64_t bytes) const {
  Text tail(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, longest_line + 1)), '\0');
  const ssize_t got = ::pread(file, tail.data(), tail.size(), static_cast<off_t>(indexed_));
  tail.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return tail;
}

template <class CascorWhenUsed>
bool Journal<CascorWhenUsed>::is_next(Line& line, std::string_view text) const {
  return text.size() <= longest_line && line.read(text, last_, false) && line.id > last_ &&
         line.id.epoch >= last_.epoch;
}

// A record without its newline was cut off right behind it; anything else was never acknowledged.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::repair_tail() {
  struct stat now {};
  if (::fstat(writer_->fd(), &now) != 0) refuse("cannot read", errno);
  const auto torn = static_cast<std::uint64_t>(now.st_size) - indexed_;
  if (torn == 0) return;
  const Text tail = tail_of(writer_->fd(), torn);
  Line line;
  if (tail.size() == torn && is_next(line, tail)) {
    if (::write(writer_->fd(), "\n", 1) == 1) return refresh();
  }
  if (::ftruncate(writer_->fd(), static_cast<off_t>(indexed_)) != 0) refuse("cannot repair", errno);
  options_.log.warning(printable(options_.path) + ':' + std::to_string(lines_ + 1) + ": a torn last line of " +
                       std::to_string(torn) + " bytes was removed");
}

// All or nothing: half a line in the middle would spoil the one behind it.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::write_all(std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t more = ::write(writer_->fd(), bytes.data() + written, bytes.size() - written);
    if (more < 0 && errno == EINTR) continue;
    if (more > 0) {
      written += static_cast<std::size_t>(more);
      continue;
    }
    const int error = more == 0 ? ENOSPC : errno;
    if (::ftruncate(writer_->fd(), static_cast<off_t>(indexed_)) != 0) writer_.reset();  // repaired when next opened
    refuse("cannot write", error);
  }
}

// The newest records alone, in a file that takes this one's place in one step.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::compact() {
  const Text shorter = options_.path + ".shorter";
  const File file = std::make_shared<Dependent<redis::Descriptor, CascorWhenUsed>>(
      ::open(shorter.c_str(), O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file->fd() < 0 || ::flock(file->fd(), LOCK_EX | LOCK_NB) != 0) return;  // it is tried again with the next append
  const std::size_t first = hidden();
  Text bytes;
  bool good = true;
  const auto flush = [&] {
    for (std::size_t done = 0; good && done < bytes.size();) {
      const ssize_t more = ::write(file->fd(), bytes.data() + done, bytes.size() - done);
      good = more > 0 || (more < 0 && errno == EINTR);
      if (more > 0) done += static_cast<std::size_t>(more);
    }
    bytes.clear();
  };
  visit(first / records_a_mark, [&](std::size_t number, const Line& line) {
    if (number < first) return true;
    Line::write(bytes, line.id, line.text);
    if (bytes.size() > (std::size_t{1} << 20U)) flush();
    return good;
  });
  flush();
  if (!good || ::fsync(file->fd()) != 0 || ::rename(shorter.c_str(), options_.path.c_str()) != 0) {
    (void)::unlink(shorter.c_str());
    return;
  }
  sync_directory_of(options_.path);
  writer_ = file;
  on_disk_ = written_;
  forget();
  refresh();
}

// One thread forces to the disk what all have written so far; the others wait for it.
template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::sync_through(Lock& lock, std::uint64_t through) {
  while (on_disk_ < through) {
    if (syncing_) {
      synced_.wait(lock);
      continue;
    }
    const File file = writer_;
    if (!file) return;
    const std::uint64_t all = written_;
    syncing_ = true;
    lock.unlock();
    const int error = ::fdatasync(file->fd()) == 0 ? 0 : errno;
    lock.lock();
    syncing_ = false;
    last_sync_ = std::chrono::steady_clock::now();
    if (error != 0) {
      // What the disk holds now is not known, and asking it again would be answered with yes.
      if (failed_to_ <= failed_from_) failed_from_ = on_disk_;
      failed_to_ = all;
      sync_error_ = error;
      writer_.reset();
      forget();
    }
    on_disk_ = std::max(on_disk_, all);
    synced_.notify_all();
  }
  if (through > failed_from_ && through <= failed_to_) refuse("cannot sync", sync_error_);
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::sync() noexcept {
  try {
    Lock lock{mutex_};
    if (options_.fsync != HistoryFsync::never) sync_through(lock, written_);
  } catch (const std::exception& error) {
    options_.log.error(error.what());
  }
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::claim() {
  const Lock lock{mutex_};
  if (!writer_ || !is_at_path(writer_->fd())) open_writer();
}

template <class CascorWhenUsed>
void Journal<CascorWhenUsed>::close_writer() {
  sync();
  const Lock lock{mutex_};
  writer_.reset();
}

template <class CascorWhenUsed>
bool Journal<CascorWhenUsed>::is_writing() const {
  const Lock lock{mutex_};
  return writer_ != nullptr;
}

template <class CascorWhenUsed>
bool Journal<CascorWhenUsed>::erase() {
  const Lock lock{mutex_};
  struct stat named {};
  if (::stat(options_.path.c_str(), &named) != 0) {
    writer_.reset();
    forget();
    return false;
  }
  if (!writer_ || !is_at_path(writer_->fd())) open_writer();
  if (::unlink(options_.path.c_str()) != 0) refuse("cannot remove", errno);
  if (options_.fsync != HistoryFsync::never) sync_directory_of(options_.path);
  writer_.reset();
  forget();
  grown_.notify_all();
  return true;
}

#if defined(CASCOR_CACHE_COMPILED)
template class Journal<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
