// What becomes of the durable record while Redis is away, and that it comes to the Redis it was meant for and no other.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/eventually.hpp"
#include "support/recorded_runs.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheTier;
using cascor::DataError;

TEST_CASE("history written while Redis is away goes to the journal, and is replayed in order, once", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  auto& server = on.backend.server;
  auto run = cache.history("run-1");
  CHECK(run.append_many(records(0, 99)));
  SeenRecords seen;
  auto following = run.follow("", seen.handler());
  (void)server.raw("SAVE");
  server.kill();
  CHECK(run.append(record(100)).tier() == CacheTier::memory);
  CHECK(run.append_many(records(101, 149)));
  CHECK_THROWS_AS(run.append(record(20)), DataError);
  CHECK(epochs(run.range(0, 500)) == counting(100, 149));  // what is here
  CHECK(run.size() == 50);
  CHECK(cache.runs() == std::vector<std::string>{"run-1"});
  CHECK_FALSE(run.erase());
  CHECK(std::filesystem::exists(on.waiting("pending")));

  server.start();
  CHECK(eventually([&] { return on.backend.log.count("INFO: History of run-1 replayed: 50 records") == 1; }));
  CHECK(run.append(record(150)).tier() == CacheTier::redis);
  CHECK(epochs(run.range(0, 500)) == counting(0, 150));
  CHECK(eventually([&] { return seen.epochs().size() == 151; }));
  CHECK(seen.epochs() == counting(0, 150));
  CHECK_FALSE(std::filesystem::exists(on.waiting("pending")));
}

TEST_CASE("what a process could not bring to Redis, the next one does", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  {
    CacheManager cache{on.config()};
    CHECK(cache.history("run-1").append_many(records(0, 9)));
    (void)server.raw("SAVE");
    server.kill();
    CHECK(cache.history("run-1").append_many(records(10, 19)));
    CHECK(cache.history("new").append_many(records(0, 4)));
  }
  server.start();
  CacheManager next{on.config()};
  CHECK(epochs(next.history("run-1").range(0, 99)) == counting(0, 19));
  CHECK(eventually([&] { return server.raw("XLEN", "cascor:run:new:history").integer == 5; }));
  CHECK(next.runs() == std::vector<std::string>{"run-1", "new"});
}

TEST_CASE("what another has overtaken meanwhile is set aside, and said", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  {
    CacheManager cache{on.config()};
    CHECK(cache.history("run-1").append(record(0)));
    (void)server.raw("SAVE");
    server.kill();
    CHECK(cache.history("run-1").append(record(1)));
  }
  server.start();
  (void)server.raw("XADD", "cascor:run:run-1:history", "9-9007199254740991", "seq", "9007199254740991", "epoch", "9",
                   "record", R"({"epoch": 9})");
  const std::string refused = on.waiting("pending").string() + ".refused";
  std::ofstream{refused} << "set aside before\n";
  CacheManager next{on.config()};
  CHECK(epochs(next) == std::vector<int>{0, 9});
  CHECK(on.backend.log.mentions("that waited for Redis is not in it"));
  std::ifstream before{refused};
  std::string line;
  CHECK(std::getline(before, line));
  CHECK(line == "set aside before");
  std::ifstream aside{refused + ".2"};
  CHECK(std::getline(aside, line));
  CHECK(cascor::json::parse(line).at("record") == record(1));
}

TEST_CASE("without a fallback, and with strict, an append that Redis did not take is false, or thrown", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto config = on.config();
  config.fallback.enabled = false;
  CacheManager cache{config};
  config.strict = true;
  CacheManager strict{config};
  on.backend.server.kill();
  CHECK_FALSE(cache.history("run-1").append(record(0)));
  CHECK(cache.history("run-1").last(1).empty());
  CHECK_THROWS_AS(strict.history("run-1").append(record(0)), cascor::ConnectionError);
  CHECK_THROWS_AS(strict.history("run-1").size(), cascor::ConnectionError);
}

