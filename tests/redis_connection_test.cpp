// One connection: how it introduces itself, and that no answer ever reaches the wrong question.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/connection.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::AuthenticationError;
using cascor::ConnectionError;
using cascor::Reply;
using cascor::redis::Answer;
using Batch = cascor::redis::Batch<>;
using Connection = cascor::redis::Connection<>;
using cascor::redis::RedisOptions;

namespace {

RedisOptions with_password(RedisOptions options, const std::string& password, const std::string& username = {}) {
  options.username = username;
  options.password = [password] { return password; };
  return options;
}

Reply ask(Connection& connection, const std::vector<std::string_view>& words) {
  Batch batch;
  batch.add_words({Answer::any}, words);
  return connection.execute(batch, in(10s)).at(0);
}

// Answers the introduction, and then the commands as `answers` says, one a command.
ScriptedServer::Script after_introduction(std::vector<std::string> answers) {
  return [answers = std::move(answers)](ScriptedConnection& connection, std::size_t) {
    (void)connection.command();
    connection.send("+OK\r\n");
    for (const std::string& answer : answers) {
      if (!connection.command()) return;
      connection.send(answer);
    }
    connection.listen_in_silence();
  };
}

}  // namespace

TEST_CASE("a connection says who it is, so that CLIENT LIST tells the operator") {
  RedisServer server;
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  CHECK(ask(connection, {"CLIENT", "GETNAME"}).text == "cascor-cache:" + std::to_string(::getpid()));
}

TEST_CASE("the database of the URL is selected") {
  RedisServer server;
  server.raw("SELECT", "0");
  RedisOptions options = options_for(server);
  options.database = 3;
  Connection connection{options, in(10s)};
  CHECK(ask(connection, {"SET", "k", "in three"}).text == "OK");
  CHECK(server.raw("GET", "k").is_nil());
  server.raw("SELECT", "3");
  CHECK(server.raw("GET", "k").text == "in three");
}

TEST_CASE("a database that the server does not have is named in the error") {
  RedisServer server;
  RedisOptions options = options_for(server);
  options.database = 99;
  const auto seen = error_of<cascor::ResponseError>([&] { Connection{options, in(10s)}; });
  CHECK(seen.what == "Error connecting to Redis on " + server.address() + ": ERR DB index is out of range");
  CHECK_THAT(seen.hint, Catch::Contains("`databases` in redis.conf"));
}

TEST_CASE("AUTH with a password alone") {
  RedisServer server{{"--requirepass", "correct horse"}};
  RedisOptions options = with_password(options_for(server), "correct horse");
  options.database = 1;
  Connection connection{options, in(10s)};
  CHECK(ask(connection, {"PING"}).text == "PONG");

  const auto seen = error_of<AuthenticationError>([&] {
    Connection{with_password(options_for(server), "battery staple"), in(10s)};
  });
  CHECK(seen.what == "Error connecting to Redis on " + server.address() +
                         ": WRONGPASS invalid username-password pair or user is disabled.");
  CHECK_THAT(seen.hint, Catch::Contains("REDIS_PASSWORD"));
}

TEST_CASE("AUTH with a user name") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "worker", "on", ">secret", "~cascor:*", "+@all");
  Connection connection{with_password(options_for(server), "secret", "worker"), in(10s)};
  CHECK(ask(connection, {"ACL", "WHOAMI"}).text == "worker");
  CHECK_THROWS_AS((Connection{with_password(options_for(server), "wrong", "worker"), in(10s)}), AuthenticationError);
  CHECK_THROWS_AS((Connection{with_password(options_for(server), "secret", "nobody"), in(10s)}), AuthenticationError);
}

TEST_CASE("a user name without a password is not served as somebody else") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "guest", "on", "nopass", "~*", "+@all");
  RedisOptions options = options_for(server);
  options.username = "guest";
  Connection connection{options, in(10s)};
  CHECK(ask(connection, {"ACL", "WHOAMI"}).text == "guest");
  options.username = "nobody";
  CHECK_THROWS_AS((Connection{options, in(10s)}), AuthenticationError);
}

