// A Redis Cluster of six real processes, while slots move, a master dies and nodes come back.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cascor/redis/cluster.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/redis_client.hpp"
#include "support/redis_cluster.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using cascor::StoreEntry;
using cascor::redis::slot_of;
using support::eventually;
using support::in;
using support::RedisCluster;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

std::unique_ptr<RedisBackend> client_of(const RedisCluster& cluster, std::vector<std::size_t> seeds = {0, 1},
                                        cascor::redis::RedisOptions options = {}) {
  std::vector<cascor::redis::Endpoint> endpoints;
  for (const std::size_t seed : seeds) endpoints.push_back(cluster.endpoint(seed));
  return std::make_unique<RedisBackend>(std::make_unique<cascor::redis::Cluster<>>(std::move(options), endpoints));
}
bool set(RedisBackend& client, const std::string& key, const std::string& value, cascor::milliseconds within = 10s) {
  const StoreEntry entry{key, value};
  const auto outcome = client.set_many({&entry, 1}, in(within)).front();
  if (outcome.error) outcome.error->raise();
  return outcome.stored;
}
std::string get(RedisBackend& client, const std::string& key, cascor::milliseconds within = 10s) {
  auto answer = client.get(key, in(within));
  if (answer.error) answer.error->raise();
  return answer.bytes.value_or("nothing");
}
std::vector<std::string> some_keys(std::size_t count) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back("cascor:metrics:" + std::to_string(i));
  return keys;
}
const auto every_key = [](std::string_view) { return true; };
const auto a_while = [] { return in(30s); };

}  // namespace

