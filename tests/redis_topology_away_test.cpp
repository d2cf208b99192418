// Servers of a cluster, and Sentinels, that hang or are gone: what that costs the calls to others.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/redis/cluster.hpp"
#include "cascor/redis/master_finder.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/sentinel.hpp"
#include "support/black_hole.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/redis_client.hpp"
#include "support/redis_cluster.hpp"
#include "support/redis_sentinels.hpp"
#include "support/scripted_server.hpp"

using namespace std::chrono_literals;
using cascor::StoreEntry;
using cascor::redis::Endpoint;
using support::endpoint_of;
using support::eventually;
using support::in;
using support::ScriptedConnection;
using support::ScriptedServer;
using Cluster = cascor::redis::Cluster<>;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

const std::string early = "b";  // slot 3300
const std::string late = "a";   // slot 15495

// A range of slots as CLUSTER SLOTS tells it.
std::string range(int first, int last, int port) {
  return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) +
         "\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + std::to_string(port) + "\r\n";
}

// A node that answers, and one that may be told to hang; each has half of the slots until the first one has all.
class TwoNodes {
 public:
  TwoNodes()
      : second_{[](ScriptedConnection& connection, std::size_t) { connection.listen_in_silence(); }},
        first_{[this](ScriptedConnection& connection, std::size_t) { serve(connection); }} {}

  Endpoint first() const { return endpoint_of(first_.port()); }
  Endpoint second() const { return endpoint_of(second_.port()); }
  std::size_t dialled_second() const { return second_.connections(); }
  void take_all() { has_all_ = true; }

 private:
  void serve(ScriptedConnection& connection) {
    while (const auto command = connection.command()) {
      std::string answer = "+OK\r\n";
      if (command->front() == "GET") answer = support::bulk("here");
      if (command->front() == "CLUSTER") {
        answer = has_all_ ? "*1\r\n" + range(0, 16383, first_.port())
                          : "*2\r\n" + range(0, 8191, first_.port()) + range(8192, 16383, second_.port());
      }
      if (!connection.send(answer)) return;
    }
  }

  std::atomic<bool> has_all_{false};
  ScriptedServer second_;
  ScriptedServer first_;
};

std::unique_ptr<RedisBackend> client_of(std::vector<Endpoint> seeds, cascor::redis::RedisOptions options = {}) {
  return std::make_unique<RedisBackend>(std::make_unique<Cluster>(std::move(options), std::move(seeds)));
}
std::string get(RedisBackend& client, const std::string& key, cascor::milliseconds within) {
  try {
    return client.get(key, in(within)).bytes.value_or("nothing");
  } catch (const cascor::CacheError& error) {
    return error.what();
  }
}

// Allocates nothing itself: copying it fails once it has been told to.
struct FailsToCopy {
  std::shared_ptr<std::atomic<int>> copies_left;
  explicit FailsToCopy(std::shared_ptr<std::atomic<int>> left) : copies_left{std::move(left)} {}
  FailsToCopy(const FailsToCopy& other) : copies_left{other.copies_left} {
    if (--*copies_left == 0) throw std::bad_alloc{};
  }
  FailsToCopy(FailsToCopy&&) noexcept = default;
  FailsToCopy& operator=(const FailsToCopy&) = delete;
  FailsToCopy& operator=(FailsToCopy&&) = delete;
  ~FailsToCopy() = default;
  std::string operator()() const { return {}; }
};

// A Sentinel that names itself the master, once it may answer.
ScriptedServer::Script sentinel(const int& port, const std::atomic<bool>& may_answer) {
  return [&port, &may_answer](ScriptedConnection& connection, std::size_t) {
    while (const auto command = connection.command()) {
      if (!eventually([&may_answer] { return may_answer.load(); })) return;
      std::string answer = "+OK\r\n";
      if (command->size() == 3 && command->at(1) == "SENTINELS") answer = "*0\r\n";
      if (command->size() == 3 && command->at(1).starts_with("GET-MASTER")) {
        answer = "*2\r\n" + support::bulk("127.0.0.1") + support::bulk(std::to_string(port));
      }
      if (!connection.send(answer)) return;
    }
  };
}

}  // namespace

