// Everything that a server, or something in its place, may answer with: the type of the error, its text, and a hint
// that says what to do about it. From a real server wherever one can be brought to say it.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/server_error.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheError;
using cascor::ErrorCode;
using cascor::StoreEntry;
using RedisBackend = cascor::redis::RedisBackend<>;
using cascor::redis::server_error;

namespace {

std::shared_ptr<const CacheError> set_error(RedisBackend& backend, const std::string& key, const std::string& value) {
  const std::vector<StoreEntry> entries{{key, value, cascor::no_expiry}};
  return backend.set_many(entries, in(10s)).at(0).error;
}

// The connection's error where something else than Redis answers whatever is sent with `answer`, and closes.
Seen seen_where_answers(const std::string& answer) {
  ScriptedServer server{[&answer](ScriptedConnection& c, std::size_t) {
    (void)c.some(4'096);
    c.send(answer);
  }};
  RedisBackend backend{options_for(server)};
  Seen seen = error_of<cascor::ConnectionError>([&] { backend.ping(in(10s)); });
  const std::string start = "Error connecting to Redis on " + server.address() + ": ";
  CHECK_THAT(seen.what, Catch::StartsWith(start));
  seen.what.erase(0, start.size());
  return seen;
}

}  // namespace

TEST_CASE("what a script of ours was refused is told in the server's words alone, and how to count right") {
  RedisServer server;
  server.raw("SET", "text", "x");
  server.raw("SET", "full", "9223372036854775807");
  server.raw("LPUSH", "list", "x");
  RedisBackend backend{options_for(server)};
  const auto refused = [&](const char* key) {
    try {
      (void)backend.increment(key, 1, 1min, in(10s));
    } catch (const cascor::ResponseError& error) {
      return error.what() + std::string{" | "} + error.hint();
    }
    return std::string{};
  };
  CHECK(refused("text") ==
        "ERR value is not an integer or out of range | Count under a key that holds nothing else than the counter.");
  CHECK(refused("full") == "ERR increment or decrement would overflow | Set the counter back.");
  CHECK_THAT(refused("list"),
             Catch::StartsWith("WRONGTYPE Operation against a key holding the wrong kind of value | "));
}

TEST_CASE("full memory is an OutOfMemoryError, and reads go on") {
  RedisServer server{{"--maxmemory", "1mb", "--maxmemory-policy", "noeviction"}};
  RedisBackend backend{options_for(server)};
  const auto error = set_error(backend, "k", std::string(2'000'000, 'x'));
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::out_of_memory);
  CHECK(error->what() == std::string{"OOM command not allowed when used memory > 'maxmemory'."});
  CHECK_THAT(error->hint(), Catch::Contains("raise maxmemory") && Catch::Contains("allkeys-lru"));
  CHECK_THROWS_AS(error->raise(), cascor::OutOfMemoryError);
  CHECK_THROWS_AS(error->raise(), cascor::ResponseError);
  CHECK_FALSE(backend.get("k", in(10s)).error);
}

TEST_CASE("an account that may not is an AuthenticationError that says what to grant") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "reader", "on", "nopass", "~cascor:*", "+@read", "+ping", "+client");
  cascor::redis::RedisOptions options = options_for(server);
  options.username = "reader";
  RedisBackend backend{options};
  const auto refused = set_error(backend, "cascor:k", "v");
  REQUIRE(refused);
  CHECK(refused->code() == ErrorCode::authentication);
  CHECK_THAT(refused->what(), Catch::StartsWith("NOPERM") && Catch::Contains("'set'"));
  CHECK_THAT(refused->hint(), Catch::Contains("ACL SETUSER"));
  CHECK_THROWS_AS(refused->raise(), cascor::AuthenticationError);
  CHECK_FALSE(backend.get("cascor:k", in(10s)).error);
  REQUIRE(backend.get("elsewhere", in(10s)).error);
  CHECK_THAT(backend.get("elsewhere", in(10s)).error->what(), Catch::StartsWith("NOPERM"));
  CHECK_THROWS_AS(backend.contains("elsewhere", in(10s)), cascor::AuthenticationError);
}

TEST_CASE("NOAUTH and WRONGPASS are AuthenticationErrors of the dial") {
  RedisServer server{{"--requirepass", "secret"}};
  cascor::redis::RedisOptions options = options_for(server);
  const auto none = error_of<cascor::AuthenticationError>([&] { RedisBackend{options}.ping(in(10s)); });
  CHECK(none.what == "Error connecting to Redis on " + server.address() + ": NOAUTH Authentication required.");
  CHECK(none.hint == "The server wants a password: give it in redis_url, in `password` or in REDIS_PASSWORD.");
  options.password = [] { return "wrong-password"; };
  const auto wrong = error_of<cascor::AuthenticationError>([&] { RedisBackend{options}.ping(in(10s)); });
  CHECK(wrong.what == "Error connecting to Redis on " + server.address() +
                          ": WRONGPASS invalid username-password pair or user is disabled.");
  CHECK_THAT(wrong.hint, Catch::Contains("Correct the user name or password"));
}

