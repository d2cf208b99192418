// One call an epoch: every epoch is in the record, the newest is published, and the training never waits.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/fault_proxy.hpp"
#include "support/recorded_runs.hpp"
#include "support/redis_client.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::Command;
using cascor::DataError;
using cascor::json;
using cascor::Message;
using cascor::TrainingRecorder;

#define EVERY_BACKEND OnMemory, OnRedisTcp, OnDistributed

namespace {

// What somebody else hears.
class Heard {
 public:
  auto handler() {
    return [this](const Message& message) {
      const std::lock_guard lock{mutex_};
      all_.push_back(message.json());
    };
  }
  std::vector<json> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<json> all_;
};

}  // namespace

TEMPLATE_TEST_CASE("every epoch is in the record, the newest is the latest and is published", "[recorder]",
                   EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  Heard training;
  Heard topologies;
  auto listening = cache.subscribe({"cascor:training"}, training.handler());
  auto watching = cache.subscribe({"cascor:topology"}, topologies.handler());
  TrainingRecorder recorder{cache, "run-1"};
  for (int epoch = 0; epoch < 2300; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}, {"train_loss", 0.5}}));
  CHECK(recorder.topology({{"hidden_units", 3}}));
  CHECK(recorder.topology({{"hidden_units", 4}}));
  CHECK(recorder.flush(20s));
  CHECK(recorder.backlog() == 0);
  CHECK(epochs(cache) == counting(0, 2299));
  CHECK(*cache.get_cached_metrics() == json{{"epoch", 2299}, {"train_loss", 0.5}});
  CHECK(cache.get_cached_topology()->at("hidden_units") == 4);
  CHECK(eventually([&] { return !training.all().empty() && training.all().back()["data"]["epoch"] == 2299; }));
  CHECK(training.all().back()["type"] == "metrics_update");
  CHECK(training.all().size() < 300);  // conflated: not one an epoch
  CHECK(eventually([&] { return !topologies.all().empty() && topologies.all().back()["data"]["hidden_units"] == 4; }));
  CHECK(topologies.all().back()["type"] == "topology_update");
}

TEMPLATE_TEST_CASE("members that a record does not name go under its metrics", "[recorder]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  TrainingRecorder recorder{cache, "run-1"};
  CHECK(recorder.epoch({{"epoch", 1},
                        {"phase", "output_training"},
                        {"loss", 0.25},
                        {"metrics", {{"accuracy", 0.75}}},
                        {"network_topology", {{"hidden_units", 2}}},
                        {"timestamp", "then"}}));
  CHECK(recorder.epoch({{"epoch", 2}, {"loss", std::numeric_limits<double>::infinity()}}));
  CHECK(recorder.flush(20s));
  const auto all = cache.history("run-1").last(2);
  REQUIRE(all.size() == 2);
  CHECK(all[0].record == json{{"epoch", 1},
                              {"phase", "output_training"},
                              {"metrics", {{"loss", 0.25}, {"accuracy", 0.75}}},
                              {"network_topology", {{"hidden_units", 2}}},
                              {"timestamp", "then"}});
  CHECK(all[1].at("loss").is_null());
  CHECK(all[1].at("timestamp").get<std::string>().ends_with("Z"));
}

TEMPLATE_TEST_CASE("what can be no epoch is refused at once", "[recorder]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  CHECK_THROWS_AS((TrainingRecorder{cache, "a/b"}), DataError);
  TrainingRecorder recorder{cache, "run-1"};
  CHECK(recorder.epoch({{"epoch", 5}}));
  CHECK_THROWS_AS(recorder.epoch({{"epoch", 4}}), DataError);
  CHECK_THROWS_AS(recorder.epoch({{"epoch", -1}}), DataError);
  CHECK_THROWS_AS(recorder.epoch({{"epoch", 1.5}}), DataError);
  CHECK_THROWS_AS(recorder.epoch(json::array()), DataError);
  CHECK_THROWS_AS(recorder.epoch({{"epoch", 6}, {"phase", "\xff"}}), DataError);
  CHECK_THROWS_AS(recorder.topology({{"name", "\xff"}}), DataError);
  CHECK(recorder.epoch({{"epoch", 5}}));
  CHECK(recorder.flush(20s));
  CHECK(epochs(cache) == std::vector<int>{5, 5});
}

