// One failover under everything that a cache does: what was promised holds across it, behind Sentinels and on a
// cluster.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/near.hpp"
#include "support/received.hpp"
#include "support/redis_cluster.hpp"
#include "support/redis_sentinels.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

namespace {

std::vector<int> counting(int to) {
  std::vector<int> numbers;
  for (int i = 0; i < to; ++i) numbers.push_back(i);
  return numbers;
}

// A training that goes on while `fail_over()` ends one master and waits for the next: every part of it is looked at
// afterwards. `replicated()` waits until all that was written so far is on the replicas.
template <class Replicated, class FailOver>
void train_through(const std::string& url, const Replicated& replicated, const FailOver& fail_over) {
  CapturedLog log;
  TemporaryFolder folder;
  cascor::CacheConfig config;
  config.redis_url = url;
  config.connection_pool.timeout = 2s;
  config.history.directory = folder.path() / "history";
  config.log_sink = log.sink();
  CacheManager cache{config};
  CacheManager other{config};

  const std::string session = cache.sessions().create("ann", {{"theme", "dark"}});
  REQUIRE(cache.set("tagged", 1, {.ttl = 1h, .tags = {"run-1"}}));
  REQUIRE(cache.set("topology:latest", {{"version", 0}}, {.ttl = 1h}));
  REQUIRE(eventually_near(other, "topology:latest"));
  const Received received;
  const auto subscription = other.subscribe({"cascor:control"}, received.handler());
  std::mutex mutex;
  std::vector<int> followed;
  const auto following = other.history("run-1").follow("", [&](const cascor::HistoryRecord& one) {
    const std::lock_guard lock{mutex};
    followed.push_back(one.at("epoch").get<int>());
  });

  cascor::TrainingRecorder recorder{cache, "run-1"};
  constexpr int before = 200;
  for (int epoch = 0; epoch < before; ++epoch) REQUIRE(recorder.epoch({{"epoch", epoch}, {"train_loss", 0.5}}));
  REQUIRE(recorder.flush(20s));
  replicated();

  std::atomic<bool> failed_over{false};
  int epochs = before;
  std::thread training{[&] {
    while (!failed_over) {
      if (recorder.epoch({{"epoch", epochs}, {"train_loss", 0.4}})) ++epochs;
      std::this_thread::sleep_for(1ms);
    }
  }};
  fail_over();
  failed_over = true;
  training.join();
  REQUIRE(eventually([&] { return cache.flush(1s) && recorder.flush(1s); }, 60s));
  REQUIRE(eventually([&] { return other.health().mode == cascor::HealthMode::live; }, 60s));

  // What the old master had not replicated when it died is Redis's to lose, and said in docs/consistency.md; nothing of
  // it is repeated, and what came before and after is whole.
  std::vector<int> kept;
  for (const auto& one : cache.history("run-1").range(0, 1'000'000)) kept.push_back(one.at("epoch").get<int>());
  CHECK(std::is_sorted(kept.begin(), kept.end()));
  CHECK(std::adjacent_find(kept.begin(), kept.end()) == kept.end());
  REQUIRE(kept.size() >= before);
  CHECK(std::vector<int>(kept.begin(), kept.begin() + before) == counting(before));
  CHECK(kept.back() == epochs - 1);
  const auto lost = static_cast<std::size_t>(epochs) - kept.size();
  CHECK(lost < 50);  // of some milliseconds

  // Nothing that is in the record is missed or repeated by who follows it.
  CHECK(eventually(
      [&] {
        const std::lock_guard lock{mutex};
        return !followed.empty() && followed.back() == epochs - 1;
      },
      60s));
  {
    const std::lock_guard lock{mutex};
    CHECK(std::is_sorted(followed.begin(), followed.end()));
    CHECK(std::adjacent_find(followed.begin(), followed.end()) == followed.end());
    CHECK(std::includes(followed.begin(), followed.end(), kept.begin(), kept.end()));
  }

  const auto still = other.sessions().get(session);
  REQUIRE(still);
  CHECK(still->user == "ann");
  CHECK(other.sessions().of_user("ann").size() == 1);
  CHECK(eventually(
      [&] {
        cache.publish("cascor:control", "after");
        return received.size() > 0;
      },
      60s));
  CHECK(cache.set("topology:latest", {{"version", 1}}, {.ttl = 1h}));
  CHECK(eventually([&] { return other.get("topology:latest")->value("version", 0) == 1; }));
  REQUIRE(eventually_near(other, "topology:latest"));
  CHECK(cache.set("topology:latest", {{"version", 2}}, {.ttl = 1h}));
  CHECK(eventually([&] { return other.get("topology:latest")->value("version", 0) == 2; }));
  CHECK(other.get_or_compute<int>("computed", [] { return 7; }, {.ttl = 1h, .across_processes = true}) == 7);
  CHECK(cache.get<int>("computed") == 7);
  CHECK(other.invalidate_tag("run-1") == 1);
}

}  // namespace

TEST_CASE("A training goes on while a master that Sentinels watch over is killed", "[sentinel][failover]") {
  RedisSentinels all;
  train_through(
      all.url(),
      [&] {
        for (std::size_t i = 1; i < 3; ++i) REQUIRE(eventually_in_step(all.server(0), all.server(i)));
      },
      [&] {
        all.server(0).kill();
        REQUIRE(eventually([&] { return all.master() != 0; }, 60s));
      });
}

TEST_CASE("A training goes on while the node of a cluster that has its record is killed", "[cluster][failover]") {
  RedisCluster cluster;
  const std::size_t owner = cluster.master_of(cascor::redis::slot_of("cascor:run:run-1:history"));
  train_through(
      cluster.url(),
      [&] {
        for (std::size_t i = 0; i < 3; ++i) REQUIRE(eventually_in_step(cluster.node(i), cluster.node(i + 3)));
      },
      [&] {
        cluster.node(owner).kill();
        REQUIRE(eventually([&] { return cluster.node(owner + 3).info("role") == "master"; }, 60s));
      });
}
