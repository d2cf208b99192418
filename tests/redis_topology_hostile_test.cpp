// Nodes and Sentinels that are wrong: that send one in a circle, name what is no server, or what is not the master.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cascor/redis/cluster.hpp"
#include "cascor/redis/cluster_link.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/sentinel.hpp"
#include "support/black_hole.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/redis_client.hpp"
#include "support/scripted_server.hpp"

using namespace std::chrono_literals;
using cascor::redis::Endpoint;
using support::bulk;
using support::endpoint_of;
using support::eventually;
using support::in;
using support::ScriptedConnection;
using support::ScriptedServer;
using Cluster = cascor::redis::Cluster<>;
using Node = cascor::redis::Node<>;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

std::string whole_map(int port) {
  return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n" + bulk("127.0.0.1") + ':' + std::to_string(port) + "\r\n";
}
std::string slot_at(const char* what, int port) {
  return '-' + std::string{what} + " 15495 127.0.0.1:" + std::to_string(port) + "\r\n";
}

// A node whose answers to GET and to CLUSTER SLOTS the test may change; GETs and questions for the map are counted.
class OneNode {
 public:
  Endpoint endpoint() const { return endpoint_of(server_.port()); }
  int port() const { return server_.port(); }
  std::size_t connections() const { return server_.connections(); }
  void answer_get(std::string answer) { set(get_, std::move(answer)); }
  void answer_slots(std::string answer) { set(slots_, std::move(answer)); }
  void hang() { hangs_ = true; }
  std::atomic<int> gets{0};
  std::atomic<int> maps{0};
  std::atomic<int> messages{0};

 private:
  void set(std::string& answer, std::string to) {
    const std::lock_guard lock{mutex_};
    answer = std::move(to);
  }
  void serve(ScriptedConnection& connection) {
    while (const auto command = connection.command()) {
      std::string answer = "+OK\r\n";
      {
        const std::lock_guard lock{mutex_};
        if (command->front() == "GET" || command->front() == "MGET") answer = get_;
        if (command->front() == "PUBLISH") answer = ":1\r\n";
        if (command->front() == "SCAN") answer = "*2\r\n" + bulk("0") + "*0\r\n";
        if (command->front() == "CLUSTER") answer = slots_.empty() ? whole_map(server_.port()) : slots_;
      }
      if (command->front() == "GET") ++gets;
      if (command->front() == "PUBLISH") ++messages;
      if (command->front() == "CLUSTER") ++maps;
      if (hangs_ && command->front() == "CLUSTER") return connection.ignore();
      if (!connection.send(answer)) return;
    }
  }

  std::mutex mutex_;  // guards the answers
  std::string get_ = bulk("here");
  std::string slots_;
  std::atomic<bool> hangs_{false};
  ScriptedServer server_{[this](ScriptedConnection& connection, std::size_t) { serve(connection); }};
};

std::string get(RedisBackend& client, cascor::milliseconds within = 10s) {
  try {
    const auto answer = client.get("a", in(within));  // slot 15495
    return answer.error ? answer.error->what() : answer.bytes.value_or("nothing");
  } catch (const cascor::CacheError& error) {
    return error.what();
  }
}

// One that calls what is at `master` the master, and knows no other Sentinel.
ScriptedServer::Script sentinel_of(std::string master) {
  return [master = std::move(master)](ScriptedConnection& connection, std::size_t) {
    while (const auto command = connection.command()) {
      std::string answer = "+OK\r\n";
      if (command->size() == 3 && command->at(1) == "SENTINELS") answer = "*0\r\n";
      if (command->size() == 3 && command->at(1).starts_with("GET-MASTER")) answer = master;
      if (!connection.send(answer)) return;
    }
  };
}
std::string master_at(const std::string& host, const std::string& port) { return "*2\r\n" + bulk(host) + bulk(port); }
const std::string role_master = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
const std::string role_replica = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n";

