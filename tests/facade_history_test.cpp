// The durable record: one contract, in Redis and in journals, and what becomes of it while Redis is away.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/redis/record_log.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/recorded_runs.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheTier;
using cascor::DataError;
using cascor::HistoryRecord;
using cascor::json;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnDistributed

TEMPLATE_TEST_CASE("what was appended is found by epoch, from the end, and counted", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.size() == 0);
  CHECK(run.range(0, 100).empty());
  CHECK(run.last(5).empty());
  for (int epoch = 0; epoch < 20; ++epoch) CHECK(run.append(record(epoch)).tier() == TestType::tier);
  CHECK(run.append_many(records(20, 2999)));
  CHECK(run.size() == 3000);
  CHECK(epochs(run.range(10, 19)) == counting(10, 19));
  CHECK(epochs(run.range(-5, 2)) == counting(0, 2));
  CHECK(epochs(run.range(0, 10'000)) == counting(0, 2999));
  CHECK(run.range(5, 4).empty());
  CHECK(run.range(3000, 9000).empty());
  CHECK(epochs(run.last(3)) == counting(2997, 2999));
  CHECK(run.last(0).empty());
  const auto first = run.range(0, 0).at(0);
  CHECK(first.record == record(0));
  CHECK(first.at("loss") == 0.5);
  CHECK(first.at("phase") == "output_training");
  CHECK_THROWS_AS(first.at("nothing"), DataError);
}

TEMPLATE_TEST_CASE("a run survives its cache, and what clears a cache", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  {
    CacheManager cache{on.config()};
    CHECK(cache.history("run-1").append_many(records(0, 9)));
  }
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.size() == 10);
  (void)cache.clear_all_cache();
  (void)cache.invalidate_cache("run*");
  CHECK(run.size() == 10);
  CHECK(run.append(record(10)));
  CHECK(epochs(run.last(2)) == counting(9, 10));
}

TEMPLATE_TEST_CASE("runs are listed by their start, and erased alone", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  const auto clock = std::make_shared<cascor::ManualClock>();
  auto config = on.config();
  config.clock = clock;
  CacheManager cache{config};
  CHECK(cache.runs().empty());
  for (const char* name : {"b", "a run: {1}*", "c"}) {
    CHECK(cache.history(name).append(record(0)));
    clock->advance(1ms);
  }
  CHECK(cache.runs() == std::vector<std::string>{"b", "a run: {1}*", "c"});
  CHECK(cache.history("a run: {1}*").erase());
  CHECK_FALSE(cache.history("a run: {1}*").erase());
  CHECK(cache.history("a run: {1}*").size() == 0);
  CHECK(cache.runs() == std::vector<std::string>{"b", "c"});
  CHECK(cache.history("a run: {1}*").append(record(0)));  // from the beginning again
  CHECK(cache.runs().size() == 3);
}

TEMPLATE_TEST_CASE("what can be no record and no run is refused, and changes nothing", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  for (const std::string& name :
       {std::string{}, std::string{".."}, std::string{".hidden"}, std::string{"a/b"}, std::string{"a\\b"},
        std::string{"a\nb"}, std::string{"a\0b", 3}, std::string{"\xff"}, std::string(129, 'x')}) {
    CHECK_THROWS_AS(cache.history(name), DataError);
  }
  auto run = cache.history(std::string(128, 'x'));
  CHECK(run.append(record(5)));
  CHECK_THROWS_AS(run.append(json::object()), DataError);
  CHECK_THROWS_AS(run.append(json::array({1})), DataError);
  CHECK_THROWS_AS(run.append({{"epoch", -1}}), DataError);
  CHECK_THROWS_AS(run.append({{"epoch", 5.5}}), DataError);
  CHECK_THROWS_AS(run.append({{"epoch", std::uint64_t{1} << 53U}}), DataError);
  CHECK_THROWS_AS(run.append({{"epoch", 6}, {"phase", "\xff"}}), DataError);
  CHECK_THROWS_AS(run.append(record(4)), DataError);
  CHECK_THROWS_AS(run.append_many(std::vector<json>{record(6), record(5)}), DataError);
  CHECK_THROWS_AS(run.append_many(std::vector<json>{record(6), json{1}}), DataError);
  CHECK_THROWS_AS(run.follow("next", [](const HistoryRecord&) {}), DataError);
  CHECK(run.append_many(std::vector<json>{}));
  CHECK(epochs(run.range(0, 100)) == std::vector<int>{5});
  CHECK(run.append(record(5)));  // the same epoch again is another record
  CHECK(run.size() == 2);
  // An epoch is refused for the run's sake, whoever wrote the one before.
  CacheManager other{on.config()};
  if (TestType::remote) CHECK_THROWS_AS(other.history(std::string(128, 'x')).append(record(3)), DataError);
}

TEMPLATE_TEST_CASE("a diverged run's NaN is null", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append({{"epoch", 0}, {"loss", std::numeric_limits<double>::quiet_NaN()}}));
  CHECK(run.last(1).at(0).at("loss").is_null());
}