TEST_CASE("a server that wants a password says so when none is given") {
  RedisServer server{{"--requirepass", "secret"}};
  const auto seen = error_of<AuthenticationError>([&] { Connection{options_for(server), in(10s)}; });
  CHECK(seen.what == "Error connecting to Redis on " + server.address() + ": NOAUTH Authentication required.");
  CHECK_THAT(seen.hint, Catch::Contains("REDIS_PASSWORD"));
}

TEST_CASE("a server without a password says so when one is given") {
  RedisServer server;
  const auto seen = error_of<AuthenticationError>([&] {
    Connection{with_password(options_for(server), "s3cr3t-word"), in(10s)};
  });
  CHECK_THAT(seen.what, Catch::Contains("without any password configured for the default user"));
  CHECK_THAT(seen.hint, Catch::Contains("take the password out of the configuration"));
}

TEST_CASE("an account that may not set a name is served without one") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "plain", "on", ">secret", "~*", "+@read", "-client");
  Connection connection{with_password(options_for(server), "secret", "plain"), in(10s)};
  CHECK(ask(connection, {"GET", "nothing"}).is_nil());
}

TEST_CASE("what a server says unasked before it hangs up is the reason that is given") {
  SECTION("no room, by a real server") {
    RedisServer server{{"--maxclients", "4"}};
    const RedisOptions options = options_for(server);
    std::vector<std::unique_ptr<Connection>> connections;
    cascor::redis::RedisOptions with_more = with_password(options, "");
    const auto seen = error_of<cascor::ResponseError>([&] {
      for (int i = 0; i < 8; ++i) connections.push_back(std::make_unique<Connection>(with_more, in(10s)));
    });
    CHECK(seen.what == "Error connecting to Redis on " + server.address() + ": ERR max number of clients reached");
    CHECK_THAT(seen.hint, Catch::Contains("maxclients"));
  }
  SECTION("protected mode, with several commands on the way") {
    ScriptedServer server{[](ScriptedConnection& c, std::size_t) {
      c.send("-DENIED Redis is running in protected mode because protected mode is enabled\r\n");
    }};
    RedisOptions options = with_password(options_for(server), "secret");
    options.database = 2;
    const auto seen = error_of<AuthenticationError>([&] { Connection{options, in(10s)}; });
    CHECK_THAT(seen.what, Catch::StartsWith("Error connecting to Redis on " + server.address() + ": DENIED Redis is"));
  }
}

TEST_CASE("a password provider is asked at each dial") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "default", "resetpass", ">first");
  int asked = 0;
  RedisOptions options = options_for(server);
  options.password = [&asked] { return ++asked == 1 ? "first" : "second"; };
  Connection{options, in(10s)};
  server.raw("ACL", "SETUSER", "default", "resetpass", ">second");
  Connection{options, in(10s)};
  CHECK(asked == 2);
}

TEST_CASE("a password provider that throws is an error that does not repeat what it threw") {
  RedisServer server;
  RedisOptions options = options_for(server);
  SECTION("an exception") {
    options.password = []() -> std::string { throw std::runtime_error{"cannot parse 's3cr3t'"}; };
  }
  SECTION("anything else") {
    options.password = []() -> std::string { throw "s3cr3t"; };
  }
  const auto seen = error_of<AuthenticationError>([&] { Connection{options, in(10s)}; });
  CHECK(seen.what == "Error connecting to Redis on " + server.address() + ": the password provider threw");
  CHECK_THAT(seen.hint, Catch::Contains("password_provider") && !Catch::Contains("s3cr3t"));
}

TEST_CASE("a password that the server quotes is not shown, not even its beginning") {
  const std::string password = "correct-horse-battery-staple";
  const std::string quoted =
      GENERATE(std::string{"-ERR unknown command 'AUTH', with args: 'correct-horse-battery-staple'"},
               std::string{"-ERR unknown command 'AUTH', with args: 'correct-horse-batt"},
               std::string{"-WRONGPASS correct-horse-battery-staple correct-horse-"});
  ScriptedServer server{ScriptedServer::answering({{"AUTH", quoted + "\r\n"}})};
  const auto what = what_of<cascor::CacheError>([&] {
    Connection{with_password(options_for(server), password), in(10s)};
  });
  CHECK_THAT(what, Catch::Contains("***") && !Catch::Contains("horse"));
}