TEST_CASE("a replica says READONLY, and MASTERDOWN when it may not serve") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  server.raw("REPLICAOF", "127.0.0.1", "1");
  const auto error = set_error(backend, "k", "v");
  REQUIRE(error);
  CHECK_THAT(error->what(), Catch::StartsWith("READONLY"));
  CHECK(error->hint() == "The server is a replica: point redis_url at the master.");
  server.raw("CONFIG", "SET", "replica-serve-stale-data", "no");
  const auto down = backend.get("k", in(10s)).error;
  REQUIRE(down);
  CHECK_THAT(down->what(), Catch::StartsWith("MASTERDOWN"));
  CHECK_THAT(down->hint(), Catch::Contains("master"));
  CHECK_THROWS_AS(backend.ping(in(10s)), cascor::ResponseError);
}

TEST_CASE("a node of a cluster says how to name a cluster") {
  RedisServer server{{"--cluster-enabled", "yes"}};
  RedisBackend backend{options_for(server)};
  const auto error = backend.get("k", in(10s)).error;
  REQUIRE(error);
  CHECK_THAT(error->what(), Catch::StartsWith("CLUSTERDOWN"));
  CHECK_THAT(error->hint(), Catch::Contains("CLUSTER INFO"));
}

TEST_CASE("a server that is loading says so") {
  const std::string words = "LOADING Redis is loading the dataset in memory";
  ScriptedServer server{ScriptedServer::answering({{"GET", '-' + words + "\r\n"}, {"PING", '-' + words + "\r\n"}})};
  RedisBackend backend{options_for(server)};
  const auto error = backend.get("k", in(10s)).error;
  REQUIRE(error);
  CHECK(error->what() == words);
  CHECK(error->hint() == "The server is reading its data from disk: wait until it is done.");
  CHECK(what_of<cascor::ResponseError>([&] { backend.ping(in(10s)); }) == words);
}

TEST_CASE("something else than Redis on the port is a ConnectionError that says to look there") {
  const auto http = seen_where_answers("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  CHECK(http.what == "an answer that is not Redis's protocol: Protocol error, got \"H\" as reply type byte");
  CHECK(http.hint ==
        "Check the host and port: another program may be listening there, or the port expects TLS (rediss://).");
  const auto tls = seen_where_answers(std::string{"\x15\x03\x03\x00\x02\x02\x46", 7});
  CHECK_THAT(tls.what, Catch::Contains("Protocol error"));
  CHECK_THAT(tls.hint, Catch::Contains("rediss://"));
  const auto huge = seen_where_answers("*2147483647\r\n");
  CHECK_THAT(huge.what, Catch::Contains("larger than any answer"));
  const auto echo = seen_where_answers("*1\r\n$4\r\nPING\r\n");
  CHECK_THAT(echo.what, Catch::Contains("of a kind that the command does not have"));
  const auto closed = seen_where_answers("");
  CHECK_THAT(closed.what, Catch::Contains("Connection closed by the server"));
  const auto cut = seen_where_answers("+O");
  CHECK_THAT(cut.what, Catch::Contains("Connection closed by the server"));
}

TEST_CASE("something silent on the port is a TimeoutError") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t) { c.listen_in_silence(); }};
  RedisBackend backend{options_for(server)};
  const auto seen = error_of<cascor::TimeoutError>([&] { backend.ping(in(100ms)); });
  CHECK(seen.what ==
        "Error connecting to Redis on " + server.address() + ": Timeout waiting for Redis on " + server.address());
  CHECK_THAT(seen.hint, Catch::Contains("connection_pool.timeout"));
}

