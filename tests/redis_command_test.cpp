// Any command by its arguments: what is sent, what is refused, what goes alone, and what is sent twice.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/command_rules.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::Reply;
using cascor::redis::CommandRule;
using cascor::redis::RedisOptions;
using cascor::redis::Repeat;
using cascor::redis::rule_for;
using RedisBackend = cascor::redis::RedisBackend<>;
using Words = std::vector<std::string_view>;

namespace {

CommandRule rule_of(const Words& words) { return rule_for(words); }

// Answers what `answers` says for the name, one after the other, the last of them for good; an empty one closes.
class Answers {
 public:
  explicit Answers(std::vector<std::string> answers) : answers_{std::move(answers)} {}
  std::size_t asked() const { return asked_; }
  ScriptedServer& operator*() { return server_; }

 private:
  const std::vector<std::string> answers_;
  std::atomic<std::size_t> asked_{0};
  ScriptedServer server_{[this](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (command->front() == "CLIENT") {
        c.send("+OK\r\n");
        continue;
      }
      const std::string& answer = answers_[std::min<std::size_t>(asked_++, answers_.size() - 1)];
      if (answer.empty()) return;
      c.send(answer);
    }
  }};
};

RedisOptions without_waits(const ScriptedServer& server) {
  RedisOptions options = options_for(server);
  options.random = [] { return std::uint64_t{0}; };
  return options;
}

}  // namespace

TEST_CASE("a command is its arguments, byte for byte, and its answer is an owned value") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  const std::string key{"h\0 %s \r\n", 8};
  CHECK(backend.command(Words{"HSET", key, "field", "%s"}, in(10s)).integer == 1);
  const Reply all = backend.command(Words{"HGETALL", key}, in(10s));
  REQUIRE(all.kind == Reply::Kind::array);
  REQUIRE(all.elements.size() == 2);
  CHECK(all.elements[0].text == "field");
  CHECK(all.elements[1].text == "%s");
  CHECK(backend.command(Words{"GET", "nothing"}, in(10s)).is_nil());
}

TEST_CASE("an error reply to a command is a reply") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  const Reply reply = backend.command(Words{"HSET", "h"}, in(10s));
  CHECK(reply.is_error());
  CHECK_THAT(reply.text, Catch::StartsWith("ERR wrong number of arguments"));
}

TEST_CASE("what would change the connection for others is refused before anything is sent") {
  Answers server{{"+OK\r\n"}};
  RedisBackend backend{options_for(*server)};
  for (const auto& words : std::vector<Words>{{"SUBSCRIBE", "c"},
                                              {"psubscribe", "c*"},
                                              {"SSubscribe", "c"},
                                              {"UNSUBSCRIBE"},
                                              {"MONITOR"},
                                              {"MULTI"},
                                              {"EXEC"},
                                              {"DISCARD"},
                                              {"WATCH", "k"},
                                              {"UNWATCH"},
                                              {"SELECT", "1"},
                                              {"AUTH", "secret-word"},
                                              {"HELLO", "3"},
                                              {"RESET"},
                                              {"QUIT"},
                                              {"CLIENT", "REPLY", "OFF"},
                                              {"client", "tracking", "ON"},
                                              {"CLIENT", "SETNAME", "x"},
                                              {"CLIENT", "NO-EVICT", "on"},
                                              {"SCRIPT", "DEBUG", "YES"},
                                              {"READONLY"},
                                              {"SYNC"},
                                              {}}) {
    CAPTURE(words);
    const auto seen = error_of<cascor::DataError>([&] { (void)backend.command(words, in(10s)); });
    CHECK_THAT(seen.what, Catch::EndsWith(words.empty() ? "a command without a name"
                                                        : " would change a connection that other calls use"));
    CHECK_FALSE(seen.hint.empty());
    CHECK(seen.what.find("secret-word") == std::string::npos);
  }
  CHECK(server.asked() == 0);
  CHECK_NOTHROW(backend.command(Words{"CLIENT", "LIST"}, in(10s)));
}

