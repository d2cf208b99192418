// The log: levels, sinks of the process and of a component, and that no sink can break the call that logs.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/core/log.hpp"

using cascor::Log;
using cascor::LogLevel;
using cascor::LogSink;

namespace {

using Lines = std::vector<std::pair<LogLevel, std::string>>;

LogSink into(Lines& lines) {
  return [&lines](LogLevel level, std::string_view message) { lines.emplace_back(level, message); };
}

// The process-wide sink and level as they were, whatever a test does to them.
struct Restored {
  Restored() = default;
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;
  ~Restored() {
    cascor::set_log_sink({});
    cascor::set_log_level(level);
  }
  LogLevel level = cascor::log_level();
};

void write_one_of_each(const Log& log) {
  log.debug("d");
  log.info("i");
  log.warning("w");
  log.error("e");
}

}  // namespace

TEST_CASE("the process-wide sink gets every line from INFO up, its level beside its text") {
  const Restored restored;
  Lines lines;
  cascor::set_log_sink(into(lines));
  CHECK(cascor::log_level() == LogLevel::info);
  write_one_of_each(Log{});
  CHECK(lines == Lines{{LogLevel::info, "i"}, {LogLevel::warning, "w"}, {LogLevel::error, "e"}});
}

TEST_CASE("the process-wide level decides what is written, and what wants() says") {
  const Restored restored;
  Lines lines;
  cascor::set_log_sink(into(lines));
  cascor::set_log_level(LogLevel::error);
  CHECK_FALSE(Log{}.wants(LogLevel::warning));
  CHECK(Log{}.wants(LogLevel::error));
  write_one_of_each(Log{});
  CHECK(lines == Lines{{LogLevel::error, "e"}});

  lines.clear();
  cascor::set_log_level(LogLevel::debug);
  write_one_of_each(Log{});
  CHECK(lines.size() == 4);

  lines.clear();
  cascor::set_log_level(LogLevel::off);
  CHECK_FALSE(Log{}.wants(LogLevel::error));
  write_one_of_each(Log{});
  CHECK(lines.empty());
}

TEST_CASE("a component's own sink takes its lines from the process-wide one, not the level") {
  const Restored restored;
  Lines everybodys;
  Lines own;
  cascor::set_log_sink(into(everybodys));
  const Log log{into(own)};
  write_one_of_each(log);
  CHECK(own.size() == 3);
  CHECK(everybodys.empty());
  cascor::set_log_level(LogLevel::error);
  write_one_of_each(log);
  CHECK(own.size() == 4);
}

TEST_CASE("a component's own level does not ask the process-wide one") {
  const Restored restored;
  Lines own;
  const Log log{into(own), LogLevel::debug};
  cascor::set_log_level(LogLevel::off);
  write_one_of_each(log);
  CHECK(own.size() == 4);
}

TEST_CASE("a sink that throws breaks nothing, and gets the next line all the same") {
  const Restored restored;
  int calls = 0;
  const LogSink throwing = [&calls](LogLevel, std::string_view) {
    ++calls;
    throw std::runtime_error{"the disk is full"};
  };
  const Log own{throwing};
  CHECK_NOTHROW(own.info("one"));
  CHECK_NOTHROW(own.info("two"));
  cascor::set_log_sink(throwing);
  CHECK_NOTHROW(Log{}.error("three"));
  CHECK(calls == 3);
}

TEST_CASE("a sink may log, and may replace itself, from inside its own call") {
  const Restored restored;
  Lines lines;
  cascor::set_log_sink([&lines](LogLevel, std::string_view message) {
    cascor::set_log_sink(into(lines));
    Log{}.info("inner");
    lines.emplace_back(LogLevel::info, message);
  });
  Log{}.info("outer");
  CHECK(lines == Lines{{LogLevel::info, "inner"}, {LogLevel::info, "outer"}});
}

TEST_CASE("a sink that is replaced stays until the calls it is in have ended") {
  const Restored restored;
  const auto alive = std::make_shared<int>(0);
  std::weak_ptr<int> watched = alive;
  cascor::set_log_sink([alive, &watched](LogLevel, std::string_view) {
    cascor::set_log_sink({});
    if (watched.use_count() < 2) throw std::logic_error{"gone under the call"};
    ++*alive;
  });
  Log{}.info("last words");
  CHECK(*alive == 1);
  CHECK(watched.use_count() == 1);
}

TEST_CASE("many threads may log while the sink and the level change") {
  const Restored restored;
  std::atomic<int> lines{0};
  const LogSink counting = [&lines](LogLevel, std::string_view message) {
    if (message == "line") lines.fetch_add(1, std::memory_order_relaxed);
  };
  cascor::set_log_sink(counting);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) Log{}.warning("line");
    });
  }
  for (int i = 0; i < 200; ++i) {
    cascor::set_log_level(i % 2 == 0 ? LogLevel::debug : LogLevel::info);
    cascor::set_log_sink(counting);
  }
  for (auto& thread : threads) thread.join();
  CHECK(lines == 2000);
}

TEST_CASE("each level has its name as it stands in a line") {
  CHECK(to_string(LogLevel::debug) == "DEBUG");
  CHECK(to_string(LogLevel::info) == "INFO");
  CHECK(to_string(LogLevel::warning) == "WARNING");
  CHECK(to_string(LogLevel::error) == "ERROR");
}

TEST_CASE("what is printable stays, and no byte begins a line of its own") {
  CHECK(cascor::printable("epoch_5 [*?]~") == "epoch_5 [*?]~");
  CHECK(cascor::printable("a\nINFO: all is well\x1b[0m") == "a\\x0aINFO: all is well\\x1b[0m");
  CHECK(cascor::printable(std::string_view{"\0\xff\x7f", 3}) == "\\x00\\xff\\x7f");
  CHECK(cascor::printable("").empty());
}