TEST_CASE("each error that a server is known for has its type and a hint of its own") {
  struct Known {
    std::string words;
    ErrorCode code;
    std::string hint;
  };
  const auto known =
      GENERATE(Known{"NOAUTH Authentication required.", ErrorCode::authentication, "REDIS_PASSWORD"},
               Known{"WRONGPASS invalid username-password pair", ErrorCode::authentication, "Correct the user name"},
               Known{"ERR invalid password", ErrorCode::authentication, "Correct the password"},
               Known{"ERR AUTH <password> called without any password configured", ErrorCode::authentication,
                     "take the password"},
               Known{"ERR Client sent AUTH, but no password is set", ErrorCode::authentication, "requirepass"},
               Known{"NOPERM this user has no permissions", ErrorCode::authentication, "ACL SETUSER"},
               Known{"DENIED Redis is running in protected mode", ErrorCode::authentication, "protected mode"},
               Known{"OOM command not allowed", ErrorCode::out_of_memory, "maxmemory"},
               Known{"LOADING Redis is loading", ErrorCode::response, "wait"},
               Known{"MASTERDOWN Link with MASTER is down", ErrorCode::response, "connect to a master"},
               Known{"CLUSTERDOWN Hash slot not served", ErrorCode::response, "CLUSTER INFO"},
               Known{"READONLY You can't write", ErrorCode::response, "replica"},
               Known{"MOVED 3999 127.0.0.1:6381", ErrorCode::response, "Redis Cluster"},
               Known{"CROSSSLOT Keys in request", ErrorCode::response, "Redis Cluster"},
               Known{"MISCONF Redis is configured to save", ErrorCode::response, "disk"},
               Known{"NOREPLICAS Not enough good replicas", ErrorCode::response, "min-replicas-to-write"},
               Known{"BUSY Redis is busy running a script", ErrorCode::response, "SCRIPT KILL"},
               Known{"WRONGTYPE Operation against a key", ErrorCode::response, "another program uses it"},
               Known{"ERR max number of clients reached", ErrorCode::response, "maxclients"},
               Known{"ERR DB index is out of range", ErrorCode::response, "databases"},
               Known{"ERR SELECT is not allowed in cluster mode", ErrorCode::response, "database 0"},
               Known{"ERR unknown command 'UNLINK'", ErrorCode::response, "Redis 6"},
               Known{"ERR something that nobody has heard of", ErrorCode::response, "documentation"});
  CAPTURE(known.words);
  const auto error = server_error(known.words, "before: ");
  CHECK(error->what() == "before: " + known.words);
  CHECK(error->code() == known.code);
  CHECK_THAT(error->hint(), Catch::Contains(known.hint));
}

TEST_CASE("only what refuses every command means that the server as a whole is not there") {
  for (const auto* words : {"LOADING x", "MASTERDOWN x", "CLUSTERDOWN x", "ERR max number of clients reached"}) {
    CHECK(cascor::redis::says_unavailable(words));
  }
  for (const auto* words : {"ERR x LOADING", "OOM x", "WRONGTYPE x", "NOPERM x", "", "LOAD"}) {
    CHECK_FALSE(cascor::redis::says_unavailable(words));
  }
}

TEST_CASE("a secret is masked wherever it stands, whole or cut short") {
  using cascor::redis::without_secret;
  CHECK(without_secret("a hunter2 and hunter2", "hunter2") == "a *** and ***");
  CHECK(without_secret("hunter2hunter2", "hunter2") == "******");
  CHECK(without_secret("nothing here", "hunter2") == "nothing here");
  CHECK(without_secret("nothing here", "") == "nothing here");
  CHECK(without_secret("a long-secret-word-of-many-letters!", "long-secret-word-of-many-letters") == "a ***!");
  CHECK(without_secret("cut: long-secret-wo", "long-secret-word-of-many-letters") == "cut: ***");
  CHECK(without_secret("***", "*") == "*********");
}

TEST_CASE("a server's words are shown as printable ASCII of bounded length") {
  using cascor::redis::readable;
  CHECK(readable("ERR plain 'words'") == "ERR plain 'words'");
  CHECK(readable("a\r\nb\tc\x1b[31m\x7f\xc3\xa9") == "a??b?c?[31m???");
  CHECK(readable(std::string(400, 'x')) == std::string(400, 'x'));
  CHECK(readable(std::string(401, 'x')) == std::string(400, 'x') + "...");
}

TEST_CASE("an error without words says so, and a cursor that is none ends a scan") {
  CHECK(server_error("")->what() == std::string{"an error without words"});
  for (const auto* cursor : {"", "x", "-1", "0 ", "123456789012345678901"}) {
    CAPTURE(cursor);
    const std::string text{cursor};
    ScriptedServer server{
        ScriptedServer::answering({{"SCAN", "*2\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n*0\r\n"}})};
    RedisBackend backend{options_for(server)};
    const auto all = [](std::string_view) { return true; };
    const auto soon_enough = [] { return in(10s); };
    CHECK_THROWS_AS(backend.erase_matching("k*", all, soon_enough), cascor::ResponseError);
    CHECK_THROWS_AS(backend.keys("k*", 10, all, soon_enough), cascor::ResponseError);
  }
}
