// Keys and values on a real server: what each call does there, in how many round trips, and what it counts.
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/redis_client.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::StoreEntry;
using RedisBackend = cascor::redis::RedisBackend<>;
using cascor::redis::RedisOptions;

namespace {

using Keys = std::vector<std::string_view>;

const auto any_key = [](std::string_view) { return true; };
cascor::Deadline next_deadline() { return in(30s); }

std::size_t erase_matching(RedisBackend& backend, const std::string& pattern,
                           const std::function<bool(std::string_view)>& may_erase = any_key) {
  return backend.erase_matching(pattern, may_erase, next_deadline);
}

std::vector<std::string> numbered(const std::string& prefix, std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

void fill(RedisServer& server, const std::vector<std::string>& keys) {
  std::vector<std::string> command{"MSET"};
  for (const auto& key : keys) command.insert(command.end(), {key, "v"});
  REQUIRE(server.raw(command).text == "OK");
}

// A call that shares no connection with others: it asks for too much.
void call_alone(RedisBackend& backend) {
  const auto names = numbered("nothing:", 20);
  (void)backend.get_many(Keys{names.begin(), names.end()}, in(30s));
}

// How many commands of that name the server has run.
std::size_t calls_of(RedisServer& server, const std::string& command) {
  const std::string stats = server.info("cmdstat_" + command);  // "calls=3,usec=…"
  return stats.empty() ? 0 : std::stoul(stats.substr(6));
}

}  // namespace

TEST_CASE("what is set is there, byte for byte, with its expiry in milliseconds") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  const std::string key{"k\0\r\n*%s \xff", 10};
  const std::string value{"\0\r\n$-1\r\n\xff", 10};
  const std::vector<StoreEntry> entries{{key, value, 12'345ms}, {"empty", "", cascor::no_expiry}};
  for (const auto& outcome : backend.set_many(entries, in(10s))) CHECK(outcome.stored);
  CHECK(server.raw("GET", key).text == value);
  const auto left = server.raw("PTTL", key).integer;
  CHECK(left <= 12'345);
  CHECK(left > 12'345 - 10'000);
  CHECK(server.raw("PTTL", "empty").integer == -1);

  CHECK(backend.get(key, in(10s)).bytes == value);
  CHECK(backend.get("empty", in(10s)).bytes == "");
  CHECK_FALSE(backend.get("nothing", in(10s)).bytes);
  CHECK(backend.contains(key, in(10s)));
  CHECK_FALSE(backend.contains("nothing", in(10s)));
  CHECK(backend.erase_many(Keys{key, "nothing", key}, in(10s)) == 1);
  CHECK_FALSE(backend.contains(key, in(10s)));
}

TEST_CASE("an overwritten value loses the expiry of the one before it") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  backend.set_many(std::vector<StoreEntry>{{"k", "1", 1h}}, in(10s));
  backend.set_many(std::vector<StoreEntry>{{"k", "2", cascor::no_expiry}}, in(10s));
  CHECK(server.raw("PTTL", "k").integer == -1);
}

TEST_CASE("get_many answers in the order asked, over several commands, with repeats and gaps") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  const auto names = numbered("k", 1'300);
  std::vector<StoreEntry> entries;
  for (std::size_t i = 0; i < names.size(); i += 2) entries.push_back({names[i], names[i], 1h});
  backend.set_many(entries, in(10s));
  Keys wanted{names.rbegin(), names.rend()};
  wanted.push_back(names[4]);
  wanted.push_back(names[4]);

  const auto before = calls_of(server, "mget");
  const auto answers = backend.get_many(wanted, in(10s));
  CHECK(calls_of(server, "mget") - before == 3);
  REQUIRE(answers.size() == wanted.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t number = names.size() - 1 - i;
    REQUIRE(answers[i].bytes == (number % 2 == 0 ? std::optional{names[number]} : std::nullopt));
    REQUIRE_FALSE(answers[i].error);
  }
  CHECK(answers[1'300].bytes == "k4");
  CHECK(answers[1'301].bytes == "k4");
  CHECK(backend.get_many(Keys{}, in(10s)).empty());
  CHECK(backend.set_many({}, in(10s)).empty());
  CHECK(backend.erase_many(Keys{}, in(10s)) == 0);
}

TEST_CASE("set_many takes more entries, and more bytes, than one pipeline holds") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  const auto names = numbered("k", 1'500);
  const std::string large(300'000, 'x');
  std::vector<StoreEntry> entries;
  for (std::size_t i = 0; i < names.size(); ++i) entries.push_back({names[i], i % 100 == 0 ? large : names[i], 1h});
  const auto outcomes = backend.set_many(entries, in(30s));
  REQUIRE(outcomes.size() == names.size());
  CHECK(std::all_of(outcomes.begin(), outcomes.end(), [](const auto& outcome) { return outcome.stored; }));
  CHECK(server.raw("DBSIZE").integer == 1'500);
  const auto answers = backend.get_many(Keys{names.begin(), names.end()}, in(30s));
  for (std::size_t i = 0; i < names.size(); ++i) REQUIRE(answers[i].bytes == (i % 100 == 0 ? large : names[i]));
}

TEST_CASE("a value of many megabytes goes there and comes back") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  std::string large(40'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4'096) large[i] = static_cast<char>(i / 4'096);
  backend.set_many(std::vector<StoreEntry>{{"large", large, cascor::no_expiry}}, in(60s));
  CHECK((backend.get("large", in(60s)).bytes == large));
}

TEST_CASE("a key that holds no string is an error of its own to GET, and nothing to MGET") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  server.raw("RPUSH", "list", "a");
  server.raw("SET", "text", "b");
  const auto answer = backend.get("list", in(10s));
  REQUIRE(answer.error);
  CHECK(answer.error->what() == std::string{"WRONGTYPE Operation against a key holding the wrong kind of value"});
  CHECK_THAT(answer.error->hint(), Catch::Contains("another program uses it"));
  const auto answers = backend.get_many(Keys{"list", "text"}, in(10s));
  CHECK_FALSE(answers[0].bytes);
  CHECK(answers[1].bytes == "b");
  CHECK(backend.erase_many(Keys{"list"}, in(10s)) == 1);
}

TEST_CASE("erase_matching removes what matches and may go, and says how many went") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  fill(server, numbered("cascor:metrics:epoch_", 2'500));
  fill(server, {"cascor:run:1", "other:metrics:epoch_1", "cascor:metrics:latest"});
  const auto may_erase = [](std::string_view key) { return !key.starts_with("cascor:run:"); };
  CHECK(erase_matching(backend, "cascor:metrics:epoch_1??", may_erase) == 100);
  CHECK(erase_matching(backend, "cascor:*", may_erase) == 2'401);
  CHECK(server.raw("DBSIZE").integer == 2);
  CHECK(erase_matching(backend, "cascor:*", may_erase) == 0);
}

TEST_CASE("a pattern that is one key is one command, escapes resolved") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  const std::string strange = "cascor:strange [*?]\\ key";
  fill(server, {strange, "cascor:strange x\\ key", "cascor:kept"});
  CHECK(erase_matching(backend, cascor::glob_escape(strange)) == 1);
  CHECK(erase_matching(backend, cascor::glob_escape(strange)) == 0);
  CHECK(erase_matching(backend, "cascor:kept", [](std::string_view) { return false; }) == 0);
  CHECK(calls_of(server, "scan") == 0);
  CHECK(server.raw("DBSIZE").integer == 2);
}

TEST_CASE("what erase_matching counts is right while others write and delete") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  constexpr std::size_t count = 20'000;
  const auto names = numbered("cascor:metrics:", count);
  fill(server, names);
  std::atomic<bool> done{false};
  std::atomic<std::size_t> deleted{0};
  std::thread others{[&] {
    in_threads(2, [&](std::size_t thread) {
      RedisBackend mine{options_for(server)};
      std::mt19937 random{static_cast<unsigned>(thread)};
      for (std::size_t i = 0; !done; ++i) {
        if (thread == 0) {  // deletes some of the same
          const std::string_view key = names[random() % count];
          deleted += mine.erase_many({&key, 1}, in(30s));
        } else {  // makes the table grow and shrink under the scan
          const auto burst = numbered("elsewhere:" + std::to_string(i % 7) + ':', 300);
          std::vector<StoreEntry> entries;
          for (const auto& name : burst) entries.push_back({name, "v", cascor::no_expiry});
          mine.set_many(entries, in(30s));
          if (i % 5 == 0) mine.erase_many(Keys{burst.begin(), burst.end()}, in(30s));
        }
      }
    });
  }};
  const std::size_t erased = erase_matching(backend, "cascor:metrics:*");
  done = true;
  others.join();
  CHECK(erased + deleted == count);
  CHECK(erase_matching(backend, "cascor:metrics:*") == 0);
}

TEST_CASE("an idle connection that the server closed costs the caller nothing") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  backend.set_many(std::vector<StoreEntry>{{"k", "v", 1h}}, in(10s));
  for (int i = 0; i < 20; ++i) {
    server.raw("CLIENT", "KILL", "TYPE", "normal");
    CHECK(backend.get("k", in(10s)).bytes == "v");
  }
  server.kill();
  server.start();
  CHECK_FALSE(backend.get("k", in(10s)).bytes);
}

TEST_CASE("however many idle connections the server closed, the caller notices nothing") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  server.raw("SET", "k", "v");
  server.pause();
  std::thread callers{[&] { in_threads(8, [&](std::size_t) { call_alone(backend); }); }};
  CHECK(eventually([&] { return backend.pool().in_use == 8; }));
  server.resume();
  callers.join();
  REQUIRE(backend.pool().size == 8);
  server.raw("CLIENT", "KILL", "TYPE", "normal");
  CHECK(backend.get("k", in(10s)).bytes == "v");
}

TEST_CASE("when something on the way has forgotten the idle connections, one call times out and the next dials") {
  std::atomic<bool> forgotten{false};
  std::atomic<std::size_t> waiting{0};
  std::string nils;
  for (int i = 0; i < 20; ++i) nils += "$-1\r\n";
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t number) {
    while (const auto command = c.command()) {
      if (forgotten && number < 4) return c.ignore();
      if (command->front() == "GET") {
        c.send("$1\r\nv\r\n");
      } else if (command->front() == "MGET") {
        if (++waiting < 4) (void)eventually([&] { return waiting >= 4; });
        c.send("*20\r\n" + nils);
      } else {
        c.send("+OK\r\n");
      }
    }
  }};
  RedisBackend backend{options_for(server)};
  in_threads(4, [&](std::size_t) { call_alone(backend); });  // four at once: four connections
  REQUIRE(backend.pool().size == 4);
  forgotten = true;
  CHECK_THROWS_AS(backend.get("k", in(100ms)), cascor::TimeoutError);
  CHECK(backend.get("k", in(10s)).bytes == "v");
  CHECK(server.connections() == 5);
}

TEST_CASE("a server that closes each connection is tried three times, and then told of") {
  ScriptedServer server{ScriptedServer::answering({{"GET", ""}})};
  RedisBackend backend{options_for(server)};
  CHECK_THROWS_AS(backend.get("k", in(30s)), cascor::ConnectionError);
  CHECK(server.connections() == 3);
}

TEST_CASE("without retry_on_timeout what may have been run is not sent again") {
  ScriptedServer server{ScriptedServer::answering({{"GET", ""}})};
  RedisOptions options = options_for(server);
  options.retry = false;
  RedisBackend backend{options};
  CHECK_THROWS_AS(backend.get("k", in(30s)), cascor::ConnectionError);
  CHECK(server.connections() == 1);
}

TEST_CASE("an answer that comes after the deadline reaches nobody") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) {
      if (command->front() == "CLIENT") {
        c.send("+OK\r\n");
      } else if (command->back() == "slow") {
        (void)c.closed_within(10s);
        c.send("$4\r\nlate\r\n");
      } else {
        c.send("$4\r\nfast\r\n");
      }
    }
  }};
  RedisBackend backend{options_for(server)};
  for (int i = 0; i < 5; ++i) {
    CHECK_THROWS_AS(backend.get("slow", in(20ms)), cascor::TimeoutError);
    CHECK(backend.get("fast", in(10s)).bytes == "fast");
  }
}