TEST_CASE("Every call does on a cluster what it does on one server", "[cluster]") {
  const RedisCluster& cluster = support::shared_cluster();
  const auto client = client_of(cluster);
  const auto keys = some_keys(600);
  const std::vector<std::string_view> views{keys.begin(), keys.end()};

  std::vector<StoreEntry> entries;
  for (const auto& key : keys) entries.push_back({key, key, 60s});
  for (const auto& outcome : client->set_many(entries, in(10s))) CHECK(outcome.stored);
  const auto answers = client->get_many(views, in(10s));
  REQUIRE(answers.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(answers[i].bytes == keys[i]);
  CHECK(client->ttl(keys[5], in(10s)).value() > 50s);
  CHECK(client->touch(keys[5], cascor::no_expiry, in(10s)));
  CHECK(client->ttl(keys[5], in(10s)) == cascor::no_expiry);
  CHECK_FALSE(client->touch("nothing", cascor::no_expiry, in(10s)));
  CHECK(client->contains(keys[7], in(10s)));
  CHECK(client->increment("cascor:count", 5, cascor::no_expiry, in(10s)) == 5);
  CHECK(client->increment("cascor:count", 6, 60s, in(10s)) == 11);
  CHECK(client->command(std::vector<std::string_view>{"STRLEN", keys[100]}, in(10s)).integer == 18);
  CHECK(client->keys("cascor:metrics:*", 10'000, every_key, a_while).size() == 600);
  CHECK(client->keys("cascor:metrics:*", 7, every_key, a_while).size() == 7);
  CHECK(client->erase_many(std::span{views}.first(10), in(10s)) == 10);
  CHECK(client->erase_matching("cascor:metrics:1*", every_key, a_while) == 110);
  CHECK(client->erase_matching("cascor:metrics:*", every_key, a_while) == 480);
  CHECK(get(*client, "cascor:count") == "11");
  CHECK_NOTHROW(client->ping(in(10s)));
  CHECK(client->info(in(10s)).version.starts_with("7."));
}

TEST_CASE("A call takes one round trip, on each node that it concerns", "[cluster]") {
  const RedisCluster& cluster = support::shared_cluster();
  const auto client = client_of(cluster);
  const auto keys = some_keys(300);
  const std::vector<std::string_view> views{keys.begin(), keys.end()};
  for (const auto& key : keys) set(*client, key, "v");
  const auto batches = [&client] { return client->stats().batches; };

  auto before = batches();
  CHECK(get(*client, keys[0]) == "v");
  CHECK(batches() - before == 1);
  before = batches();
  (void)client->get_many(views, in(10s));
  CHECK(batches() - before == 3);
}

TEST_CASE("A slot that has moved is found, and not asked for at its old node again", "[cluster]") {
  RedisCluster cluster;
  const auto client = client_of(cluster);
  const std::string key = "cascor:metrics:latest";
  const std::size_t slot = slot_of(key);
  const std::size_t from = cluster.master_of(slot);
  const std::size_t to = (from + 1) % 3;
  set(*client, key, "before");

  cluster.begin_move(slot, from, to);
  CHECK(get(*client, key) == "before");
  CHECK(get(*client, "{cascor:metrics:latest}:other") == "nothing");  // ASK: it would be at the new node
  cluster.move_keys(slot, from, to);
  CHECK(get(*client, key) == "before");
  CHECK(set(*client, "{cascor:metrics:latest}:new", "v"));
  CHECK(client->increment("{cascor:metrics:latest}:count", 2, cascor::no_expiry, in(10s)) == 2);
  cluster.finish_move(slot, to);
  CHECK(get(*client, key) == "before");
  CHECK(set(*client, key, "after"));
  CHECK(cluster.node(to).raw("GET", key).text == "after");
  CHECK(cluster.node(to).raw("GET", "{cascor:metrics:latest}:count").text == "2");
  REQUIRE(eventually([&] {
    const auto before = client->stats().batches;
    CHECK(get(*client, key) == "after");
    return client->stats().batches - before == 1;
  }));
}

TEST_CASE("Keys of one slot are read in the middle of its move", "[cluster]") {
  RedisCluster cluster;
  const auto client = client_of(cluster);
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("{moving}:" + std::to_string(i));
  const std::vector<std::string_view> views{keys.begin(), keys.end()};
  for (const auto& key : keys) set(*client, key, key);
  const std::size_t slot = slot_of("moving");
  const std::size_t from = cluster.master_of(slot);
  const std::size_t to = (from + 1) % 3;
  cluster.begin_move(slot, from, to);
  cluster.move_keys(slot, from, to, 10);
  std::thread mover{[&] {  // TRYAGAIN until it is done
    (void)eventually([&] { return client->stats().retries > 0; });
    cluster.move_keys(slot, from, to);
    cluster.finish_move(slot, to);
  }};
  std::vector<cascor::StoreAnswer> answers;
  const bool all = eventually([&] {
    answers = client->get_many(views, in(20s));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (answers[i].bytes != keys[i]) return false;
    }
    return true;
  });
  mover.join();
  CHECK(all);
}

TEST_CASE("What is written while slots move is neither lost nor counted twice", "[cluster]") {
  RedisCluster cluster;
  const auto client = client_of(cluster);
  constexpr std::size_t writers = 4;
  std::atomic<bool> done{false};
  std::vector<std::int64_t> counted(writers, 0);
  std::atomic<int> failures{0};
  std::atomic<int> moved{0};
  std::thread mover{[&] {
    moved = cluster.keep_moving(slot_of("moving"), 6, [] {});
    done = true;
  }};
  support::in_threads(writers, [&](std::size_t w) {
    const std::string key = "{moving}:" + std::to_string(w);
    while (!done) {
      try {
        counted[w] = client->increment(key, 1, cascor::no_expiry, in(20s));
      } catch (const cascor::CacheError&) {
        ++failures;
      }
    }
  });
  mover.join();
  CHECK(moved > 0);
  CHECK(failures == 0);
  for (std::size_t w = 0; w < writers; ++w) {
    CHECK(get(*client, "{moving}:" + std::to_string(w)) == std::to_string(counted[w]));
    CHECK(counted[w] > 0);
  }
}

TEST_CASE("A master that dies is replaced, and calls on the others go on meanwhile", "[cluster]") {
  RedisCluster cluster;
  const auto client = client_of(cluster);
  const auto keys = some_keys(60);
  for (const auto& key : keys) set(*client, key, "v");
  for (std::size_t i = 0; i < 3; ++i) cluster.node(i).raw("WAIT", "1", "10000");

  cluster.node(0).kill();
  const auto of_the_dead = [&](const std::string& key) { return cluster.master_of(slot_of(key)) == 0; };
  REQUIRE(eventually(
      [&] {
        for (const auto& key : keys) {
          try {
            if (!set(*client, key, "w", 2s)) return false;
          } catch (const cascor::CacheError&) {
            return false;
          }
        }
        return true;
      },
      60s));
  for (const auto& key : keys) CHECK(get(*client, key) == "w");
  CHECK(cluster.node(3).info("role") == "master");
  CHECK(std::any_of(keys.begin(), keys.end(), of_the_dead));

  // On the same port again, as a replica of who took its place.
  cluster.node(0).start();
  REQUIRE(eventually([&] { return cluster.node(0).info("master_link_status") == "up"; }, 60s));
  for (const auto& key : keys) CHECK(get(*client, key) == "w");
  CHECK(client->erase_matching("cascor:metrics:*", every_key, a_while) == keys.size());
}

TEST_CASE("A cluster that shrinks keeps its clients", "[cluster]") {
  RedisCluster cluster;
  const auto client = client_of(cluster);
  const auto keys = some_keys(30);
  for (const auto& key : keys) set(*client, key, "v");
  const std::size_t gone = 2;
  for (const auto& key : keys) {
    if (const auto slot = slot_of(key); cluster.master_of(slot) == gone) {
      cluster.begin_move(slot, gone, 0);
      cluster.move_keys(slot, gone, 0);
      cluster.finish_move(slot, 0);
    }
  }
  for (std::size_t slot = cluster.first_slot(gone); slot < cluster.first_slot(gone + 1); ++slot) {
    cluster.finish_move(slot, 0);
  }
  for (const auto& key : keys) CHECK(get(*client, key) == "v");
  cluster.node(gone).kill();
  cluster.node(gone + 3).kill();
  for (const auto& key : keys) CHECK(get(*client, key) == "v");
  CHECK(client->erase_matching("*", every_key, a_while) == keys.size());
}

TEST_CASE("Any seed that answers is enough, and none is an error that names one", "[cluster]") {
  RedisCluster cluster;
  const auto late = client_of(cluster, {4, 1});
  CHECK(set(*late, "k", "v"));  // by a replica
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (i != 1) cluster.node(i).kill();
  }
  const auto client = client_of(cluster, {0, 1});
  std::string elsewhere = "x";
  while (cluster.master_of(slot_of(elsewhere)) == 1) elsewhere += 'x';
  const std::string what = support::what_of<cascor::CacheError>([&] { (void)get(*client, elsewhere, 2s); });
  CHECK_FALSE(what == "nothing was thrown");
  cluster.node(1).kill();
  const auto nobody = client_of(cluster, {0, 1});
  CHECK(support::what_of<cascor::ConnectionError>([&] {
          (void)get(*nobody, "k", 2s);
        }).starts_with("Error connecting to Redis on 127.0.0.1:"));
}

TEST_CASE("A server that is no cluster is told so", "[cluster]") {
  support::RedisServer server;
  cascor::redis::RedisOptions options;
  const auto endpoint = support::endpoint_of(server.port());
  RedisBackend client{std::make_unique<cascor::redis::Cluster<>>(options, std::vector{endpoint, endpoint})};
  const auto seen = support::error_of<cascor::ResponseError>([&] { (void)get(client, "k"); });
  CHECK(seen.what == "ERR This instance has cluster support disabled");
  CHECK(seen.hint == "The server is no Redis Cluster: name it alone in redis_url.");
}

TEST_CASE("max_connections holds for all nodes of a cluster together", "[cluster]") {
  RedisCluster cluster;
  cascor::redis::RedisOptions options;
  options.max_connections = 6;
  const auto client = client_of(cluster, {0, 1}, options);
  const auto keys = some_keys(64);
  support::in_threads(16, [&](std::size_t t) {
    const std::vector<std::string_view> views{keys.begin(), keys.end()};
    for (std::size_t i = 0; i < 50; ++i) {
      (void)client->get_many(views, in(30s));
      (void)get(*client, keys[(t * 50 + i) % 64], 30s);
    }
  });
  CHECK(client->pool().max == 6);
  std::size_t connections = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string list = cluster.node(i).raw("CLIENT", "LIST").text;
    for (auto at = list.find("name=cascor-cache"); at != std::string::npos;
         at = list.find("name=cascor-cache", at + 1)) {
      ++connections;
    }
  }
  CHECK(connections <= 6);
  CHECK(connections >= 3);
}

TEST_CASE("stop() ends what waits for a cluster that hangs", "[cluster]") {
  RedisCluster cluster;
  const auto client = client_of(cluster);
  CHECK(set(*client, "k", "v"));
  for (std::size_t i = 0; i < cluster.size(); ++i) cluster.node(i).pause();
  std::string what;
  std::thread caller{[&] { what = support::what_of<cascor::ConnectionError>([&] { (void)get(*client, "k", 600s); }); }};
  REQUIRE(eventually([&] { return client->pool().in_use > 0; }));
  client->stop();
  caller.join();
  CHECK(what.starts_with("Redis is not asked any more"));
}
