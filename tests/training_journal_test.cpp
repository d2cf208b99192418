// A run's journal: what was appended is there again, whatever happened to the process or to the file's end.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/training/journal_log.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using cascor::AppendOutcome;
using cascor::HistoryFsync;
using cascor::last_record_id;
using cascor::LogEntry;
using cascor::RecordId;
using Journal = cascor::detail::Journal<>;
using Entries = std::vector<LogEntry>;

namespace {

std::string text_of(std::uint64_t epoch) {
  return R"({"epoch":)" + std::to_string(epoch) + R"(,"metrics":{"loss":0.5},"phase":"}\"\\{"})";
}
LogEntry entry(std::uint64_t epoch, std::uint64_t seq) { return {{epoch, seq}, text_of(epoch)}; }
Entries entries(std::uint64_t from, std::uint64_t to) {
  Entries all;
  for (std::uint64_t i = from; i <= to; ++i) all.push_back(entry(i, i + 1));
  return all;
}
std::vector<std::uint64_t> epochs(const Entries& all) {
  std::vector<std::uint64_t> epochs;
  for (const auto& one : all) epochs.push_back(one.id.epoch);
  return epochs;
}

struct Run {
  Journal::Options options(std::size_t max_records = 0) const {
    Journal::Options options;
    options.path = path();
    options.fsync = HistoryFsync::never;
    options.max_records = max_records;
    options.log = cascor::Log{log.sink()};
    return options;
  }
  std::string path() const { return (folder.path() / "deep" / "run-1.jsonl").string(); }
  std::string file() const {
    std::ifstream in{path()};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  void write(const std::string& text) const {
    std::filesystem::create_directories(folder.path() / "deep");
    std::ofstream{path()} << text;
  }
  void append_raw(const std::string& text) const { std::ofstream{path(), std::ios::app} << text; }

  support::TemporaryFolder folder;
  support::CapturedLog log;
};

}  // namespace

TEST_CASE("what was appended is read by whoever opens the journal next", "[journal]") {
  const Run run;
  {
    Journal journal{run.options()};
    CHECK(journal.size() == 0);
    CHECK(journal.append(entries(0, 0)).kind == AppendOutcome::kept);
    CHECK(journal.append(entries(1, 1999)).last == RecordId{1999, 2000});
    CHECK(journal.size() == 2000);
  }
  Journal again{run.options()};
  CHECK(again.size() == 2000);
  CHECK(again.last_id() == RecordId{1999, 2000});
  CHECK(again.read({10, 0}, {10, ~std::uint64_t{0}}, 100).front().text == text_of(10));
  CHECK(run.log.lines().empty());
}

TEST_CASE("a journal is JSON Lines with the fields of a stream's entry", "[journal]") {
  const Run run;
  Journal journal{run.options()};
  (void)journal.append(std::vector<LogEntry>{{{5, 17}, R"({"epoch":5})"}});
  CHECK(run.file() == R"({"seq":17,"epoch":5,"record":{"epoch":5}})"
                      "\n");
}

TEST_CASE("a range is found by epoch, across the index's marks, a page at a time", "[journal]") {
  const Run run;
  Journal journal{run.options()};
  (void)journal.append(entries(0, 1999));
  constexpr std::uint64_t any = ~std::uint64_t{0};
  for (const std::uint64_t from : {0U, 1U, 255U, 256U, 257U, 1000U, 1999U}) {
    CAPTURE(from);
    const auto some = journal.read({from, 0}, {from + 2, any}, 1000);
    CHECK(some.front().id.epoch == from);
    CHECK(some.size() == std::min<std::size_t>(3, 2000 - from));
  }
  CHECK(journal.read({2000, 0}, last_record_id, 10).empty());
  CHECK(journal.read({5, 0}, {4, any}, 10).empty());
  CHECK(epochs(journal.read({250, 0}, last_record_id, 3)) == std::vector<std::uint64_t>{250, 251, 252});
  CHECK(epochs(journal.last(3)) == std::vector<std::uint64_t>{1997, 1998, 1999});
  CHECK(journal.last(0).empty());
  CHECK(journal.last(5000).size() == 2000);
  const std::array wanted{RecordId{3, 4}, RecordId{700, 701}, RecordId{700, 9}, RecordId{1999, 2000}};
  CHECK(epochs(journal.get(wanted)) == std::vector<std::uint64_t>{3, 700, 1999});
}

