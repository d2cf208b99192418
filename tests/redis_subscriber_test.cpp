// The subscription connection: what it makes of the bytes it is sent, and how it behaves when its server does not.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/redis/pushes.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/subscriber.hpp"
#include "cascor/redis/topic_ledger.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_server.hpp"
#include "support/scripted_server.hpp"

using namespace std::chrono_literals;
using namespace support;
using namespace cascor::redis;
using cascor::Deadline;
using cascor::Reply;
using cascor::SystemClock;
using cascor::Topic;
using cascor::TopicKind;

namespace {

const Topic training{TopicKind::channel, "cascor:training"};
const Topic everything{TopicKind::pattern, "cascor:*"};

std::string array(const std::vector<std::string>& words) {
  std::string bytes = '*' + std::to_string(words.size()) + "\r\n";
  for (const auto& word : words) bytes += bulk(word);
  return bytes;
}
std::string confirmation(const std::string& command, const std::string& name, int count) {
  return "*3\r\n" + bulk(command) + bulk(name) + ':' + std::to_string(count) + "\r\n";
}

// Remembers what a bus tells, a line each.
class Sink final : public cascor::EventSink {
 public:
  void message(TopicKind kind, std::string_view name, std::string_view channel, std::string_view payload) override {
    add(std::string{kind == TopicKind::channel ? "message " : "pattern "}
            .append(name)
            .append(" ")
            .append(channel)
            .append(" ")
            .append(payload));
  }
  void gap(TopicKind /*kind*/, std::string_view name) override { add("gap " + std::string{name}); }
  std::size_t publish_here(std::string_view /*channel*/, std::string_view /*payload*/) override { return 0; }
  void add(std::string line) {
    const std::lock_guard lock{mutex_};
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock{mutex_};
    return lines_;
  }
  std::size_t count(const std::string& line) const {
    const auto all = lines();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), line));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

Reply confirmed(const std::string& command, const std::string& name) {
  ReplyReader<> reader;
  reader.feed(confirmation(command, name, 1));
  return *reader.next();
}
Reply error(const std::string& words) {
  Reply reply;
  reply.kind = Reply::Kind::error;
  reply.text = words;
  return reply;
}
Reply pong() {
  Reply reply;
  reply.kind = Reply::Kind::status;
  reply.text = "PONG";
  return reply;
}
using Heard = TopicLedger<>::Heard;

Deadline within(std::chrono::milliseconds time) { return Deadline{*SystemClock::shared(), time}; }

// A bus on one server.
class Bus {
 public:
  explicit Bus(Endpoint endpoint, std::chrono::milliseconds timeout = 20s, std::chrono::milliseconds ask_after = 20s,
               const std::string& user = {})
      : store_{options(endpoint, timeout, user)},
        bus_{{options(endpoint, timeout, user), ask_after, cascor::Log{log.sink()}}, &store_} {}
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;
  ~Bus() { bus_.stop(); }

  void subscribe(const Topic& topic, std::chrono::milliseconds time = 20s) {
    bus_.listen(sink, topic);
    bus_.await({&topic, 1}, within(time));
  }
  Subscriber<>& operator*() noexcept { return bus_; }
  Subscriber<>* operator->() noexcept { return &bus_; }

  Sink sink;
  CapturedLog log;

 private:
  static RedisOptions options(const Endpoint& endpoint, std::chrono::milliseconds timeout, const std::string& user) {
    RedisOptions options;
    options.endpoint = endpoint;
    options.timeout = timeout;
    options.random = [] { return std::uint64_t{5}; };
    options.username = user;
    if (!user.empty()) options.password = [] { return std::string{"secret"}; };
    return options;
  }
  RedisBackend<> store_;
  Subscriber<> bus_;
};
Endpoint at(int port) { return {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(port), .path = {}}; }

}  // namespace

// ---- what is decided without a server

