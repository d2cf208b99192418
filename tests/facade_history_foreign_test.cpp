// Runs that others wrote, or spoilt: what is good in them is found, and nothing in them breaks or blocks a reader.
#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/redis/record_log.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/eventually.hpp"
#include "support/recorded_runs.hpp"
#include "support/redis_client.hpp"
#include "support/scripted_server.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::DataError;
using cascor::json;

namespace {

constexpr const char* stream = "cascor:run:run-1:history";

json nested(int levels) {
  json value = json::array();
  for (int i = 1; i < levels; ++i) value = json::array({std::move(value)});
  return value;
}

}  // namespace

TEST_CASE("a server that gives the same page again and again keeps no reader for ever", "[history]") {
  ScriptedServer server{ScriptedServer::answering(
      {{"XRANGE", "*1\r\n*2\r\n" + bulk("1-1") + "*2\r\n" + bulk("record") + bulk(R"({"epoch": 1})")}})};
  cascor::redis::RedisOptions options;
  options.endpoint = endpoint_of(server.port());
  cascor::redis::RedisBackend<> store{std::move(options)};
  cascor::redis::StreamLog<> log{store, "cascor:", 0};
  CHECK(log.read("run-1", {}, cascor::last_record_id, 1, in(10s)).size() == 1);
  CHECK(log.read("run-1", {1, 2}, cascor::last_record_id, 1, in(10s)).empty());
}

TEST_CASE("entries without a record keep nobody from what stands behind them", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  (void)server.raw("EVAL", "for i = 1, 2500 do redis.call('XADD', KEYS[1], i .. '-' .. i, 'some', 'thing') end", "1",
                   stream);
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append(record(3000)));
  SeenRecords seen;
  auto following = run.follow("", seen.handler());
  CHECK(epochs(run.range(0, 5000)) == std::vector<int>{3000});
  CHECK(epochs(run.downsample(10, "loss")) == std::vector<int>{3000});
  CHECK(eventually([&] { return seen.epochs() == std::vector<int>{3000}; }));
  CHECK(run.append(record(3001)));
  CHECK(eventually([&] { return seen.epochs() == std::vector<int>{3000, 3001}; }));
}

TEST_CASE("a last entry whose numbers are none is gone on from", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  (void)on.backend.server.raw("XADD", stream, "4-2", "seq", "abc", "epoch", "x", "record", "[]");
  CacheManager cache{on.config()};
  CHECK(cache.history("run-1").append(record(5)));
  CHECK(cache.history("run-1").size() == 2);
}

TEST_CASE("a run that Python wrote over several lines is exported, and comes back the same", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  const std::string path = (on.folder.path() / "run.jsonl").string();
  (void)server.raw("XADD", stream, "1-1", "seq", "1", "epoch", "1", "record", "{\n  \"epoch\": 1,\n  \"loss\": 0.5\n}");
  (void)server.raw("XADD", stream, "2-2", "seq", "2", "epoch", "2", "record", "no JSON");
  (void)server.raw("XADD", stream, "3-3", "seq", "3", "epoch", "3", "record", R"({"epoch": 3})");
  CacheManager cache{on.config()};
  CHECK(cache.export_run("run-1", path) == 2);
  CHECK(cache.export_run("run-1", path) == 2);  // what is there is not written again
  CHECK(cache.import_run(path, "again") == 2);
  CHECK(epochs(cache, "again") == std::vector<int>{1, 3});
  CHECK(cache.history("again").range(1, 1).at(0).at("loss") == 0.5);
}

TEMPLATE_TEST_CASE("an import takes the last line too where its newline is missing", "[history]", OnMemory,
                   OnRedisTcp) {
  RecordedRuns<TestType> on;
  const auto path = on.folder.path() / "by-hand.jsonl";
  std::ofstream{path} << R"({"epoch": 1})" << '\n' << R"({"epoch": 2, "loss": 0.5})";
  CacheManager cache{on.config()};
  CHECK(cache.import_run(path, "run-1") == 2);
  CHECK(epochs(cache) == std::vector<int>{1, 2});
  std::ofstream{path} << R"({"epoch": 1})" << '\n' << R"({"epoch": 2, "lo)";
  CHECK(cache.import_run(path, "torn") == 1);
}

