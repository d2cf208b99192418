// Fuzz target: any bytes as the file of a run. Whatever they are, reading throws nothing but a CacheError, takes no
// memory that the file is not worth, and gives the records that whole lines hold, in their order, however they are
// asked for; writing repairs the end once and loses none of them; and no line between good ones takes a good one along.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/training/journal.hpp"
#include "support/temporary_folder.hpp"

using cascor::AppendOutcome;
using cascor::LogEntry;
using cascor::RecordId;
using Journal = cascor::detail::Journal<>;
using Line = cascor::detail::JournalLine<>;
using Entries = std::vector<LogEntry>;

namespace {

const support::TemporaryFolder& folder() {
  static const support::TemporaryFolder one;
  return one;
}
std::string path() { return (folder().path() / "run.jsonl").string(); }

void expect(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "not so: " << what << '\n';
  std::abort();
}

void write_file(std::string_view bytes) {
  std::filesystem::remove(path());
  std::ofstream{path(), std::ios::binary} << bytes;
}
std::string file() {
  std::ifstream in{path(), std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

Journal::Options options(std::size_t max_records = 0) {
  Journal::Options options;
  options.path = path();
  options.fsync = cascor::HistoryFsync::never;
  options.max_records = max_records;
  options.log = cascor::Log{[](cascor::LogLevel, std::string_view) {}};
  return options;
}

bool alike(const Entries& one, const Entries& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const LogEntry& a, const LogEntry& b) { return a.id == b.id && a.text == b.text; });
}

bool is_next(Line& line, std::string_view text, RecordId before) {
  return line.read(text, before, false) && line.id > before && line.id.epoch >= before.epoch;
}

// What the whole lines hold, and what stands behind them.
Entries records_in(std::string_view bytes, std::string_view& tail) {
  Entries all;
  RecordId before;
  for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    Line line;
    if (is_next(line, bytes.substr(0, end), before)) {
      all.push_back({line.id, std::string{line.text}});
      before = line.id;
    }
    bytes.remove_prefix(end + 1);
  }
  tail = bytes;
  return all;
}

Entries all_of(Journal& journal) { return journal.read({}, cascor::last_record_id, 1'000'000); }

void check_reading(Journal& journal, const Entries& expected, std::size_t hidden = 0) {
  const Entries shown{expected.begin() + static_cast<std::ptrdiff_t>(hidden), expected.end()};
  expect(alike(all_of(journal), shown), "what whole lines hold is read");
  expect(journal.size() == shown.size(), "and counted");
  expect(expected.empty() || journal.last_id() == expected.back().id, "and ended by the last one");
  Entries pages;
  RecordId from;
  for (Entries page = journal.read(from, cascor::last_record_id, 3); !page.empty();
       page = journal.read(from, cascor::last_record_id, 3)) {
    from = {page.back().id.epoch, page.back().id.seq + 1};
    pages.insert(pages.end(), page.begin(), page.end());
  }
  expect(alike(pages, shown), "pages add up to the whole");
  const std::size_t most = std::min<std::size_t>(shown.size(), 2);
  expect(alike(journal.last(2), {shown.end() - static_cast<std::ptrdiff_t>(most), shown.end()}), "the last ones");
  std::vector<RecordId> ids;
  for (const auto& one : shown) ids.push_back(one.id);
  expect(alike(journal.get(ids), shown), "each is found by its id");
}

void check_any_file(std::string_view bytes) {
  write_file(bytes);
  std::string_view tail;
  Entries expected = records_in(bytes, tail);
  {
    Journal journal{options()};
    check_reading(journal, expected);
    Journal shorter{options(2)};
    check_reading(shorter, expected, expected.size() - std::min<std::size_t>(expected.size(), 2));
    const Entries unfinished = journal.unfinished();
    Line line;
    const bool whole = !tail.empty() && is_next(line, tail, expected.empty() ? RecordId{} : expected.back().id);
    expect(unfinished.size() == (whole ? 1 : 0), "a record that lacks its newline alone is told from a torn one");
    expect(file() == bytes, "reading changes nothing");
    if (whole) expected.push_back(unfinished.front());
    journal.claim();
    check_reading(journal, expected);
  }
  const std::string repaired = file();
  expect(repaired.empty() || repaired.back() == '\n', "a repaired file ends with its last line");
  expect(repaired.starts_with(bytes.substr(0, bytes.size() - tail.size())), "whole lines stay as they are");
  Journal again{options()};
  again.claim();
  expect(file() == repaired, "what is repaired is not repaired again");
  const RecordId last = expected.empty() ? RecordId{} : expected.back().id;
  const LogEntry next{{last.epoch, last.seq + 1}, R"({"epoch":1})"};
  const bool room = cascor::is_record_number(next.id);
  try {
    expect(again.append(Entries{next}).kind == AppendOutcome::kept && room,
           "it is gone on with where there is a number");
    expected.push_back(next);
  } catch (const cascor::ResponseError&) {
    expect(!room, "and where there is none that is said");
  }
  check_reading(again, expected);
  Journal other{options()};
  check_reading(other, expected);
}

// The bytes between good lines: where none of them is a record, all of the good ones are there.
void check_between_good_lines(std::string_view bytes) {
  Entries good;
  std::string before;
  std::string after;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    good.push_back({{i, i}, R"({"epoch":)" + std::to_string(i) + "}"});
    Line::write(i <= 3 ? before : after, good.back().id, good.back().text);
  }
  std::string_view tail;
  const std::string middle = std::string{bytes} + '\n';
  for (std::string_view rest = middle; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
    Line line;
    if (line.read(rest.substr(0, rest.find('\n')), {3, 3}, false)) return;
  }
  write_file(before + middle + after);
  expect(alike(records_in(file(), tail), good), "no line takes a good one along");
  Journal journal{options()};
  check_reading(journal, good);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  try {
    check_any_file(bytes);
    check_between_good_lines(bytes);
  } catch (const cascor::CacheError& error) {
    std::cerr << error.what() << '\n';
    expect(false, "a file that can be read is read");
  }
  return 0;
}