TEST_CASE("many threads on a server that stalls: each gets its own value, or an error by its deadline") {
  RedisServer server{{"--enable-debug-command", "yes"}};
  RedisOptions options = options_for(server);
  options.max_connections = 8;
  RedisBackend backend{options};
  const auto names = numbered("k", 64);
  std::vector<StoreEntry> entries;
  for (const auto& name : names) entries.push_back({name, name, cascor::no_expiry});
  backend.set_many(entries, in(10s));
  std::atomic<bool> done{false};
  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> errors{0};
  std::thread readers{[&] {
    in_threads(16, [&](std::size_t thread) {
      std::mt19937 random{static_cast<unsigned>(thread)};
      while (!done) {
        const auto& name = names[random() % names.size()];
        try {
          ++(backend.get(name, in(10ms)).bytes == name ? right : wrong);
        } catch (const cascor::CacheError&) {
          ++errors;
        }
      }
    });
  }};
  for (int i = 0; i < 10; ++i) server.raw("DEBUG", "SLEEP", "0.03");
  CHECK(eventually([&] { return right > 500 && errors > 0; }));
  done = true;
  readers.join();
  CHECK(wrong == 0);
}

TEST_CASE("retries and their waits are inside the call's deadline") {
  const int nobody = free_port();
  RedisOptions options;
  options.endpoint = endpoint_of(nobody);
  options.random = [] { return ~std::uint64_t{0}; };
  RedisBackend backend{options};
  CHECK(time_of([&] { CHECK_THROWS_AS(backend.get("k", in(200ms)), cascor::ConnectionError); }) < soon);
}