TEST_CASE("A first seed that hangs leaves a call with little time enough for the second", "[cluster][away]") {
  const TwoNodes nodes;
  const support::BlackHole hole;
  CHECK(eventually([&] {
    const auto client = client_of({endpoint_of(hole.port()), nodes.first()});
    return get(*client, early, 900ms) == "here";
  }));
}

TEST_CASE("A node that hangs takes no time of a call to another one", "[cluster][away]") {
  const TwoNodes nodes;
  cascor::redis::RedisOptions options;
  options.random = [] { return 0; };  // which would ask the second one first
  const auto client = client_of({nodes.first()}, options);
  REQUIRE(get(*client, early, 10s) == "here");
  int failures = 0;
  for (int i = 0; i < 10; ++i) {
    CHECK(get(*client, late, 200ms) != "here");
    if (get(*client, early, 400ms) != "here") ++failures;
  }
  CHECK(failures <= 2);  // of a busy machine
}

TEST_CASE("What waits for a node that hangs goes to whoever has taken its place", "[cluster][away]") {
  TwoNodes nodes;
  auto servers = std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{nodes.first()});
  Cluster& cluster = *servers;
  RedisBackend client{std::move(servers)};
  REQUIRE(get(client, early, 10s) == "here");
  std::atomic<bool> ended{false};
  std::string value;
  std::thread caller{[&] {
    value = get(client, late, 600s);
    ended = true;
  }};
  REQUIRE(eventually([&] { return nodes.dialled_second() > 0; }));
  nodes.take_all();
  SECTION("once another call has found that it hangs") {
    CHECK(eventually([&] { return get(client, late, 300ms) == "here"; }));
    CHECK(eventually([&] { return ended.load(); }));
    client.stop();
    caller.join();
    CHECK(value == "here");
  }
  SECTION("and ends with stop(), even where it is not known to hang") {
    (void)eventually([&] {
      cluster.look_again();
      return cluster.masters(in(10s)).servers.size() == 1;
    });
    client.stop();
    const bool in_time = eventually([&] { return ended.load(); });
    CHECK(in_time);
    if (!in_time) std::abort();  // it would wait for minutes
    caller.join();
    CHECK(value.starts_with("Redis is not asked any more"));
  }
}

TEST_CASE("Calls that concern several nodes fail at once while one of them is away", "[cluster][away]") {
  const TwoNodes nodes;
  const auto client = client_of({nodes.first()});
  REQUIRE(get(*client, early, 10s) == "here");
  const std::array<StoreEntry, 2> entries{StoreEntry{early, "v", cascor::no_expiry, cascor::OnlyIf::absent},
                                          StoreEntry{late, "v", cascor::no_expiry, cascor::OnlyIf::absent}};
  CHECK(eventually([&] {
    const auto seen = support::what_of<cascor::CacheError>([&] { (void)client->set_many(entries, in(200ms)); });
    return seen.find("not asked now") != std::string::npos;
  }));
}

TEST_CASE("What one node was asked is never answered by another", "[cluster][away]") {
  const TwoNodes nodes;
  Cluster cluster{{}, {nodes.first()}};
  const auto masters = cluster.masters(in(10s));
  REQUIRE(masters.servers.size() == 2);
  cascor::redis::Batch<> batch;
  batch.add({cascor::redis::Answer::any}, "SCAN", "17");
  for (int i = 0; i < 4; ++i) {  // chance would have it answered by the other one every second time
    cascor::Reply reply;
    CHECK_THROWS_AS(cluster.run_on(masters.servers[1], batch, {&reply, 1}, {.may_share = false}, in(600ms)),
                    cascor::CacheError);
  }
}

TEST_CASE("A cluster is whole after memory ran out while its nodes were noted", "[cluster][away]") {
  const TwoNodes nodes;
  const auto left = std::make_shared<std::atomic<int>>(1'000'000);
  cascor::redis::RedisOptions options;
  options.password = FailsToCopy{left};
  Cluster cluster{options, {nodes.first()}};
  *left = 2;  // the seed's own, then a node's
  CHECK_THROWS_AS(cluster.masters(in(10s)), std::bad_alloc);
  *left = 1'000'000;
  CHECK(cluster.pool().size == 0);
  CHECK(cluster.masters(in(10s)).servers.size() == 2);
}