TEST_CASE("what a server says is made fit to be logged") {
  ScriptedServer server{ScriptedServer::answering(
      {{"CLIENT", "-NOAUTH \xff\xfe\tno\nWARNING: forged" + std::string(100'000, 'x') + "\r\n"}})};
  const auto what = what_of<AuthenticationError>([&] { Connection{options_for(server), in(10s)}; });
  CHECK_THAT(what, Catch::Contains("NOAUTH ???no?WARNING: forgedxxx") && Catch::EndsWith("..."));
  CHECK(what.size() < 600);
}

TEST_CASE("a batch is answered in order, error replies included, and the connection stays good") {
  RedisServer server;
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  CHECK_FALSE(connection.had_served());
  Batch batch;
  batch.add({Answer::status}, "SET", "k", "1").add({Answer::integer}, "INCR", "k").add({Answer::integer}, "NOSUCH");
  batch.add({Answer::string}, "GET", "k").add({Answer::string}, "GET", "nothing");
  const auto replies = connection.execute(batch, in(10s));
  REQUIRE(replies.size() == 5);
  CHECK(replies[0].text == "OK");
  CHECK(replies[1].integer == 2);
  CHECK_THAT(replies[2].text, Catch::StartsWith("ERR unknown command"));
  CHECK(replies[3].text == "2");
  CHECK(replies[4].is_nil());
  CHECK_FALSE(connection.broken());
  CHECK(connection.had_served());
  CHECK(connection.still_good());
}

TEST_CASE("a connection on which a call timed out is broken for good: the late answer reaches nobody") {
  RedisServer server;
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  Batch slow;
  slow.add({Answer::any}, "BLPOP", "nothing", "0");
  CHECK_THROWS_AS(connection.execute(slow, in(50ms)), cascor::TimeoutError);
  CHECK(connection.broken());
  CHECK(connection.had_sent());
  server.raw("RPUSH", "nothing", "late");
  CHECK_FALSE(connection.still_good());
}

TEST_CASE("a connection is broken once an answer was cut, was garbage, or was of another kind than was asked") {
  const auto answer =
      GENERATE("$10\r\nhal", "HTTP/1.1 400 Bad Request\r\n\r\n", ":1\r\n", "*1\r\n$1\r\na\r\n", "+OK\r\n");
  CAPTURE(answer);
  ScriptedServer server{[answer](ScriptedConnection& c, std::size_t) {
    (void)c.command();
    c.send("+OK\r\n");
    (void)c.command();
    c.send(answer);
  }};
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  CHECK_THROWS_AS(connection.execute(Batch{}.add({Answer::string}, "GET", "k"), in(10s)), ConnectionError);
  CHECK(connection.broken());
}

TEST_CASE("an answer of another kind says that something else answers") {
  ScriptedServer server{after_introduction({":1\r\n"})};
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  const auto seen =
      error_of<ConnectionError>([&] { connection.execute(Batch{}.add({Answer::string}, "GET", "k"), in(10s)); });
  CHECK(seen.what == "Redis on " + server.address() + " gave an answer of a kind that the command does not have");
  CHECK_THAT(seen.hint, Catch::Contains("proxies"));
}

TEST_CASE("an array of another length than was asked for is not an answer") {
  ScriptedServer server{after_introduction({"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"})};
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  CHECK_NOTHROW(connection.execute(Batch{}.add({Answer::array, 2}, "MGET", "a", "b"), in(10s)));
  CHECK_THROWS_AS(connection.execute(Batch{}.add({Answer::array, 1}, "MGET", "a"), in(10s)), ConnectionError);
}

TEST_CASE("a server that says more than it is asked while it is greeted is not believed") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t) {
    c.send("+OK\r\n$6\r\nforged\r\n");
    c.listen_in_silence();
  }};
  const RedisOptions options = options_for(server);
  CHECK(what_of<ConnectionError>([&] {
          Connection{options, in(10s)};
        }) == "Error connecting to Redis on " + server.address() + ": more was answered than asked");
}

TEST_CASE("a connection to which more was said than was asked is not used again") {
  ScriptedServer server{after_introduction({"$1\r\na\r\n$6\r\nsecond\r\n"})};
  const RedisOptions options = options_for(server);
  Connection connection{options, in(10s)};
  CHECK(connection.execute(Batch{}.add({Answer::string}, "GET", "k"), in(10s)).at(0).text == "a");
  CHECK(connection.broken());
}