TEMPLATE_TEST_CASE("a curve is downsampled to so many records, its ends and gaps among them", "[history]",
                   EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  std::vector<json> all = records(0, 2499);
  all[1234]["metrics"]["loss"] = 40;
  all[2000]["metrics"]["loss"] = std::numeric_limits<double>::quiet_NaN();
  all[2001]["metrics"].erase("loss");
  all[2002] = {{"epoch", 2002}, {"loss", 60}};  // at the top level, and by hand
  CHECK(run.append_many(all));
  const auto curve = epochs(run.downsample(100, "loss"));
  CHECK(curve.size() == 100);
  CHECK(std::is_sorted(curve.begin(), curve.end()));
  CHECK(curve.front() == 0);
  CHECK(curve.back() == 2499);
  for (const int kept : {1234, 2000, 2002}) CHECK(std::count(curve.begin(), curve.end(), kept) == 1);
  CHECK(std::count(curve.begin(), curve.end(), 2001) == 0);
  CHECK(run.downsample(5000, "loss").size() == 2499);
  CHECK(run.downsample(0, "loss").empty());
  CHECK(run.downsample(100, "nothing").empty());
}

TEMPLATE_TEST_CASE("past history.max_records the oldest records go", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  auto config = on.config();
  config.history.max_records = 50;
  CacheManager cache{config};
  auto run = cache.history("run-1");
  CHECK(run.append_many(records(0, 119)));
  CHECK(run.append(record(120)));
  CHECK(run.size() == 50);
  CHECK(epochs(run.range(0, 200)) == counting(71, 120));
}

TEMPLATE_TEST_CASE("following begins where one was, and goes on live", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append_many(records(0, 1199)));
  SeenRecords all;
  auto from_the_first = run.follow("", all.handler());
  CHECK(from_the_first.is_open());
  CHECK(eventually([&] { return all.epochs().size() == 1200; }));
  SeenRecords rest;
  auto from_there = run.follow(run.range(1000, 1000).at(0).id, rest.handler());
  CHECK(run.append(record(1200)));
  CHECK(run.append(record(1201)));
  CHECK(eventually([&] { return all.epochs().size() == 1202 && rest.epochs().size() == 201; }));
  CHECK(all.epochs() == counting(0, 1201));
  CHECK(rest.epochs() == counting(1001, 1201));
  from_the_first.close();
  CHECK(run.append(record(1202)));
  CHECK(eventually([&] { return rest.epochs().size() == 202; }));
  CHECK(all.epochs().size() == 1202);
  CHECK(rest.last() == run.last(1).at(0).id);
}