TEST_CASE("a generator of random numbers that throws does not get in the way") {
  const int nobody = free_port();
  RedisOptions options;
  options.endpoint = endpoint_of(nobody);
  options.random = []() -> std::uint64_t { throw 1; };
  RedisBackend backend{options};
  CHECK_THROWS_AS(backend.get("k", in(10s)), cascor::ConnectionError);
}

TEST_CASE("counts that cannot be are errors, not numbers") {
  const auto answer = GENERATE(":-1\r\n", ":2\r\n", ":9223372036854775807\r\n", ":-9223372036854775808\r\n");
  ScriptedServer server{ScriptedServer::answering({{"UNLINK", answer}, {"EXISTS", answer}})};
  RedisBackend backend{options_for(server)};
  CHECK_THROWS_AS(backend.erase_many(Keys{"k"}, in(10s)), cascor::ResponseError);
  CHECK_THROWS_AS(backend.contains("k", in(10s)), cascor::ResponseError);
}

TEST_CASE("answers that are none are errors: nothing counts as stored, read or removed because of them") {
  const auto answer = GENERATE("$2\r\nOK\r\n", ":1\r\n", "*0\r\n", "*2\r\n$1\r\n0\r\n*0\r\n");
  CAPTURE(answer);
  ScriptedServer server{[answer](ScriptedConnection& c, std::size_t) {
    while (const auto command = c.command()) c.send(command->front() == "CLIENT" ? "+OK\r\n" : answer);
  }};
  RedisBackend backend{options_for(server)};
  CHECK_THROWS_AS(backend.set_many(std::vector<StoreEntry>{{"k", "v", 1h}}, in(10s)), cascor::ConnectionError);
  CHECK_THROWS_AS(backend.ping(in(10s)), cascor::ConnectionError);
  CHECK_THROWS_AS(backend.get_many(Keys{"a", "b", "c"}, in(10s)), cascor::ConnectionError);
  if (answer[0] != '*') CHECK_THROWS_AS(erase_matching(backend, "*"), cascor::ConnectionError);
  if (answer[0] != ':') CHECK_THROWS_AS(backend.erase_many(Keys{"k"}, in(10s)), cascor::ConnectionError);
}