class Deaf final : public cascor::InvalidationSink {
 public:
  void on_up() noexcept override {}
  void on_key(std::string_view /*key*/) noexcept override {}
  void on_flush() noexcept override {}
  void on_down(const cascor::CacheError& /*why*/) noexcept override {}
  void on_refused(const cascor::CacheError& /*why*/) noexcept override {}
};

}  // namespace

// ---- redirects

TEST_CASE("A node that sends to itself is dialled anew and its map asked for, and is not asked for ever",
          "[cluster][hostile]") {
  OneNode node;
  RedisBackend client{std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{node.endpoint()})};
  REQUIRE(get(client) == "here");
  node.answer_get(slot_at("MOVED", node.port()));
  const int before = node.gets;
  const int maps = node.maps;
  const std::size_t dialled = node.connections();
  CHECK(get(client).starts_with("MOVED"));
  CHECK(node.gets - before <= 5);
  CHECK(node.connections() > dialled);
  CHECK(eventually([&] {  // not each time: the map is asked for every 50 ms at the most
    (void)get(client);
    return node.maps > maps;
  }));
  node.answer_get(bulk("here"));
  CHECK(get(client) == "here");
}

TEST_CASE("Of many keys those whose node refuses them are told with its words, and not for missing",
          "[cluster][hostile]") {
  OneNode node;
  RedisBackend client{std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{node.endpoint()})};
  node.answer_get("-NOPERM No permissions to access a key\r\n");
  const std::vector<std::string_view> keys{"a", "b"};  // of two slots
  for (const auto& answer : client.get_many(keys, in(10s))) {
    REQUIRE(answer.error);
    CHECK(answer.error->code() == cascor::ErrorCode::authentication);
  }
}

TEST_CASE("A node that takes over its first slot is kept while others send to it, and walked over",
          "[cluster][hostile]") {
  OneNode from;
  OneNode to;
  cascor::redis::RedisOptions options;
  options.max_connections = 6;
  Cluster* cluster = nullptr;
  RedisBackend client{[&] {
    auto all = std::make_unique<Cluster>(options, std::vector{from.endpoint()});
    cluster = all.get();
    return all;
  }()};
  std::atomic<int> told{0};
  cluster->when_masters_change([&told] { ++told; });
  from.answer_get(slot_at("ASK", to.port()));
  to.answer_get(bulk("there"));
  REQUIRE(get(client) == "there");
  REQUIRE(told == 2);
  CHECK(cluster->pool().max == 6);  // its share is of the others'
  for (int i = 0; i < 4; ++i) {
    const int maps = from.maps;
    REQUIRE(eventually([&] {
      cluster->look_again();
      CHECK(cluster->masters(in(10s)).servers.size() == 2);
      return from.maps > maps;
    }));
    CHECK(get(client) == "there");
  }
  CHECK(to.connections() == 1);
  CHECK(told == 2);
}

TEST_CASE(
    "A server that a node sends to and that goes away, with no slots, does not keep the others from being walked over",
    "[cluster][hostile]") {
  OneNode from;
  auto to = std::make_unique<OneNode>();
  Cluster* cluster = nullptr;
  RedisBackend client{[&] {
    auto all = std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{from.endpoint()});
    cluster = all.get();
    return all;
  }()};
  const auto asked = std::chrono::steady_clock::now();
  from.answer_get(slot_at("ASK", to->port()));
  REQUIRE(get(client) == "here");
  REQUIRE(cluster->masters(in(10s)).servers.size() == 2);
  to.reset();
  // Until the map may be asked for anew, which is what the walk's failure makes it do.
  REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - asked > 100ms; }));
  CHECK(client.erase_matching(
            "*", [](std::string_view) { return true; }, [] { return in(10s); }) == 0);
  CHECK(cluster->masters(in(10s)).servers.size() == 1);
}