TEST_CASE("each byte may come alone: messages and answers are told apart all the same") {
  const std::string large(40'000, 'x');
  const std::string all = confirmation("subscribe", "c", 1) + array({"message", "c", "one"}) +
                          array({"pmessage", "c*", "cd", "two\r\n*3\r\n"}) + array({"pong", ""}) +
                          array({"message", "c", ""}) + "-ERR words\r\n" + array({"message", "c", large}) + "*3\r\n" +
                          bulk("unsubscribe") + bulk("c") + ":0\r\n+PONG\r\n" + array({"message", "c", "end"});
  const std::vector<std::string> expected{"answer 3", "c: c one", "c*: cd two\r\n*3\r\n", "answer 2",
                                          "c: c ",    "answer 0", "c: c " + large,        "answer 3",
                                          "answer 0", "c: c end"};
  const auto taken_by = [&](std::size_t piece, std::size_t first) {
    ReplyReader<> reader;
    std::vector<std::string> taken;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = at == 0 ? first : piece;
      reader.feed(std::string_view{all}.substr(at, size));
      at += size;
      take_pushes(
          reader,
          [&](TopicKind, std::string_view topic, std::string_view channel, std::string_view payload) {
            taken.push_back(std::string{topic} + ": " + std::string{channel} + ' ' + std::string{payload});
          },
          [&](const Reply& reply) { taken.push_back("answer " + std::to_string(reply.elements.size())); });
    }
    return taken;
  };
  CHECK(taken_by(1, 1) == expected);
  for (std::size_t cut = 1; cut < 300; ++cut) REQUIRE(taken_by(all.size(), cut) == expected);
  for (const std::size_t piece : std::vector<std::size_t>{2, 3, 7, 16, 4096, 16384, 16385})
    REQUIRE(taken_by(piece, piece) == expected);
}

TEST_CASE("bytes that are no protocol are an error on a subscription too") {
  for (const char* const bytes : {"HTTP/1.1 400\r\n\r\n", "*2\r\n$-5\r\n\r\n", "$3\r\nabcd\r\n"}) {
    ReplyReader<> reader;
    reader.feed(bytes);
    CHECK_THROWS_AS(
        take_pushes(
            reader, [](TopicKind, std::string_view, std::string_view, std::string_view) {}, [](const Reply&) {}),
        cascor::ConnectionError);
  }
}

TEST_CASE("a topic is asked for on a new connection, and confirmed by its own answer only") {
  TopicLedger<> ledger;
  std::string out;
  ledger.want(training, out);
  CHECK(out.empty());  // there is no connection yet
  ledger.connected(out);
  CHECK(out == array({"subscribe", "cascor:training"}));
  out.clear();
  ledger.want(everything, out);
  CHECK(out == array({"psubscribe", "cascor:*"}));
  CHECK_FALSE(ledger.is_confirmed(training));
  CHECK(ledger.answer(confirmed("subscribe", "cascor:training")).kind == Heard::confirmed);
  CHECK(ledger.is_confirmed(training));
  CHECK_FALSE(ledger.is_confirmed(everything));
  CHECK_THROWS_AS(ledger.answer(confirmed("subscribe", "cascor:*")), cascor::ConnectionError);
}

TEST_CASE("what nothing asked for is an error, and so is an answer to something else") {
  TopicLedger<> ledger;
  std::string out;
  CHECK_THROWS_AS(ledger.answer(pong()), cascor::ConnectionError);
  CHECK_THROWS_AS(ledger.answer(error("ERR max number of clients reached")), cascor::ConnectionError);
  ledger.want(training, out);
  ledger.connected(out);
  CHECK_THROWS_AS(ledger.answer(pong()), cascor::ConnectionError);
  CHECK_THROWS_AS(ledger.answer(confirmed("subscribe", "another")), cascor::ConnectionError);
}

TEST_CASE("a topic that was confirmed before the connection was lost has a gap when it is confirmed again") {
  TopicLedger<> ledger;
  std::string out;
  ledger.want(training, out);
  ledger.want(everything, out);
  ledger.connected(out);
  for (int i = 0; i < 2; ++i) {  // in no order
    const bool first = out.find("$15") < out.find("cascor:*") ? i == 0 : i == 1;
    CHECK(
        ledger.answer(first ? confirmed("subscribe", training.name) : confirmed("psubscribe", everything.name)).kind ==
        Heard::confirmed);
  }
  ledger.disconnected();
  CHECK_FALSE(ledger.is_confirmed(training));
  ledger.unwant(everything, out);
  out.clear();
  ledger.connected(out);
  CHECK(out == array({"subscribe", "cascor:training"}));
  const auto heard = ledger.answer(confirmed("subscribe", "cascor:training"));
  CHECK(heard.kind == Heard::again);
  CHECK(heard.topic == training);
}

TEST_CASE("a topic that nobody waited for any more has a gap when it is confirmed, one that was waited for has none") {
  TopicLedger<> ledger;
  std::string out;
  ledger.want(training, out);
  ledger.connected(out);
  SECTION("late") {
    ledger.will_be_late(training);
    CHECK(ledger.answer(confirmed("subscribe", "cascor:training")).kind == Heard::again);
  }
  SECTION("in time") { CHECK(ledger.answer(confirmed("subscribe", "cascor:training")).kind == Heard::confirmed); }
}

