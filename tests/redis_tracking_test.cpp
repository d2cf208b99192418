// The link on which the server says what changed: what it tells, when it is up, and what becomes of it when it is lost,
// silent or refused.
#include "cascor/redis/tracking.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <string>
#include <vector>

#include "support/eventually.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_client.hpp"
#include "support/redis_server.hpp"
#include "support/scripted_server.hpp"

using namespace std::chrono_literals;
using namespace support;
using namespace cascor::redis;
using cascor::CacheError;
using cascor::LinkState;
using cascor::TimePoint;
using Rules = TrackingRules<>;
using Link = TrackingLink<>;

namespace {

// What was told, as words.
class Told final : public cascor::InvalidationSink {
 public:
  void on_up() noexcept override { add("up"); }
  void on_key(std::string_view key) noexcept override { add(std::string{key}); }
  void on_flush() noexcept override { add("flush"); }
  void on_down(const CacheError& why) noexcept override {
    add("down");
    const std::lock_guard lock{mutex_};
    why_ = why.what();
  }
  void on_refused(const CacheError& why) noexcept override {
    add("refused");
    const std::lock_guard lock{mutex_};
    why_ = why.what();
  }
  std::size_t count(const std::string& what) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::count(all_.begin(), all_.end(), what));
  }
  bool has(const std::string& what) const { return count(what) > 0; }
  std::string why() const {
    const std::lock_guard lock{mutex_};
    return why_;
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return all_;
  }

 private:
  void add(std::string what) {
    const std::lock_guard lock{mutex_};
    all_.push_back(std::move(what));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
  std::string why_;
};

Link::Options link_options(RedisOptions redis) {
  Link::Options options;
  options.redis = std::move(redis);
  options.redis.random = [] { return std::uint64_t{5}; };
  options.prefixes = {"cascor:metrics:", "cascor:topology:"};
  options.other_channel = "cascor:invalidate";
  return options;
}
RedisOptions through(const FaultProxy& proxy) {
  RedisOptions options;
  options.endpoint = proxy.endpoint();
  return options;
}
bool eventually_told(const Told& told, const std::string& what, std::size_t times = 1) {
  return eventually([&] { return told.count(what) >= times; });
}

cascor::Reply message(cascor::Reply payload) {
  cascor::Reply reply;
  reply.kind = cascor::Reply::Kind::array;
  for (const auto* word : {"message", "__redis__:invalidate"}) {
    reply.elements.push_back({cascor::Reply::Kind::string, 0, word, {}});
  }
  reply.elements.push_back(std::move(payload));
  return reply;
}

}  // namespace

TEST_CASE("a message tells keys by an array and a flush by nil; what anybody can publish there tells nothing") {
  using Kind = cascor::Reply::Kind;
  CHECK(Rules::heard(message({Kind::array, 0, {}, {{Kind::string, 0, "k", {}}}})) == Heard::keys);
  CHECK(Rules::heard(message({Kind::nil, 0, {}, {}})) == Heard::flush);
  CHECK(Rules::heard(message({Kind::string, 0, "cascor:metrics:a", {}})) == Heard::nothing);
  CHECK(Rules::heard({Kind::array, 0, {}, {{Kind::string, 0, "pong", {}}, {Kind::string, 0, "", {}}}}) ==
        Heard::nothing);
  CHECK(Rules::heard({Kind::error, 0, "NOPERM", {}}) == Heard::nothing);
}

TEST_CASE("a silent link is asked, and counts as gone when it does not answer; any byte is an answer") {
  const TimePoint start{1h};
  SilenceWatch watch{100ms, 200ms, start};
  using Todo = SilenceWatch::Todo;
  CHECK(watch.todo(start + 99ms) == Todo::wait);
  CHECK(watch.patience_left(start + 30ms) == 70ms);
  CHECK(watch.todo(start + 100ms) == Todo::ask);
  CHECK(watch.patience_left(start + 150ms) == 1ms);
  watch.asked(start + 100ms);
  CHECK(watch.todo(start + 299ms) == Todo::wait);
  CHECK(watch.patience_left(start + 200ms) == 100ms);
  CHECK(watch.todo(start + 300ms) == Todo::give_up);
  watch.heard(start + 300ms);
  CHECK(watch.todo(start + 350ms) == Todo::wait);
  CHECK(watch.todo(start + 400ms) == Todo::ask);
}