TEST_CASE("A node that sends to ever new servers has the last of them remembered, and no more", "[cluster][hostile]") {
  constexpr int names = 100;
  std::atomic<int> sent{0};
  std::atomic<int> port{0};
  const ScriptedServer rogue{[&](ScriptedConnection& connection, std::size_t) {
    while (const auto command = connection.command()) {
      std::string answer = "+OK\r\n";
      if (command->front() == "CLUSTER") answer = whole_map(port);
      // Always itself, by another name each time.
      if (command->front() == "GET") {
        const int now = std::min(++sent, names);
        answer = "-MOVED 15495 127.0.0." + std::string(static_cast<std::size_t>(now), '0') +
                 "1:" + std::to_string(port) + "\r\n";
      }
      if (!connection.send(answer)) return;
    }
  }};
  port = rogue.port();
  const support::CapturedLog log;
  cascor::redis::RedisOptions options;
  options.random = [] { return std::uint64_t{0}; };  // no pauses
  auto all = std::make_unique<Cluster>(options, std::vector{endpoint_of(rogue.port())}, cascor::Log{log.sink()});
  Cluster& cluster = *all;
  RedisBackend client{std::move(all)};
  while (sent < names) REQUIRE(get(client).starts_with("MOVED"));
  CHECK(cluster.masters(in(10s)).servers.size() <= 1 + 64);
  CHECK(cluster.masters(in(10s)).servers.size() > 32);
  CHECK(cluster.pool().size <= 1 + 64);
  CHECK(log.count("WARNING: Redis Cluster: its nodes send to ever more servers that its map does not know") == 1);
}

// ---- messages, which any node takes

TEST_CASE("A message goes through another master while nobody has the slot that they go by, or its node is gone",
          "[cluster][hostile]") {
  OneNode node;
  int nobody = 0;
  {
    const ScriptedServer gone{ScriptedServer::answering({})};
    nobody = gone.port();
  }
  const auto range = [](const char* slots, int port) {
    return std::string{"*3\r\n"} + slots + "*2\r\n" + bulk("127.0.0.1") + ':' + std::to_string(port) + "\r\n";
  };
  const std::string rest = range(":1\r\n:16383\r\n", node.port());
  SECTION("without the slot") { node.answer_slots("*1\r\n" + rest); }
  SECTION("without its node") { node.answer_slots("*2\r\n" + range(":0\r\n:0\r\n", nobody) + rest); }
  Cluster cluster{{}, {node.endpoint()}};
  cascor::redis::Batch<> batch;
  batch.add({cascor::redis::Answer::integer}, "PUBLISH", "c", "a message");
  for (int i = 1; i <= 3; ++i) {
    cascor::Reply reply;
    cluster.run(batch, {&reply, 1}, {.repeat = cascor::redis::Repeat::unsafe}, in(10s));
    CHECK(reply.integer == 1);
    CHECK(node.messages == i);
  }
}

// ---- what is told of other servers