TEMPLATE_TEST_CASE("following closes at once, also from its handler, and with the cache", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  std::atomic<int> calls{0};
  cascor::Subscription open;
  {
    CacheManager cache{on.config()};
    auto run = cache.history("run-1");
    CHECK(run.append_many(records(0, 9)));
    cascor::Subscription inner;
    std::mutex set;
    {
      const std::lock_guard lock{set};
      inner = run.follow("", [&](const HistoryRecord&) {
        const std::lock_guard wait{set};
        ++calls;
        inner.close();
      });
    }
    CHECK(eventually([&] { return calls == 1; }));
    std::atomic<int> threw{0};
    open = run.follow("", [&](const HistoryRecord&) {
      ++threw;
      throw std::runtime_error{"a handler's own"};
    });
    CHECK(eventually([&] { return threw == 10; }));
    auto idle = cache.history("none").follow("", [](const HistoryRecord&) {});
    idle.close();
  }
  CHECK(calls == 1);
  CHECK_FALSE(open.is_open());
}

TEMPLATE_TEST_CASE("a handle that outlives its cache gives nothing and false", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  auto cache = std::make_unique<CacheManager>(on.config());
  auto run = cache->history("run-1");
  CHECK(run.append(record(0)));
  CacheManager moved{std::move(*cache)};
  cache.reset();
  CHECK(run.size() == 1);  // it went with the manager
  { const CacheManager ended{std::move(moved)}; }
  CHECK_FALSE(run.append(record(1)));
  CHECK(run.append(record(1)).error() != nullptr);
  CHECK(run.size() == 0);
  CHECK(run.last(1).empty());
  CHECK(run.range(0, 9).empty());
  CHECK(run.downsample(3, "loss").empty());
  CHECK_FALSE(run.erase());
  CHECK_FALSE(run.follow("", [](const HistoryRecord&) {}).is_open());
}

TEMPLATE_TEST_CASE("a run moves to a file and back, record by record", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append_many(records(0, 1499)));
  const auto file = on.folder.path() / "moved" / "run.jsonl";
  CHECK(cache.export_run("run-1", file) == 1500);
  CHECK(run.append(record(1500)));
  CHECK(cache.export_run("run-1", file) == 1501);  // adds what the file lacks
  CHECK(cache.import_run(file, "copy") == 1501);
  CHECK(cache.import_run(file, "copy") == 1501);  // adds nothing
  auto copy = cache.history("copy");
  CHECK(copy.size() == 1501);
  CHECK(copy.last(1).at(0).id == run.last(1).at(0).id);
  CHECK(cache.history("other").append(record(0)));
  CHECK_THROWS_AS(cache.import_run(file, "other"), cascor::ResponseError);
  CHECK(cache.import_run(on.folder.path() / "no such file", "empty") == 0);
}