TEST_CASE("the server tells of itself what it may") {
  RedisServer server;
  const auto info = RedisBackend{options_for(server)}.info(in(10s));
  CHECK(info.version == server.info("redis_version"));
  CHECK(info.connected_clients >= 1);
  CHECK_FALSE(info.used_memory_human.empty());
  CHECK(info.ping_ms > 0);
  CHECK(info.info_error.empty());

  server.raw("ACL", "SETUSER", "quiet", "on", "nopass", "~*", "+@all", "-info", "-ping");
  RedisOptions options = options_for(server);
  options.username = "quiet";
  RedisBackend quiet{options};
  CHECK_NOTHROW(quiet.ping(in(10s)));
  CHECK_THAT(quiet.info(in(10s)).info_error, Catch::StartsWith("NOPERM"));
}

TEST_CASE("figures that the server makes up do not matter") {
  const std::string figures = "uptime_in_seconds:99999999999999999999999\r\nredis_version:\xff\r\nconnected_clients:-x";
  ScriptedServer server{ScriptedServer::answering({{"INFO", bulk(figures)}})};
  const auto info = RedisBackend{options_for(server)}.info(in(10s));
  CHECK(info.uptime_seconds == 0);
  CHECK(info.connected_clients == 0);
  CHECK(info.version == "?");
}