TEST_CASE("A map that cannot be is not believed, and costs no more than a call", "[cluster][hostile]") {
  OneNode node;
  const auto range = [](const std::string& first, const std::string& last, const std::string& host,
                        const std::string& port) {
    return "*3\r\n:" + first + "\r\n:" + last + "\r\n*2\r\n" + host + ':' + port + "\r\n";
  };
  std::string huge = "*16384\r\n";
  for (int i = 0; i < 16384; ++i) {
    huge += range(std::to_string(i), std::to_string(i), bulk("127.0.0.1"), std::to_string(1 + i));
  }
  const std::string here = std::to_string(node.port());
  for (const std::string& answer : {
           huge,
           "*1\r\n" + range("0", "16383", bulk("127.0.0.1"), "-6379"),
           "*1\r\n" + range("0", "16383", bulk("127.0.0.1"), "4294973675"),
           "*1\r\n" + range("-1", "16383", bulk("127.0.0.1"), here),
           "*1\r\n" + range("0", "9223372036854775807", bulk("127.0.0.1"), here),
           "*1\r\n" + range("0", "16383", bulk("?"), here),
           "*1\r\n" + range("0", "16383", bulk("\xff\xfe"), here),
           "*1\r\n" + range("0", "16383", bulk("a\nWARNING: b"), here),
           "*1\r\n" + range("0", "16383", bulk(std::string(256, 'a')), here),
           "*1\r\n" + range("0", "16383", "*0\r\n", "70000"),
           std::string{"*2147483647\r\n"},
           std::string{"*-2\r\n"},
           std::string{"*0\r\n"},
           std::string{"*-1\r\n"},
           "*1\r\n" + bulk("0-16383"),
           std::string{"+OK\r\n"},
           std::string{":1\r\n"},
       }) {
    CAPTURE(answer.substr(0, 80));
    node.answer_slots(answer);
    RedisBackend client{std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{node.endpoint()})};
    const std::string said = get(client, 2s);
    CAPTURE(said);
    CHECK(said != "here");
    CHECK(said.find('\n') == std::string::npos);
    CHECK(said.find('\xff') == std::string::npos);
  }
  SECTION("of ranges that overlap the last one counts, and an empty host is who said so") {
    node.answer_slots("*2\r\n" + range("0", "16383", bulk("127.0.0.1"), "1") + range("100", "16383", bulk(""), here));
    RedisBackend client{std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{node.endpoint()})};
    CHECK(get(client) == "here");
  }
  SECTION("a map that is known outlives a wrong one") {
    node.answer_slots({});
    auto all = std::make_unique<Cluster>(cascor::redis::RedisOptions{}, std::vector{node.endpoint()});
    Cluster& cluster = *all;
    RedisBackend client{std::move(all)};
    REQUIRE(get(client) == "here");
    node.answer_slots("*0\r\n");
    const int maps = node.maps;
    REQUIRE(eventually([&] {
      cluster.look_again();
      return get(client) == "here" && node.maps > maps;
    }));
    CHECK(get(client) == "here");
  }
}