TEST_CASE("reads and writes that only set a state may be sent twice, what adds may not, nor what is not known") {
  for (const auto& words : std::vector<Words>{{"GET", "k"},
                                              {"get", "k"},
                                              {"MGET", "a", "b"},
                                              {"SCAN", "0"},
                                              {"PTTL", "k"},
                                              {"EXISTS", "k"},
                                              {"SET", "k", "v"},
                                              {"SET", "NX", "NX", "EX", "5", "XX"},
                                              {"UNLINK", "k"},
                                              {"DEL", "k"},
                                              {"HGETALL", "h"},
                                              {"PEXPIRE", "k", "5"},
                                              {"SADD", "s", "m"},
                                              {"CONFIG", "GET", "x"},
                                              {"XREAD", "STREAMS", "s", "0"}}) {
    CAPTURE(words);
    CHECK(rule_of(words).repeat == Repeat::safe);
  }
  for (const auto& words : std::vector<Words>{{"INCR", "k"},
                                              {"LPUSH", "l", "v"},
                                              {"PUBLISH", "c", "m"},
                                              {"XADD", "s", "*", "f", "v"},
                                              {"EVAL", "x", "0"},
                                              {"SET", "k", "v", "nx"},
                                              {"SET", "k", "v", "PX", "5", "GET"},
                                              {"SET", "k", "v", "IFEQ", "w"},
                                              {"EXPIRE", "k", "5", "NX"},
                                              {"GETDEL", "k"},
                                              {"CONFIG", "SET", "x", "y"},
                                              {"NOSUCH"},
                                              {"GE"},
                                              {"T"},
                                              {" GET"},
                                              {"GET STRLEN"},
                                              {""},
                                              {"SPOP", "s"},
                                              {std::string_view{"GET\0", 4}, "k"}}) {
    CAPTURE(words);
    CHECK(rule_of(words).repeat == Repeat::unsafe);
  }
}

TEST_CASE("what is quick may share a connection; what waits, may answer much or is not known has one of its own") {
  for (const auto& words : std::vector<Words>{{"GET", "k"}, {"incr", "k"}, {"HGET", "h", "f"}, {"PUBLISH", "c", "m"}}) {
    CAPTURE(words);
    CHECK(rule_of(words).may_share);
  }
  for (const auto& words : std::vector<Words>{{"BLPOP", "l", "0"},
                                              {"BRPOP", "l", "0"},
                                              {"BLMOVE", "a", "b", "LEFT", "LEFT", "0"},
                                              {"WAIT", "1", "0"},
                                              {"XREAD", "BLOCK", "0", "STREAMS", "s", "$"},
                                              {"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0"},
                                              {"BZPOPMIN", "z", "0"},
                                              {"HGETALL", "h"},
                                              {"KEYS", "*"},
                                              {"LRANGE", "l", "0", "-1"},
                                              {"EVAL", "x", "0"},
                                              {"NOSUCH"}}) {
    CAPTURE(words);
    CHECK_FALSE(rule_of(words).may_share);
  }
}

TEST_CASE("a blocking command waits on a connection of its own, and the next call gets no answer of it") {
  RedisServer server;
  RedisOptions options = options_for(server);
  options.max_connections = 2;
  RedisBackend backend{options};
  server.raw("SET", "k", "v");
  std::atomic<bool> got{false};
  std::thread waits{[&] {
    const Reply reply = backend.command(Words{"BLPOP", "list", "0"}, in(60s));
    got = reply.elements.size() == 2 && reply.elements[1].text == "element";
  }};
  REQUIRE(eventually([&] { return server.info("blocked_clients") == "1"; }));
  for (int i = 0; i < 20; ++i) CHECK(backend.get("k", in(10s)).bytes == "v");
  CHECK_THROWS_AS(backend.command(Words{"BLPOP", "nothing", "0"}, in(20ms)), cascor::TimeoutError);
  server.raw("RPUSH", "nothing", "late");
  CHECK(backend.get("k", in(10s)).bytes == "v");
  server.raw("RPUSH", "list", "element");
  waits.join();
  CHECK(got);
  CHECK(backend.get("k", in(10s)).bytes == "v");
}