TEST_CASE("A first Sentinel that hangs leaves a call with little time enough for the second", "[sentinel][away]") {
  const support::BlackHole hole;
  int port = 0;
  const std::atomic<bool> may_answer{true};
  const ScriptedServer server{sentinel(port, may_answer)};
  port = server.port();
  CHECK(eventually([&] {
    cascor::redis::MasterFinder<> finder{{}, {endpoint_of(hole.port()), endpoint_of(port)}, "mymaster"};
    try {
      return finder.find(in(450ms)).port == port;
    } catch (const cascor::CacheError&) {
      return false;
    }
  }));
}

TEST_CASE("A caller with much time does not share the failure of one with little", "[sentinel][away]") {
  int port = 0;
  std::atomic<bool> may_answer{false};
  const ScriptedServer server{sentinel(port, may_answer)};
  port = server.port();
  cascor::redis::MasterFinder<> finder{{}, {endpoint_of(port)}, "mymaster"};
  std::thread hasty{[&] { CHECK_THROWS_AS(finder.find(in(400ms)), cascor::TimeoutError); }};
  CHECK(eventually([&] { return server.connections() == 1; }));
  std::atomic<int> found{0};
  std::thread patient{[&] {
    try {
      found = finder.find(in(60s)).port;
    } catch (const cascor::CacheError&) {
      found = -1;
    }
  }};
  hasty.join();
  may_answer = true;
  patient.join();
  CHECK(found == port);
}

TEST_CASE("Who waits for another caller's answer asks for itself when memory runs out for that one",
          "[sentinel][away]") {
  int port = 0;
  const std::atomic<bool> may_answer{true};
  const ScriptedServer server{sentinel(port, may_answer)};
  port = server.port();
  support::Gate gate;
  std::atomic<int> asked{0};
  cascor::redis::RedisOptions options;
  options.locate = [&](cascor::Deadline) {
    if (++asked > 1) return endpoint_of(port);
    gate.pass();
    throw std::bad_alloc{};
  };
  cascor::redis::MasterFinder<> finder{options, {endpoint_of(port)}, "mymaster"};
  std::thread unlucky{[&] { CHECK_THROWS_AS(finder.find(in(60s)), std::bad_alloc); }};
  gate.await_arrival();
  std::atomic<int> found{0};
  std::atomic<int> waits{0};
  std::thread waiting{[&] {
    ++waits;
    try {
      found = finder.find(in(60s)).port;
    } catch (const cascor::CacheError&) {
      found = -1;
    }
  }};
  CHECK(eventually([&] { return waits == 1; }));
  gate.open();
  unlucky.join();
  waiting.join();
  CHECK(found == port);
  CHECK(finder.find(in(60s)).port == port);
}

TEST_CASE("Sentinels that were away at first tell of a switch all the same", "[sentinel][away]") {
  support::RedisSentinels all{"secret"};
  for (std::size_t i = 0; i < 3; ++i) all.sentinel(i).kill();
  cascor::redis::RedisOptions options;
  options.password = [] { return std::string{"secret"}; };
  RedisBackend client{std::make_unique<cascor::redis::Sentinel<>>(options, all.endpoints(), "mymaster")};
  CHECK_THROWS_AS(client.get("k", in(2s)), cascor::CacheError);
  for (std::size_t i = 0; i < 3; ++i) all.sentinel(i).start();
  REQUIRE(eventually([&] { return get(client, "k", 2s) == "nothing"; }));
  CHECK(eventually([&] {
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string clients = all.sentinel(i).raw("CLIENT", "LIST").text;
      const auto ours = clients.find("name=cascor-cache");
      if (ours != std::string::npos && clients.substr(ours, 200).find(" sub=1 ") != std::string::npos) return true;
    }
    return false;
  }));
}