TEMPLATE_TEST_CASE("what no reader would take is refused when it is appended", "[history]", OnMemory, OnRedisTcp) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK_THROWS_AS(run.append({{"epoch", 1}, {"text", std::string((std::size_t{16} << 20U) + 1, 'x')}}), DataError);
  CHECK_THROWS_AS(run.append({{"epoch", 1}, {"deep", nested(512)}}), DataError);
  CHECK(run.append({{"epoch", 1}, {"deep", nested(511)}}));
  CHECK(run.append({{"epoch", 2}, {"text", std::string(std::size_t{1} << 20U, 'x')}}));
  CHECK(epochs(cache) == std::vector<int>{1, 2});
}

TEMPLATE_TEST_CASE("an epoch that a recorder has taken is read again, however deep", "[recorder]", OnMemory,
                   OnRedisTcp) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  cascor::TrainingRecorder recorder{cache, "run-1"};
  CHECK_THROWS_AS(recorder.epoch({{"epoch", 1}, {"deep", nested(511)}}), DataError);
  CHECK(recorder.epoch({{"epoch", 1}, {"deep", nested(510)}}));
  CHECK(recorder.flush(20s));
  CHECK(epochs(cache) == std::vector<int>{1});
}

TEMPLATE_TEST_CASE("an epoch too long for a record is put aside alone", "[recorder]", OnMemory, OnRedisTcp) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  cascor::TrainingRecorder recorder{cache, "run-1"};
  CHECK(recorder.epoch({{"epoch", 1}}));
  CHECK(recorder.epoch({{"epoch", 2}, {"text", std::string((std::size_t{16} << 20U) + 1, 'x')}}));
  CHECK(recorder.epoch({{"epoch", 3}}));
  CHECK_FALSE(recorder.flush(20s));
  CHECK(recorder.flush(20s));
  CHECK(recorder.backlog() == 0);
  CHECK(epochs(cache) == std::vector<int>{1, 3});
  CHECK(std::filesystem::file_size(on.waiting("spool").string() + ".refused") > (std::size_t{16} << 20U));
}

TEST_CASE("a run whose key is something else is told, and what waits for it waits", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  {
    CacheManager cache{on.config()};
    server.kill();
    CHECK(cache.history("run-1").append(record(0)));
  }
  server.start();
  (void)server.raw("SET", stream, "a string");
  CacheManager cache{on.config()};
  CHECK(cache.history("run-1").append(record(1)).tier() == cascor::CacheTier::memory);
  CHECK(eventually(
      [&] { return on.backend.log.mentions("History of run-1 waits, as it cannot be replayed: WRONGTYPE"); }));
  CHECK(std::filesystem::exists(on.waiting("pending")));
  (void)server.raw("DEL", stream);
  CHECK(eventually([&] { return cache.history("run-1").size() == 2; }));
}

TEST_CASE("a command nested without end is no command, and breaks nothing", "[recorder]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  cascor::TrainingRecorder recorder{cache, "run-1"};
  std::atomic<int> obeyed{0};
  recorder.on_command([&](const cascor::Command& command) { obeyed += command.name == "stop" ? 1 : 100; });
  const std::string brackets(200'000, '[');
  const std::string end(200'000, ']');
  (void)on.backend.server.raw("PUBLISH", "cascor:control",
                              R"({"type":"command","data":{"command":"pause","params":)" + brackets + end + "}}");
  (void)on.backend.server.raw("PUBLISH", "cascor:control", std::string("{\0\xff", 3));
  (void)on.backend.server.raw("PUBLISH", "cascor:control", R"({"type":"command","data":{"command":"stop"}})");
  CHECK(eventually([&] { return obeyed == 1; }));
}