TEST_CASE("what Redis acknowledged is there after it was killed, again and again", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  RedisServer server{{"--appendonly", "yes", "--appendfsync", "always"}};
  auto config = on.config();
  config.redis_url = server.url();
  CacheManager cache{config};
  auto run = cache.history("run-1");
  SeenRecords seen;
  auto following = run.follow("", seen.handler());
  std::atomic<int> acknowledged{0};
  std::atomic<bool> over{false};
  std::atomic<bool> refused{false};
  std::thread writer{[&] {
    for (int epoch = 0; !over; ++epoch) {
      if (!run.append(record(epoch))) refused = true;
      acknowledged = epoch + 1;
    }
  }};
  for (int round = 0; round < 6; ++round) {
    const int before = acknowledged;
    CHECK(eventually([&] { return acknowledged > before + 30; }));
    server.kill();
    const int then = acknowledged;
    CHECK(eventually([&] { return acknowledged > then + 5; }));  // in the journal
    server.start();
  }
  over = true;
  writer.join();
  CHECK_FALSE(refused);
  const auto all = counting(0, acknowledged - 1);
  CHECK(eventually([&] { return server.raw("XLEN", "cascor:run:run-1:history").integer == acknowledged; }));
  CHECK(epochs(run.range(0, acknowledged)) == all);
  CHECK(eventually([&] { return seen.epochs().size() == all.size(); }));
  CHECK(seen.epochs() == all);
}

TEST_CASE("what waits for one Redis is sent to no other, nor into another namespace", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  auto& server = on.backend.server;
  {
    CacheManager cache{on.config()};
    (void)server.raw("SAVE");
    server.kill();
    CHECK(cache.history("run-1").append_many(records(0, 9)).tier() == CacheTier::memory);
  }
  RedisServer another;
  auto elsewhere = on.config();
  elsewhere.redis_url = another.url();
  const auto nothing_comes = [&](const cascor::CacheConfig& config, RedisServer& at, const std::string& named) {
    const auto lines = on.backend.log.lines().size();
    CacheManager cache{config};
    CHECK(cache.history("run-1").size() == 0);
    CHECK(cache.runs().empty());
    CHECK(cache.history("its-own").append(record(0)).tier() == CacheTier::redis);
    CHECK(at.raw("KEYS", "*run-1*").elements.empty());
    const auto said = on.backend.log.lines();
    const auto tell =
        std::count_if(said.begin() + static_cast<std::ptrdiff_t>(lines), said.end(), [&](const auto& line) {
          return line.starts_with("WARNING: History of 1 run in ") && line.find(named) != std::string::npos;
        });
    CHECK(tell == 1);
  };
  const std::string whose = "waits for another Redis, 127.0.0.1:" + std::to_string(server.port()) + "/0, cascor:";
  nothing_comes(elsewhere, another, whose);
  server.start();
  auto renamed = on.config();
  renamed.key_namespace = "other:";
  renamed.key_prefixes = {};
  nothing_comes(renamed, server, whose);
  auto numbered = on.config();
  numbered.redis_url.back() = '7';
  nothing_comes(numbered, server, whose);

  CacheManager right{on.config()};
  CHECK(epochs(right) == counting(0, 9));
  CHECK(on.backend.log.count("INFO: History of run-1 replayed: 10 records") == 1);
}

TEST_CASE("history that waits is sent elsewhere once somebody has moved its file there", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  {
    CacheManager cache{on.config()};
    on.backend.server.kill();
    CHECK(cache.history("run-1").append_many(records(0, 9)));
  }
  RedisServer another;
  auto config = on.config();
  config.redis_url = another.url();
  const auto there = RecordedRuns<OnRedisTcp>::waiting(config, "pending");
  std::filesystem::create_directories(there.parent_path());
  std::filesystem::rename(on.waiting("pending"), there);
  CacheManager cache{config};
  CHECK(epochs(cache) == counting(0, 9));
  CHECK_FALSE(std::filesystem::exists(there));
}

TEST_CASE("a journal that does not say whom it waits for is left alone, and said", "[history]") {
  RecordedRuns<OnRedisTcp> on;
  const auto unmarked = on.config().history.directory / "pending" / "run-1.jsonl";
  std::filesystem::create_directories(unmarked.parent_path());
  std::ofstream{unmarked} << R"({"epoch": 1})" << '\n';
  CacheManager cache{on.config()};
  CHECK(cache.history("run-1").size() == 0);
  CHECK(std::filesystem::exists(unmarked));
  CHECK(on.backend.log.mentions("does not say which Redis it waits for, and is sent to none; to have it sent to"));
}