TEMPLATE_TEST_CASE("threads append to a run, none is lost and none is there twice", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  std::vector<std::thread> threads;
  std::atomic<int> kept{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      auto run = cache.history("run-1");
      for (int i = 0; i < 50; ++i) {
        if (run.append({{"epoch", 1}, {"who", t * 50 + i}})) ++kept;
        if (i % 10 == 0) (void)run.last(3);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(kept == 300);
  std::vector<int> who;
  for (const auto& one : cache.history("run-1").range(1, 1)) who.push_back(one.at("who").get<int>());
  std::sort(who.begin(), who.end());
  CHECK(who == counting(0, 299));
}

TEMPLATE_TEST_CASE("a second writer is told", "[history]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager first{on.config()};
  CacheManager second{on.config()};
  CHECK(first.history("run-1").append(record(0)));
  const bool took_over = bool{second.history("run-1").append(record(1))};
  CHECK(took_over == TestType::remote);
  const auto told = first.history("run-1").append(record(2));
  CHECK(bool{told} == !took_over);
  if (took_over) CHECK(std::string{told.error()->what()}.find("another writer") != std::string::npos);
  CHECK(first.history("run-1").size() == 2);
}

TEST_CASE("a disabled cache keeps no history", "[history]") {
  RecordedRuns<OnMemory> on;
  auto config = on.config();
  config.enabled = false;
  CacheManager cache{config};
  auto run = cache.history("run-1");
  CHECK_FALSE(run.append(record(0)));
  CHECK(run.size() == 0);
  CHECK(cache.runs().empty());
  CHECK_FALSE(std::filesystem::exists(config.history.directory));
}

// ---- Redis

TEST_CASE("a run is a stream of the fields seq, epoch and record, as redis-cli shows it", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  CHECK(cache.history("run-1").append({{"epoch", 7}, {"loss", 0.5}}));
  auto reply = on.backend.server.raw("XRANGE", "cascor:run:run-1:history", "7", "7");
  REQUIRE(reply.elements.size() == 1);
  auto& fields = reply.elements[0].elements[1].elements;
  REQUIRE(fields.size() == 6);
  CHECK(fields[0].text == "seq");
  CHECK(fields[2].text == "epoch");
  CHECK(fields[3].text == "7");
  CHECK(fields[4].text == "record");
  CHECK(json::parse(fields[5].text) == json{{"epoch", 7}, {"loss", 0.5}});
  CHECK(reply.elements[0].elements[0].text == "7-" + fields[1].text);
  CHECK(on.backend.server.raw("ZSCORE", "cascor:runs", "run-1").text.size() == 13);  // milliseconds
  CHECK(on.backend.server.raw("SCRIPT", "EXISTS", std::string{cascor::redis::StreamLog<>::append_sha})
            .elements.at(0)
            .integer == 1);
}

TEST_CASE("an append is one round trip, and finds its script again after it was flushed", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append(record(0)));
  const auto before = std::stoul(on.backend.server.info("total_commands_processed"));
  CHECK(run.append(record(1)));
  CHECK(run.append_many(records(2, 901)));
  // Scripts' own commands count: two XREVRANGE, 901 XADD, two EVALSHA, and INFO.
  CHECK(std::stoul(on.backend.server.info("total_commands_processed")) - before == 2 + 901 + 2 + 1);
  (void)on.backend.server.raw("SCRIPT", "FLUSH");
  CHECK(run.append(record(902)));
  CHECK(run.size() == 903);
}

TEST_CASE("a range of epochs reads that part of the stream and nothing else", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append_many(records(0, 9999)));
  const auto sent = [&] { return std::stoul(on.backend.server.info("total_net_output_bytes")); };
  const auto before = sent();
  CHECK(run.range(5000, 5009).size() == 10);
  CHECK(sent() - before < 20'000);
}

TEST_CASE("a stream that Python wrote is read, and gone on with", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  (void)server.raw("XADD", "cascor:run:py:history", "3-1", "seq", "1", "epoch", "3", "record", R"({"epoch": 3})");
  (void)server.raw("XADD", "cascor:run:py:history", "4-2", "seq", "2", "epoch", "4", "record", "no JSON");
  CacheManager cache{on.config()};
  auto run = cache.history("py");
  CHECK(epochs(run.range(0, 9)) == std::vector<int>{3});
  CHECK(on.backend.log.mentions("a record of py is not JSON, passed over: 4-2"));
  CHECK(run.append(record(5)));
  CHECK(epochs(run.range(0, 9)) == std::vector<int>{3, 5});
}

TEST_CASE("an append whose answer was lost is there once", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  auto& server = on.backend.server;
  auto run = cache.history("run-1");
  std::atomic<bool> over{false};
  std::thread killer{[&] {
    while (!over) {
      (void)server.raw("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      std::this_thread::sleep_for(3ms);
    }
  }};
  int kept = 0;
  for (int epoch = 0; epoch < 300; ++epoch) kept += run.append(record(epoch)) ? 1 : 0;
  over = true;
  killer.join();
  CHECK(kept == 300);
  CHECK(eventually([&] { return run.size() == 300; }));
  CHECK(epochs(run.range(0, 999)) == counting(0, 299));
}

TEST_CASE("a forked child's handle is nothing, and its own cache serves the run", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  auto run = cache.history("run-1");
  CHECK(run.append(record(0)));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool nothing = run.size() == 0 && !run.append(record(1));
    ::_exit(nothing && cache.history("run-1").size() == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(run.size() == 1);
}