TEST_CASE("a link tells of writes, removals, new TTLs and expiry under its prefixes, and of nothing else") {
  RedisServer server;
  Told told;
  Link link{link_options(options_for(server)), told};
  CHECK(link.state() == LinkState::unopened);
  CHECK(server.clients() == 0);
  link.open();
  REQUIRE(eventually_told(told, "up"));
  CHECK(link.state() == LinkState::up);
  server.raw("SET", "cascor:control:a", "1");
  server.raw("SET", "cascor:metrics:a", "1");
  REQUIRE(eventually_told(told, "cascor:metrics:a"));
  server.raw("PEXPIRE", "cascor:metrics:a", "100000");
  REQUIRE(eventually_told(told, "cascor:metrics:a", 2));
  server.raw("UNLINK", "cascor:metrics:a");
  REQUIRE(eventually_told(told, "cascor:metrics:a", 3));
  server.raw("SET", "cascor:topology:b", "1", "PX", "10");
  REQUIRE(eventually_told(told, "cascor:topology:b", 2));
  server.raw("MSET", "cascor:metrics:1", "1", "cascor:metrics:2", "1", "cascor:x", "1");
  REQUIRE(eventually_told(told, "cascor:metrics:2"));
  CHECK(told.has("cascor:metrics:1"));
  server.raw("FLUSHALL");
  REQUIRE(eventually_told(told, "flush"));
  CHECK_FALSE(told.has("cascor:control:a"));
  CHECK_FALSE(told.has("cascor:x"));
  CHECK(told.all().front() == "up");
  link.close();
  CHECK(eventually([&] { return server.clients() == 0; }));
}

TEST_CASE("a link that is killed is told to be down, and comes up again by itself") {
  RedisServer server;
  Told told;
  Link link{link_options(options_for(server)), told};
  link.open();
  for (std::size_t round = 1; round <= 5; ++round) {
    REQUIRE(eventually_told(told, "up", round));
    server.raw("SET", "cascor:metrics:" + std::to_string(round), "1");
    REQUIRE(eventually_told(told, "cascor:metrics:" + std::to_string(round)));
    server.raw("CLIENT", "KILL", "TYPE", "pubsub");
    REQUIRE(eventually_told(told, "down", round));
  }
  REQUIRE(eventually_told(told, "up", 6));
}

TEST_CASE("a link that falls silent is down after its patience, whatever the operating system says of it") {
  RedisServer server;
  FaultProxy proxy{server};
  auto options = link_options(through(proxy));
  options.ask_after = 20ms;
  options.patience = 500ms;
  options.redis.timeout = 500ms;
  Told told;
  Link link{std::move(options), told};
  link.open();
  REQUIRE(eventually_told(told, "up"));
  (void)eventually([] { return false; }, 200ms);  // asked often, and answered
  CHECK_FALSE(told.has("down"));
  proxy.set(Fault::mute());
  REQUIRE(eventually_told(told, "down"));
  CHECK(link.state() == LinkState::connecting);
  proxy.heal();
  REQUIRE(eventually_told(told, "up", 2));
  server.raw("SET", "cascor:metrics:a", "1");
  CHECK(eventually_told(told, "cascor:metrics:a"));
}

TEST_CASE("a link is not dialled while there is no server to dial, and at once when there is") {
  RedisServer server;
  std::atomic<bool> may{false};
  std::atomic<int> asked{0};
  auto options = link_options(options_for(server));
  options.redis.random = [] { return ~std::uint64_t{0}; };
  options.may_dial = [&] {
    ++asked;
    return may.load();
  };
  Told told;
  Link link{std::move(options), told};
  link.open();
  REQUIRE(eventually([&] { return asked >= 2; }));
  CHECK(told.all().empty());
  may = true;
  link.nudge();
  CHECK(eventually_told(told, "up"));
}