TEST_CASE("a topic that is left and wanted anew is confirmed by its second answer") {
  TopicLedger<> ledger;
  std::string out;
  ledger.connected(out);
  ledger.want(training, out);
  ledger.unwant(training, out);
  ledger.want(training, out);
  CHECK(out == array({"subscribe", training.name}) + array({"unsubscribe", training.name}) +
                   array({"subscribe", training.name}));
  CHECK(ledger.answer(confirmed("subscribe", training.name)).kind == Heard::nothing);
  CHECK(ledger.answer(confirmed("unsubscribe", training.name)).kind == Heard::nothing);
  CHECK_FALSE(ledger.is_confirmed(training));
  CHECK(ledger.answer(confirmed("subscribe", training.name)).kind == Heard::confirmed);
}

TEST_CASE("a refusal is of one topic, names the right that is missing, and is asked about again") {
  TopicLedger<> ledger;
  std::string out;
  ledger.connected(out);
  ledger.want(training, out);
  ledger.want(everything, out);
  const std::string words = "NOPERM this user has no permissions to access one of the channels used as arguments";
  const auto heard = ledger.answer(error(words));
  CHECK(heard.kind == Heard::refused);
  CHECK(std::string{heard.why->what()} == words + " (to subscribe to cascor:training)");
  CHECK(heard.why->hint() ==
        "Grant the account the channel: ACL SETUSER name &cascor:training +subscribe +unsubscribe.");
  CHECK(heard.why->code() == cascor::ErrorCode::authentication);
  CHECK(ledger.answer(confirmed("psubscribe", everything.name)).kind == Heard::confirmed);
  CHECK(ledger.refusal(training) != nullptr);
  CHECK(ledger.refusal(everything) == nullptr);
  out.clear();
  ledger.ask_refused(out);
  CHECK(out == array({"subscribe", training.name}));
  CHECK(ledger.answer(error(words)).kind == Heard::nothing);  // told of once
  ledger.ask_refused(out);
  CHECK(ledger.answer(confirmed("subscribe", training.name)).kind == Heard::confirmed);
  CHECK(ledger.refusal(training) == nullptr);
}

// ---- with one

TEST_CASE("a subscription that was confirmed hears the next message") {
  RedisServer server;
  Bus bus{at(server.port())};
  bus.subscribe(training);
  bus.subscribe(everything);
  CHECK(bus->publish("cascor:training", "{}", within(20s)) == 2);
  CHECK(bus->publish("other", "{}", within(20s)) == 0);
  CHECK(eventually([&] { return bus.sink.lines().size() == 2; }));
  CHECK(bus.sink.count("message cascor:training cascor:training {}") == 1);
  CHECK(bus.sink.count("pattern cascor:* cascor:training {}") == 1);
  bus->unlisten(training);
  CHECK(eventually([&] { return server.raw("PUBSUB", "NUMSUB", "cascor:training").elements.at(1).integer == 0; }));
}

TEST_CASE("a server that drips its answers byte by byte is understood") {
  ScriptedServer server{[](ScriptedConnection& connection, std::size_t) {
    while (const auto command = connection.command()) {
      if (command->front() == "subscribe") {
        connection.drip(confirmation("subscribe", "c", 1) + array({"message", "c", "dripped"}), 1ms);
      } else if (!connection.send("+OK\r\n")) {
        return;
      }
    }
  }};
  Bus bus{at(server.port())};
  bus.subscribe({TopicKind::channel, "c"});
  CHECK(eventually([&] { return bus.sink.count("message c c dripped") == 1; }));
}

TEST_CASE("killed connections, the server's end and its return: it listens again, and tells of each gap") {
  RedisServer server;
  Bus bus{at(server.port())};
  bus.subscribe(training);
  for (std::size_t round = 1; round <= 5; ++round) {
    if (round % 2 == 1) {
      server.raw("CLIENT", "KILL", "TYPE", "pubsub");
    } else {
      server.kill();
      server.start();
    }
    REQUIRE(eventually([&] { return bus.sink.count("gap cascor:training") == round; }));
    REQUIRE(server.raw("PUBLISH", "cascor:training", std::to_string(round)).integer == 1);
    REQUIRE(eventually(
        [&] { return bus.sink.count("message cascor:training cascor:training " + std::to_string(round)) == 1; }));
  }
  CHECK(bus.log.count("INFO: Subscriptions wait for Redis: ") ==
        bus.log.count("INFO: Subscriptions to Redis restored: "));
}