TEMPLATE_TEST_CASE("commands reach the handler and are acknowledged on the events channel", "[recorder]",
                   EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  Heard events;
  auto listening = cache.subscribe({"cascor:events"}, events.handler());
  TrainingRecorder recorder{cache, "run-1"};
  std::mutex mutex;
  std::vector<std::string> obeyed;
  recorder.on_command([&](const Command& command) {
    const std::lock_guard lock{mutex};
    obeyed.push_back(command.name + command.params.dump());
    if (command.name == "reset") throw std::runtime_error{"not now"};
  });
  const auto command = [&](const json& data) { cache.publish_event(cascor::Channel::control, "command", data); };
  cache.publish("cascor:control", "no command");
  cache.publish_event(cascor::Channel::control, "other", {{"command", "stop"}});
  command({{"command", "dance"}});
  command({{"command", 5}});
  command(json::array());
  command({{"command", "pause"}, {"params", json::object()}});
  command({{"command", "resume"}, {"params", {{"from", 3}}}});
  command({{"command", "reset"}});
  command({{"command", "stop"}});
  CHECK(eventually([&] { return events.all().size() == 4; }));
  const std::lock_guard lock{mutex};
  CHECK(obeyed == std::vector<std::string>{"pause{}", R"(resume{"from":3})", "reset{}", "stop{}"});
  const auto all = events.all();
  CHECK(all[1]["type"] == "command_acknowledged");
  CHECK(
      all[1]["data"] ==
      json{{"command", "resume"}, {"params", {{"from", 3}}}, {"run", "run-1"}, {"status", "done"}, {"error", nullptr}});
  CHECK(all[2]["data"]["status"] == "failed");
  CHECK(all[2]["data"]["error"] == "it threw: not now");
}

TEMPLATE_TEST_CASE("what is not flushed goes along when the recorder ends", "[recorder]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  {
    TrainingRecorder recorder{cache, "run-1"};
    for (int epoch = 0; epoch < 1000; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
  }
  CHECK(epochs(cache) == counting(0, 999));
  CHECK(cache.get_cached_metrics()->at("epoch") == 999);
}

TEMPLATE_TEST_CASE("a recorder goes with its moved cache, and outlives it without a loss", "[recorder]",
                   EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  auto cache = std::make_unique<CacheManager>(on.config());
  TrainingRecorder recorder{*cache, "run-1"};
  recorder.on_command([](const Command&) {});
  {
    const CacheManager moved{std::move(*cache)};
    cache.reset();
    CHECK(recorder.epoch({{"epoch", 0}}));
    CHECK(recorder.flush(20s));
  }
  CHECK(eventually([&] { return !recorder.epoch({{"epoch", 1}}); }));
  CHECK_FALSE(recorder.flush(1ms));
}