TEST_CASE("an account without Redis's own channel is served through another one that it has") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "near", "on", "nopass", "~cascor:*", "resetchannels", "&cascor:*", "+@all");
  auto options = link_options(options_for(server));
  options.redis.username = "near";
  Told told;
  Link link{std::move(options), told};
  link.open();
  REQUIRE(eventually_told(told, "up"));
  server.raw("PUBLISH", "cascor:invalidate", "cascor:metrics:forged");
  server.raw("SET", "cascor:metrics:a", "1");
  REQUIRE(eventually_told(told, "cascor:metrics:a"));
  CHECK_FALSE(told.has("cascor:metrics:forged"));
}

TEST_CASE("an account or a server that cannot track is refused once, for good, in the server's words") {
  RedisServer server;
  auto options = link_options(options_for(server));
  std::string words = "NOPERM";
  SECTION("no channel") {
    server.raw("ACL", "SETUSER", "near", "on", "nopass", "~cascor:*", "resetchannels", "+@all");
    words = "NOPERM this user has no permissions to access one of the channels";
  }
  SECTION("no CLIENT TRACKING") {
    server.raw("ACL", "SETUSER", "near", "on", "nopass", "~cascor:*", "&*", "+@all", "-client|tracking");
    words = "NOPERM this user has no permissions to run the 'client|tracking' command";
  }
  SECTION("no CLIENT at all") {
    server.raw("ACL", "SETUSER", "near", "on", "nopass", "~cascor:*", "&*", "+@all", "-client");
  }
  options.redis.username = "near";
  Told told;
  Link link{std::move(options), told};
  link.open();
  REQUIRE(eventually_told(told, "refused"));
  CHECK(link.state() == LinkState::refused);
  CHECK_THAT(told.why(), Catch::StartsWith(words));
  CHECK(eventually([&] { return server.clients() == 0; }));
  link.open();
  CHECK(told.all() == std::vector<std::string>{"refused"});
}

TEST_CASE("a server that does not know tracking refuses it; one that is loading does not") {
  std::atomic<bool> loading{true};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (loading) {
        c.send("-LOADING Redis is loading the dataset in memory\r\n");
      } else if (command->at(1) == "ID") {
        c.send(":7\r\n");
      } else {
        c.send("-ERR Unknown subcommand or wrong number of arguments\r\n");
      }
    }
  }};
  Told told;
  Link link{link_options(options_for(server)), told};
  link.open();
  REQUIRE(eventually_told(told, "down", 3));
  CHECK_FALSE(told.has("refused"));
  loading = false;
  CHECK(eventually_told(told, "refused"));
}

TEST_CASE("bytes that are no protocol take a link down, not the program") {
  std::atomic<bool> broken{true};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (command->front() == "SUBSCRIBE") {
        c.send("*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n");
        if (broken) c.send("*2147483647\r\n*-7\r\n");
      } else {
        c.send(command->at(1) == "ID" ? ":7\r\n" : "+OK\r\n");
      }
    }
  }};
  Told told;
  Link link{link_options(options_for(server)), told};
  link.open();
  REQUIRE(eventually_told(told, "down", 2));
  broken = false;
  const auto ups = told.count("up");
  CHECK(eventually_told(told, "up", ups + 1));
}

TEST_CASE("closing ends a link in every state at once, and nothing is told afterwards") {
  RedisServer server;
  FaultProxy proxy{server};
  Told told;
  auto options = link_options(through(proxy));
  options.redis.timeout = 100s;
  options.patience = 100s;
  SECTION("unopened") {}
  SECTION("up, opened by many threads at once") {}
  SECTION("dialling a black hole") { proxy.set(Fault::black_hole()); }
  SECTION("nobody there") { proxy.set(Fault::refuse()); }
  Link link{std::move(options), told};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 100; ++j) link.open();
    });
  }
  for (auto& thread : threads) thread.join();
  (void)eventually([&] { return told.has("up") || told.has("down"); }, 100ms);
  CHECK(time_of([&] { link.close(); }) < soon);
  const auto before = told.all();
  server.raw("SET", "cascor:metrics:late", "1");
  link.nudge();
  link.open();
  CHECK(told.all() == before);
  CHECK(eventually([&] { return server.clients() == 0; }));
}