TEST_CASE("many records of one epoch are all in its range", "[journal]") {
  const Run run;
  Journal journal{run.options()};
  Entries all;
  for (std::uint64_t i = 1; i <= 900; ++i) all.push_back(entry(i <= 800 ? 7 : 8, i));
  (void)journal.append(all);
  CHECK(journal.read({7, 0}, {7, ~std::uint64_t{0}}, 10'000).size() == 800);
  CHECK(journal.read({8, 0}, last_record_id, 10'000).size() == 100);
}

TEST_CASE("an append that is repeated adds nothing; one that is behind is told", "[journal]") {
  const Run run;
  Journal journal{run.options()};
  (void)journal.append(entries(0, 9));
  CHECK(journal.append(entries(0, 9)).kind == AppendOutcome::kept);
  CHECK(journal.append(entries(5, 14)).kind == AppendOutcome::kept);  // half of it had been there
  CHECK(journal.size() == 15);
  CHECK(journal.append(std::vector<LogEntry>{{{9, 10}, R"({"other":1})"}}).kind == AppendOutcome::seq_behind);
  CHECK(journal.append(std::vector<LogEntry>{entry(20, 3)}).kind == AppendOutcome::seq_behind);
  CHECK(journal.append(std::vector<LogEntry>{entry(13, 50)}).kind == AppendOutcome::epoch_behind);
  CHECK(journal.append(std::vector<LogEntry>{entry(15, 50), entry(14, 51)}).kind == AppendOutcome::epoch_behind);
  CHECK(journal.size() == 15);
}

TEST_CASE("a torn last line is not there for a reader, and gone once somebody writes", "[journal]") {
  const Run run;
  { (void)Journal{run.options()}.append(entries(0, 9)); }
  const std::string whole = run.file();
  const std::string next = R"({"seq":11,"epoch":10,"record":{"epoch":10}})";
  for (std::size_t cut = 1; cut < next.size(); ++cut) {
    CAPTURE(cut);
    std::ofstream{run.path(), std::ios::trunc} << whole << next.substr(0, cut);
    Journal journal{run.options()};
    CHECK(journal.size() == 10);
    CHECK(run.file().size() == whole.size() + cut);  // reading changes nothing
    CHECK(journal.append(std::vector<LogEntry>{entry(10, 12)}).kind == AppendOutcome::kept);
    CHECK(journal.size() == 11);
    CHECK(epochs(Journal{run.options()}.last(2)) == std::vector<std::uint64_t>{9, 10});
  }
  CHECK(run.log.count("WARNING: " + run.path() + ":11: a torn last line of 1 bytes was removed") == 1);
}

TEST_CASE("a last line that lacks its newline alone is kept", "[journal]") {
  const Run run;
  { (void)Journal{run.options()}.append(entries(0, 9)); }
  run.append_raw(R"({"seq":11,"epoch":10,"record":{"epoch":10}})");
  Journal journal{run.options()};
  CHECK(journal.append(std::vector<LogEntry>{entry(11, 12)}).kind == AppendOutcome::kept);
  CHECK(epochs(journal.last(2)) == std::vector<std::uint64_t>{10, 11});
}

TEST_CASE("a corrupt line in the middle is reported by its number and passed over", "[journal]") {
  const Run run;
  { (void)Journal{run.options()}.append(entries(0, 2)); }
  run.append_raw("what is this\n\n");
  run.append_raw(R"({"seq":9,"epoch":9,"record":{"epoch":9)"
                 "\n");
  run.append_raw(R"({"seq":9,"epoch":9,"record":{"epoch":,,}})"
                 "\n");
  run.append_raw(std::string{"\0\xff\x01", 3} + "\n");
  run.append_raw(R"({"seq":10,"epoch":10,"record":{"epoch":10}})"
                 "\n");
  run.append_raw(R"({"seq":11,"epoch":4,"record":{"epoch":4}})"
                 "\n");
  Journal journal{run.options()};
  CHECK(epochs(journal.read({}, last_record_id, 100)) == std::vector<std::uint64_t>{0, 1, 2, 10});
  CHECK(journal.size() == 4);
  CHECK(epochs(journal.last(2)) == std::vector<std::uint64_t>{2, 10});
  for (const int line : {4, 5, 6, 7, 8}) {
    CHECK(run.log.count("WARNING: " + run.path() + ':' + std::to_string(line) + ": not a record, passed over") == 1);
  }
  CHECK(run.log.count("WARNING: " + run.path() + ":10: a record out of order, passed over") == 1);
  CHECK(journal.append(std::vector<LogEntry>{entry(11, 30)}).kind == AppendOutcome::kept);
  CHECK(Journal{run.options()}.size() == 5);
}

TEST_CASE("lines that another program wrote as bare records are read", "[journal]") {
  const Run run;
  std::filesystem::create_directories(run.folder.path() / "deep");
  for (int i = 0; i < 600; ++i) run.append_raw("{\"epoch\": " + std::to_string(i) + ", \"metrics\": {\"loss\": 1}}\n");
  Journal journal{run.options()};
  CHECK(journal.size() == 600);
  CHECK(journal.read({400, 0}, {401, ~std::uint64_t{0}}, 9).front().id == RecordId{400, 401});
  CHECK(journal.append(std::vector<LogEntry>{entry(600, 601)}).kind == AppendOutcome::kept);
  CHECK(journal.size() == 601);
}

TEST_CASE("one writer a run: a second is told, a reader is not in the way", "[journal]") {
  const Run run;
  Journal first{run.options()};
  (void)first.append(entries(0, 4));
  Journal second{run.options()};
  CHECK(second.size() == 5);
  CHECK_THROWS_AS(second.append(entries(5, 5)), cascor::ResponseError);
  CHECK_THROWS_AS(second.erase(), cascor::ResponseError);
  (void)first.append(entries(5, 5));
  CHECK(second.size() == 6);
  first.close_writer();
  CHECK(second.append(entries(6, 6)).kind == AppendOutcome::kept);
  CHECK(first.size() == 7);
}

TEST_CASE("another process cannot write a run that is being written", "[journal]") {
  const Run run;
  Journal journal{run.options()};
  (void)journal.append(entries(0, 4));
  const pid_t child = ::fork();
  if (child == 0) {
    int told = 1;
    try {
      (void)Journal{run.options()}.append(entries(5, 5));
    } catch (const cascor::ResponseError&) {
      told = 0;
    }
    ::_exit(told);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(journal.size() == 5);
}

TEST_CASE("a run that is erased, by whomever, is gone and may begin again", "[journal]") {
  const Run run;
  Journal journal{run.options()};
  CHECK_FALSE(journal.erase());
  (void)journal.append(entries(0, 4));
  Journal other{run.options()};
  CHECK(other.size() == 5);
  CHECK(journal.erase());
  CHECK(journal.size() == 0);
  CHECK(other.size() == 0);
  CHECK(journal.append(entries(0, 1)).kind == AppendOutcome::kept);
  CHECK(other.size() == 2);
  // Also by a person, by hand.
  REQUIRE(::unlink(run.path().c_str()) == 0);
  CHECK(journal.append(entries(0, 2)).kind == AppendOutcome::kept);
  CHECK(other.size() == 3);
}

TEST_CASE("past max_records the oldest are gone, and the file stays bounded", "[journal]") {
  const Run run;
  Journal journal{run.options(100)};
  for (std::uint64_t i = 0; i < 50; ++i) (void)journal.append(entries(i * 100, i * 100 + 99));
  CHECK(journal.size() == 100);
  CHECK(epochs(journal.read({}, last_record_id, 1)) == std::vector<std::uint64_t>{4900});
  CHECK(journal.last(500).size() == 100);
  CHECK(run.file().size() < 3000 * 100);
  Journal again{run.options(100)};
  CHECK(again.size() == 100);
  CHECK_THROWS_AS(again.append(entries(5000, 5000)), cascor::ResponseError);  // the shorter file is locked too
  CHECK(journal.append(entries(5000, 5000)).kind == AppendOutcome::kept);
  CHECK(epochs(again.last(1)) == std::vector<std::uint64_t>{5000});
}

TEST_CASE("a write that fails leaves nothing behind, and is told", "[journal]") {
  const Run run;
  Journal::Options full = run.options();
  full.path = "/dev/full";
  CHECK_THROWS_AS(Journal{full}.append(entries(0, 0)), cascor::ResponseError);
  Journal::Options nowhere = run.options();
  nowhere.path = "/proc/no/such/run.jsonl";
  CHECK_THROWS_AS(Journal{nowhere}.append(entries(0, 0)), cascor::ResponseError);
}

TEST_CASE("waiting for records ends with the first that comes", "[journal]") {
  const Run run;
  Journal writer{run.options()};
  Journal reader{run.options()};
  CHECK(reader.await({}, 10, 1ms).empty());
  std::thread later{[&] { (void)writer.append(entries(0, 2)); }};
  Entries came;
  CHECK(support::eventually([&] {
    came = reader.await({}, 2, 1s);
    return !came.empty();
  }));
  later.join();
  CHECK(epochs(reader.await({0, 1}, 10, 10s)) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("threads that append at once share an fsync, and each has what it was told", "[journal]") {
  const Run run;
  Journal::Options options = run.options();
  options.fsync = HistoryFsync::always;
  Journal journal{options};
  std::mutex order;
  std::uint64_t next = 1;
  std::atomic<int> kept{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        // The numbers are given out in the order of writing by whoever owns the run; here by luck and repetition.
        bool done = false;
        while (!done) {
          std::uint64_t mine = 0;
          {
            const std::lock_guard lock{order};
            mine = next++;
          }
          done = journal.append(std::vector<LogEntry>{entry(0, mine)}).kind == AppendOutcome::kept;
        }
        ++kept;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(kept == 200);
  CHECK(journal.size() == 200);
}

TEST_CASE("what a writer was told is kept is there after it was killed, again and again", "[journal]") {
  const Run run;
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 20; ++round) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      Journal::Options options = run.options();
      options.fsync = HistoryFsync::always;
      Journal journal{options};
      for (std::uint64_t next = journal.last_id().seq + 1;; ++next) {
        if (journal.append(std::vector<LogEntry>{entry(next, next)}).kind != AppendOutcome::kept) ::_exit(1);
        if (::write(pipe[1], &next, sizeof next) != sizeof next) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    std::uint64_t told = 0;
    for (int i = 0; i < 20 + round; ++i) REQUIRE(::read(pipe[0], &told, sizeof told) == sizeof told);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    while (::read(pipe[0], &told, sizeof told) == sizeof told) acknowledged = told;  // what it still had told
    acknowledged = std::max(acknowledged, told);
    ::close(pipe[0]);
    Journal journal{run.options()};
    CHECK(journal.last_id().seq >= acknowledged);
    CHECK(journal.size() == journal.last_id().seq);  // none twice, none left out
  }
}

TEST_CASE("however many lines are no records, the records between them are found", "[journal]") {
  const Run run;
  std::string text;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    cascor::detail::JournalLine<>::write(text, {i, i}, text_of(i));
    for (int bad = 0; bad < 100; ++bad) text += "x\n";
    cascor::detail::JournalLine<>::write(text, {0, 5}, text_of(0));  // out of order
  }
  run.write(text);
  Journal journal{run.options()};
  CHECK(journal.size() == 1000);
  CHECK(epochs(journal.read({990, 0}, last_record_id, 100)) == epochs(entries(990, 1000)));
  CHECK(epochs(journal.last(3)) == epochs(entries(998, 1000)));
  CHECK(run.log.lines().size() == 10);
}

TEST_CASE("a line longer than any record is passed over, and no longer one is written", "[journal]") {
  const Run run;
  std::string text;
  cascor::detail::JournalLine<>::write(text, {1, 1}, text_of(1));
  text += std::string(40U << 20U, '{') + '\n';
  cascor::detail::JournalLine<>::write(text, {2, 2}, text_of(2));
  run.write(text);
  Journal journal{run.options()};
  CHECK(epochs(journal.read({}, last_record_id, 100)) == std::vector<std::uint64_t>{1, 2});
  const LogEntry longer{{3, 3}, std::string((16U << 20U) + 1, 'x')};
  CHECK_THROWS_AS(journal.append(Entries{longer}), cascor::DataError);
  CHECK(journal.size() == 2);
}

TEST_CASE("numbers past those of a record are none, and past the last one nothing is appended", "[journal]") {
  const Run run;
  run.write(R"({"seq":18446744073709551615,"epoch":1,"record":{"epoch":1}})"
            "\n"
            R"({"seq":9007199254740992,"epoch":1,"record":{"epoch":1}})"
            "\n"
            R"({"seq":1,"epoch":9007199254740992,"record":{"epoch":1}})"
            "\n"
            R"({"seq": -1, "epoch": 1, "record": {"epoch": 1}})"
            "\n"
            R"({"seq":9007199254740990,"epoch":2,"record":{"epoch":2}})"
            "\n");
  Journal journal{run.options()};
  CHECK(epochs(journal.read({}, last_record_id, 100)) == std::vector<std::uint64_t>{2});
  CHECK(journal.append(Entries{entry(3, cascor::max_record_number)}).kind == AppendOutcome::kept);
  CHECK_THROWS_AS(journal.append(Entries{entry(4, cascor::max_record_number + 1)}), cascor::ResponseError);
  CHECK(journal.size() == 2);
}

TEST_CASE("a directory of journals lists its runs by their start", "[journal]") {
  const support::TemporaryFolder folder;
  cascor::detail::JournalLog<>::Options options;
  options.directory = (folder.path() / "history").string();
  cascor::detail::JournalLog<> log{options};
  const cascor::Deadline soon{*cascor::SystemClock::shared(), 10s};
  CHECK(log.runs(soon).empty());
  (void)log.append("b", std::vector<LogEntry>{entry(0, 5)}, 0, soon);
  (void)log.append("a", std::vector<LogEntry>{entry(0, 9)}, 0, soon);
  (void)log.append("c", std::vector<LogEntry>{entry(0, 7)}, 0, soon);
  CHECK(log.runs(soon) == std::vector<std::string>{"b", "c", "a"});
  CHECK(log.erase("b", soon));
  CHECK(log.runs(soon) == std::vector<std::string>{"c", "a"});
}