TEST_CASE("a command that was cut off is sent again if that is safe, and only then") {
  SECTION("safe") {
    Answers server{{"", "$1\r\nv\r\n"}};
    RedisBackend backend{without_waits(*server)};
    CHECK(backend.command(Words{"GET", "k"}, in(10s)).text == "v");
    CHECK(server.asked() == 2);
  }
  SECTION("not") {
    Answers server{{"", ":1\r\n"}};
    RedisBackend backend{without_waits(*server)};
    CHECK_THROWS_AS(backend.command(Words{"INCR", "k"}, in(10s)), cascor::ConnectionError);
    CHECK(server.asked() == 1);
  }
  SECTION("increment") {
    Answers server{{"", "$1\r\n1\r\n"}};
    RedisBackend backend{without_waits(*server)};
    CHECK_THROWS_AS(backend.increment("k", 1, cascor::no_expiry, in(10s)), cascor::ConnectionError);
    CHECK(server.asked() == 1);
  }
}

TEST_CASE("a reply that proves that nothing was run is tried again, for any command, and reported if it stays") {
  const std::string reply = GENERATE("LOADING Redis is loading the dataset in memory", "MASTERDOWN Link is down",
                                     "CLUSTERDOWN The cluster is down", "TRYAGAIN later", "BUSY running a script",
                                     "READONLY You can't write against a read only replica.");
  CAPTURE(reply);
  SECTION("it passes") {
    Answers server{{"-" + reply + "\r\n", "-" + reply + "\r\n", ":7\r\n"}};
    RedisBackend backend{without_waits(*server)};
    CHECK(backend.command(Words{"INCR", "k"}, in(10s)).integer == 7);
    CHECK(server.asked() == 3);
    CHECK(backend.stats().retries == 2);
    CHECK((*server).connections() == (reply.starts_with("READONLY") ? 3 : 1));
  }
  SECTION("it stays") {
    Answers server{{"-" + reply + "\r\n"}};
    RedisBackend backend{without_waits(*server)};
    CHECK(backend.command(Words{"INCR", "k"}, in(10s)).text == reply);
    CHECK(server.asked() == 3);
    CHECK_THROWS_AS(backend.increment("k", 1, cascor::no_expiry, in(10s)), cascor::ResponseError);
  }
}

TEST_CASE("a reply that somebody has to act on is reported at once") {
  const std::string reply = GENERATE("MOVED 1 127.0.0.1:1", "ASK 1 127.0.0.1:1", "OOM command not allowed",
                                     "NOSCRIPT x", "EXECABORT Transaction discarded", "WRONGTYPE Operation");
  Answers server{{"-" + reply + "\r\n"}};
  RedisBackend backend{without_waits(*server)};
  CHECK(backend.command(Words{"INCR", "k"}, in(10s)).text == reply);
  CHECK(server.asked() == 1);
}

TEST_CASE("of several commands none that was run is run again because another was not") {
  // SET … NX: the first was run, the second was not.
  std::atomic<int> sets{0};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (command->front() == "SET") ++sets;
      c.send(command->front() == "SET" && command->at(1) == "b" ? "-LOADING x\r\n" : "+OK\r\n");
    }
  }};
  RedisBackend backend{without_waits(server)};
  const std::vector<cascor::StoreEntry> entries{{"a", "1", cascor::no_expiry, cascor::OnlyIf::absent},
                                                {"b", "2", cascor::no_expiry, cascor::OnlyIf::absent}};
  const auto outcomes = backend.set_many(entries, in(10s));
  CHECK(outcomes[0].stored);
  CHECK(outcomes[1].error);
  CHECK(sets == 2);
}