TEST_CASE("a link that falls silent is noticed, and made anew") {
  RedisServer server;
  FaultProxy proxy{server};
  Bus bus{proxy.endpoint(), 20s, 100ms};
  bus.subscribe(training);
  proxy.choose([](std::size_t) { return Fault::pass(); });
  const auto before = proxy.connections();
  proxy.set(Fault::black_hole());
  REQUIRE(eventually([&] { return proxy.connections() > before; }));
  proxy.heal();
  proxy.sever();  // those that were made meanwhile
  REQUIRE(eventually([&] { return bus.sink.count("gap cascor:training") >= 1; }));
  REQUIRE(eventually([&] { return server.raw("PUBLISH", "cascor:training", "1").integer == 1; }));
  CHECK(eventually([&] { return bus.sink.count("message cascor:training cascor:training 1") == 1; }));
  CHECK(bus.log.mentions("the subscription connection is silent"));
}

TEST_CASE("a link on which nothing is published is kept, as it answers when it is asked") {
  RedisServer server;
  FaultProxy proxy{server};
  Bus bus{proxy.endpoint(), 20s, 20ms};
  bus.subscribe(training);
  const auto pings = [&] { return server.raw("INFO", "commandstats").text.find("cmdstat_ping"); };
  REQUIRE(eventually([&] { return pings() != std::string::npos; }));
  CHECK(proxy.connections() == 1);
  CHECK(bus.sink.lines().empty());
}

TEST_CASE("a subscription to a server that is not there says so, and is confirmed when it comes, with a gap") {
  RedisServer server;
  server.kill();
  Bus bus{at(server.port())};
  CHECK_THROWS_AS(bus.subscribe(training), cascor::ConnectionError);
  CHECK_THROWS_AS(bus.subscribe(everything), cascor::ConnectionError);
  server.start();
  CHECK(eventually([&] { return bus.sink.count("gap cascor:training") == 1; }));
  CHECK(eventually([&] { return bus.sink.count("gap cascor:*") == 1; }));
  CHECK(bus.log.count("INFO: Subscriptions wait for Redis: Error connecting to Redis on 127.0.0.1:") == 1);
}

TEST_CASE("waiting for a confirmation ends at the deadline") {
  ScriptedServer server{[](ScriptedConnection& connection, std::size_t) {
    while (const auto command = connection.command()) {
      if (command->front() != "subscribe" && !connection.send("+OK\r\n")) return;
    }
  }};
  Bus bus{at(server.port())};
  CHECK_THROWS_AS(bus.subscribe(training, 50ms), cascor::TimeoutError);
}

TEST_CASE("an account without the channel is told which right it lacks; other subscriptions go on") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&cascor:*", "+@all");
  Bus bus{at(server.port()), 20s, 50ms, "limited"};
  bus.subscribe(training);
  CHECK_THROWS_WITH(bus.subscribe({TopicKind::channel, "other"}),
                    Catch::Contains("NOPERM") && Catch::Contains("(to subscribe to other)"));
  CHECK_THROWS_AS(bus.subscribe({TopicKind::pattern, "*"}), cascor::AuthenticationError);
  bus.subscribe(everything);
  CHECK_THROWS_WITH(bus->publish("other", "1", within(20s)), Catch::Contains("(to publish on other)"));
  CHECK(bus->publish("cascor:training", "1", within(20s)) == 2);
  CHECK(eventually([&] { return bus.sink.count("message cascor:training cascor:training 1") == 1; }));
  // Granted later, it is confirmed without anybody asking for it.
  server.raw("ACL", "SETUSER", "limited", "&other");
  CHECK(eventually([&] { return server.raw("PUBLISH", "other", "2").integer == 1; }));
}

TEST_CASE("a publish whose answer is lost is not sent again") {
  std::atomic<int> published{0};
  ScriptedServer server{[&](ScriptedConnection& connection, std::size_t) {
    while (const auto command = connection.command()) {
      if (command->front() == "PUBLISH") {
        ++published;
        return;
      }
      if (!connection.send("+OK\r\n")) return;
    }
  }};
  Bus bus{at(server.port())};
  CHECK_THROWS_AS(bus->publish("c", "1", within(20s)), cascor::ConnectionError);
  CHECK(published == 1);
}

TEST_CASE("stop() ends a bus at once, whatever its server does") {
  ScriptedServer silent{[](ScriptedConnection& connection, std::size_t) { connection.listen_in_silence(); }};
  const auto took = time_of([&] {
    Bus bus{at(silent.port()), 60s};
    bus->listen(bus.sink, training);
    REQUIRE(eventually([&] { return silent.connections() == 1; }));
  });
  CHECK(took < 30s);
}