TEST_CASE("A master that can be none is not dialled, and what is said of it is fit for the log",
          "[sentinel][hostile]") {
  for (const std::string& answer : {
           master_at("127.0.0.1", "-1"),
           master_at("127.0.0.1", "0"),
           master_at("127.0.0.1", "65536"),
           master_at("127.0.0.1", "6379 "),
           master_at("127.0.0.1", ""),
           master_at("", "6379"),
           master_at("?", "6379"),
           master_at("\xff\xfe", "6379"),
           master_at("a\nWARNING: b", "6379"),
           master_at(std::string(100'000, 'a'), "6379"),
           std::string{"*2147483647\r\n"},
           std::string{"*-1\r\n"},
           std::string{"*1\r\n*0\r\n"},
           std::string{"+OK\r\n"},
           std::string{"-\xff\n\r\n"},
       }) {
    CAPTURE(answer.substr(0, 80));
    const ScriptedServer server{sentinel_of(answer)};
    cascor::redis::MasterFinder<> finder{{}, {endpoint_of(server.port())}, "mymaster"};
    const std::string said = support::what_of<cascor::CacheError>([&] { (void)finder.find(in(2s)); });
    CHECK(said.size() > 10);
    CHECK(said.size() < 1000);
    CHECK(said.find('\n') == std::string::npos);
    CHECK(said.find('\xff') == std::string::npos);
  }
}

TEST_CASE("A Sentinel that names a master that is none, or is gone, does not keep one from what others know",
          "[sentinel][hostile]") {
  const ScriptedServer master{ScriptedServer::answering({{"ROLE", role_master}, {"GET", bulk("here")}})};
  const ScriptedServer replica{ScriptedServer::answering({{"ROLE", role_replica}, {"GET", bulk("old")}})};
  int nobody = 0;
  {
    const ScriptedServer gone{ScriptedServer::answering({})};
    nobody = gone.port();
  }
  for (const int wrong : {replica.port(), nobody}) {
    const ScriptedServer liar{sentinel_of(master_at("127.0.0.1", std::to_string(wrong)))};
    const ScriptedServer honest{sentinel_of(master_at("127.0.0.1", std::to_string(master.port())))};
    RedisBackend client{std::make_unique<cascor::redis::Sentinel<>>(
        cascor::redis::RedisOptions{}, std::vector{endpoint_of(liar.port()), endpoint_of(honest.port())}, "mymaster")};
    CHECK(get(client) != "old");
    CHECK(eventually([&] { return get(client) == "here"; }));
    for (int i = 0; i < 5; ++i) CHECK(get(client) == "here");
  }
}

// ---- what is under way when a server is replaced

TEST_CASE("Who is connecting to a server that is replaced meanwhile connects to the other one", "[sentinel][hostile]") {
  const support::BlackHole hole;
  const ScriptedServer server{ScriptedServer::answering({{"GET", bulk("here")}})};
  std::atomic<int> located{0};
  cascor::redis::RedisOptions options;
  options.locate = [&](cascor::Deadline) { return endpoint_of(++located == 1 ? hole.port() : server.port()); };
  Node node{options};
  cascor::redis::Batch<> batch;
  batch.add({cascor::redis::Answer::string}, "GET", "a");
  cascor::Reply reply;
  std::thread caller{[&] { node.run(batch, {&reply, 1}, {}, in(600s)); }};
  REQUIRE(eventually([&] { return located == 1; }));
  node.drop_connections();
  const bool in_time = eventually([&] { return server.connections() > 0; });
  CHECK(in_time);
  if (!in_time) node.stop();
  caller.join();
  CHECK(reply.text == "here");
  CHECK(located == 2);
}

TEST_CASE("A pool that is to be smaller closes what comes back, and one that may grow lets the waiting in",
          "[cluster][hostile]") {
  const ScriptedServer server{ScriptedServer::answering({{"GET", bulk("here")}})};
  cascor::redis::RedisOptions options;
  options.endpoint = endpoint_of(server.port());
  options.max_connections = 4;
  Node node{options};
  cascor::redis::Batch<> batch;
  batch.add({cascor::redis::Answer::string}, "GET", "a");
  std::vector<Node::Flight> flights;
  for (int i = 0; i < 4; ++i) flights.push_back(node.launch(batch, in(10s)));
  REQUIRE(node.pool().size == 4);
  node.set_most(2);
  cascor::Reply reply;
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(node.land(std::move(flights.back()), batch, {&reply, 1}, in(10s)).error);
    flights.pop_back();
  }
  CHECK(node.pool().size == 2);
  CHECK(node.pool().max == 2);
  flights.push_back(node.launch(batch, in(10s)));
  std::thread waiting{[&] { CHECK_FALSE(node.launch(batch, in(60s)).outcome.error); }};
  CHECK(eventually([&] { return node.pool().waiting == 1; }));
  node.set_most(3);
  waiting.join();
  CHECK(node.pool().size <= 3);
}

TEST_CASE("The links to a cluster that hangs are closed without waiting for it", "[cluster][hostile]") {
  OneNode node;
  cascor::redis::RedisOptions options;
  options.timeout = 600s;
  Cluster cluster{options, {node.endpoint()}};
  REQUIRE(cluster.masters(in(10s)).servers.size() == 1);
  Deaf deaf;
  cascor::redis::TrackingLink<>::Options each;
  each.redis = options;
  cascor::redis::ClusterLink<> link{each, cluster, deaf};
  node.hang();
  const int maps = node.maps;
  link.open();
  REQUIRE(eventually([&] { return node.maps > maps; }));
  const auto start = std::chrono::steady_clock::now();
  link.close();
  CHECK(std::chrono::steady_clock::now() - start < 900ms);  // a node has a second
}