TEMPLATE_TEST_CASE("what did not fit into memory is in the record, in its order", "[recorder]", EVERY_BACKEND) {
  RecordedRuns<TestType> on;
  CacheManager cache{on.config()};
  TrainingRecorder recorder{cache, "run-1", {.max_pending = 3}};
  for (int epoch = 0; epoch < 3000; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
  CHECK(recorder.flush(60s));
  CHECK(epochs(cache) == counting(0, 2999));
  CHECK(cache.get_cached_metrics()->at("epoch") == 2999);
  CHECK_FALSE(std::filesystem::exists(on.waiting("spool")));
}

TEST_CASE("with nowhere to go an epoch is false", "[recorder]") {
  RecordedRuns<OnMemory> on;
  auto config = on.config();
  config.history.directory = "/proc/no/such/folder";
  config.shutdown_timeout = 10ms;
  CacheManager cache{config};
  TrainingRecorder recorder{cache, "run-1", {.max_pending = 5}};
  int taken = 0;
  for (int epoch = 0; epoch < 10; ++epoch) taken += recorder.epoch({{"epoch", epoch}}) ? 1 : 0;
  CHECK(taken == 5);
  CHECK_FALSE(recorder.flush(1ms));
  CHECK(recorder.backlog() == 5);
}

TEST_CASE("a cache that is disabled takes no epoch", "[recorder]") {
  RecordedRuns<OnMemory> on;
  auto config = on.config();
  config.enabled = false;
  CacheManager cache{config};
  TrainingRecorder recorder{cache, "run-1"};
  CHECK_FALSE(recorder.epoch({{"epoch", 1}}));
  CHECK_FALSE(recorder.topology({{"hidden_units", 1}}));
}

TEST_CASE("latest, record and message are one step on a server", "[recorder]") {
  RecordedRuns<OnRedisTcp> on;
  CacheManager cache{on.config()};
  auto& server = on.backend.server;
  TrainingRecorder recorder{cache, "run-1"};
  CHECK(recorder.epoch({{"epoch", 1}}));
  CHECK(recorder.flush(20s));
  CHECK(server.raw("GET", "cascor:metrics:latest").text == R"({"epoch":1})");
  CHECK(server.raw("PTTL", "cascor:metrics:latest").integer > 0);
  (void)server.raw("CONFIG", "RESETSTAT");
  CHECK(recorder.epoch({{"epoch", 2}}));
  CHECK(recorder.flush(20s));
  const std::string stats = server.raw("INFO", "commandstats").text;
  CHECK(stats.find("cmdstat_evalsha:calls=1,") != std::string::npos);
  CHECK(stats.find("cmdstat_set:calls=1,") != std::string::npos);
  CHECK(stats.find("cmdstat_publish:calls=1,") != std::string::npos);
  CHECK(stats.find("cmdstat_xadd:calls=1,") != std::string::npos);
}

TEST_CASE("a stopped server does not keep the training, and misses nothing when it goes on", "[recorder]") {
  RecordedRuns<OnRedisTcp> on;
  auto config = on.config();
  config.connection_pool.timeout = 500ms;
  CacheManager cache{config};
  auto& server = on.backend.server;
  TrainingRecorder recorder{cache, "run-1", {.max_pending = 50}};
  for (int epoch = 0; epoch < 20; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
  CHECK(recorder.flush(20s));
  server.pause();
  const auto took = time_of([&] {
    for (int epoch = 20; epoch < 1000; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
  });
  CHECK(took < 30s);                                           // one that waited for each would take minutes
  CHECK(eventually([&] { return recorder.backlog() == 0; }));  // durable, in the journal
  CHECK_FALSE(recorder.flush(1ms));
  server.resume();
  CHECK(recorder.flush(60s));
  CHECK(epochs(cache) == counting(0, 999));
  CHECK(server.raw("XLEN", "cascor:run:run-1:history").integer == 1000);
}

TEST_CASE("a server that is restarted under a training loses no epoch", "[recorder]") {
  RecordedRuns<OnRedisTcp> on;
  RedisServer server{{"--appendonly", "yes", "--appendfsync", "always"}};
  auto config = on.config();
  config.redis_url = server.url();
  CacheManager cache{config};
  TrainingRecorder recorder{cache, "run-1"};
  std::atomic<bool> over{false};
  std::atomic<int> count{0};
  std::thread trainer{[&] {
    for (int epoch = 0; !over; ++epoch) {
      if (recorder.epoch({{"epoch", epoch}})) ++count;
      std::this_thread::sleep_for(100us);  // the pace of a training
    }
  }};
  for (int round = 0; round < 4; ++round) {
    const int before = count;
    CHECK(eventually([&] { return count > before + 300; }));
    server.kill();
    const int then = count;
    CHECK(eventually([&] { return count > then + 300; }));
    server.start();
  }
  over = true;
  trainer.join();
  CHECK(recorder.flush(60s));
  CHECK(server.raw("XLEN", "cascor:run:run-1:history").integer == count);
  CHECK(epochs(cache) == counting(0, count - 1));
}

TEST_CASE("a process that dies loses no more than its backlog said", "[recorder]") {
  for (const std::size_t max_pending : {20UL, 100'000UL}) {
    RecordedRuns<OnRedisTcp> on;
    struct Told {
      std::uint64_t handed_over;
      std::uint64_t backlog;
    };
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      CacheManager cache{on.config()};
      TrainingRecorder recorder{cache, "run-1", {.max_pending = max_pending}};
      for (std::uint64_t epoch = 0;; ++epoch) {
        if (!recorder.epoch({{"epoch", epoch}})) ::_exit(1);
        const Told told{epoch + 1, recorder.backlog()};
        if (epoch % 50 == 0 && ::write(pipe[1], &told, sizeof told) != sizeof told) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    Told told{};
    while (told.handed_over < 3000) REQUIRE(::read(pipe[0], &told, sizeof told) == sizeof told);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    ::close(pipe[0]);
    CacheManager cache{on.config()};
    TrainingRecorder next{cache, "run-1"};  // sends what an earlier one left in the file
    CHECK(next.flush(60s));                 // until then Redis may be held to be away, and size() tells what waits here
    const auto kept = cache.history("run-1").size();
    CHECK(kept >= told.handed_over - told.backlog);
    // What was in memory is lost; what had come after it may have been in the file.
    const auto all = epochs(cache);
    CHECK(std::is_sorted(all.begin(), all.end()));
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
    if (max_pending == 20) CHECK(kept >= told.handed_over - 20 - 500);  // the file's survive the process
  }
}

TEST_CASE("what a recorder could not send waits in its file for the next one", "[recorder]") {
  RecordedRuns<OnRedisTcp> on;
  auto config = on.config();
  config.fallback.enabled = false;
  config.shutdown_timeout = 50ms;
  auto& server = on.backend.server;
  {
    CacheManager cache{config};
    TrainingRecorder recorder{cache, "run-1", {.max_pending = 10}};
    for (int epoch = 0; epoch < 5; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
    CHECK(recorder.flush(20s));
    (void)server.raw("SAVE");
    server.kill();
    for (int epoch = 5; epoch < 100; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
    CHECK_FALSE(recorder.flush(10ms));
    CHECK(recorder.backlog() == 95);
  }
  CHECK(std::filesystem::exists(on.waiting("spool")));
  server.start();
  CacheManager cache{config};
  TrainingRecorder next{cache, "run-1"};
  CHECK_THROWS_AS(next.epoch({{"epoch", 98}}), DataError);
  CHECK(next.epoch({{"epoch", 100}}));
  CHECK(next.flush(20s));
  CHECK(epochs(cache) == counting(0, 100));
  CHECK_FALSE(std::filesystem::exists(on.waiting("spool")));
}

TEST_CASE("what a recorder could not send to one Redis is not sent to another", "[recorder]") {
  RecordedRuns<OnRedisTcp> on;
  auto config = on.config();
  config.fallback.enabled = false;
  config.shutdown_timeout = 50ms;
  {
    CacheManager cache{config};
    on.backend.server.kill();
    TrainingRecorder recorder{cache, "run-1", {.max_pending = 2}};
    for (int epoch = 0; epoch < 10; ++epoch) CHECK(recorder.epoch({{"epoch", epoch}}));
  }
  RedisServer another;
  auto elsewhere = config;
  elsewhere.redis_url = another.url();
  {
    CacheManager cache{elsewhere};
    TrainingRecorder recorder{cache, "run-1"};
    CHECK(recorder.backlog() == 0);
    CHECK(recorder.epoch({{"epoch", 0}}));
    CHECK(recorder.flush(20s));
    CHECK(epochs(cache) == counting(0, 0));
  }
  CHECK(on.backend.log.mentions("waits for another Redis, 127.0.0.1:" + std::to_string(on.backend.server.port())));
  on.backend.server.start();
  CacheManager cache{config};
  TrainingRecorder next{cache, "run-1"};
  CHECK(next.flush(20s));
  CHECK(epochs(cache) == counting(0, 9));
}

TEST_CASE("records that a run refuses are put aside, and said, by flush() too", "[recorder]") {
  RecordedRuns<OnMemory> on;
  CacheManager cache{on.config()};
  CHECK(cache.history("run-1").append({{"epoch", 500}}));
  TrainingRecorder recorder{cache, "run-1"};
  CHECK(recorder.epoch({{"epoch", 1}}));
  CHECK_FALSE(recorder.flush(20s));
  CHECK(epochs(cache) == std::vector<int>{500});
  CHECK(recorder.flush(20s));  // it was said, once
  CHECK(std::filesystem::exists(on.waiting("spool").string() + ".refused"));
  CHECK(on.backend.log.mentions("1 records of run-1 are refused"));
}

TEST_CASE("a recorder ends within shutdown_timeout, though its server has just begun to hang", "[recorder]") {
  RedisServer server;
  FaultProxy proxy{server};
  const TemporaryFolder folder;
  CapturedLog log;
  auto config = config_for_port(proxy.endpoint().port, log);
  config.history.directory = folder.path();
  config.connection_pool.timeout = 60s;
  config.shutdown_timeout = 100ms;
  auto fastest = cascor::milliseconds::max();
  for (int attempt = 0; attempt < 5 && fastest > 1s; ++attempt) {  // the machine may be busy
    proxy.heal();
    CacheManager cache{config};
    std::optional<TrainingRecorder> recorder{std::in_place, cache, "run-" + std::to_string(attempt)};
    recorder->epoch({{"epoch", 1}});
    REQUIRE(recorder->flush(20s));
    proxy.set(Fault::mute());
    const std::string key = "cascor:run:run-" + std::to_string(attempt) + ":history";
    recorder->epoch({{"epoch", 2}});
    REQUIRE(eventually([&] { return server.raw("XLEN", key).integer == 2; }));  // its call is under way
    recorder->epoch({{"epoch", 3}});
    fastest = std::min(fastest, time_of([&] { recorder.reset(); }));
  }
  CHECK(fastest <= 1s);
}

TEST_CASE("a forked child's recorder does nothing", "[recorder]") {
  RecordedRuns<OnMemory> on;
  CacheManager cache{on.config()};
  auto recorder = std::make_unique<TrainingRecorder>(cache, "run-1");
  CHECK(recorder->epoch({{"epoch", 1}}));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool nothing = !recorder->epoch({{"epoch", 2}}) && !recorder->flush(1ms) && recorder->backlog() == 0;
    recorder.reset();
    ::_exit(nothing ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(recorder->flush(20s));
}
