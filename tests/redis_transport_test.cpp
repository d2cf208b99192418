// Bytes to and from a server: every way to get there, and every call ended by its deadline.
#include <signal.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/connection.hpp"
#include "cascor/redis/transport.hpp"
#include "support/black_hole.hpp"
#include "support/eventually.hpp"
#include "support/redis_client.hpp"
#include "support/signal_storm.hpp"

using namespace std::chrono_literals;
using cascor::Deadline;
using Connection = cascor::redis::Connection<>;
using cascor::redis::dial;
using cascor::redis::RedisOptions;
using cascor::redis::Transport;
using namespace support;

namespace {

std::unique_ptr<Transport> dial_port(const std::string& host, int port) {
  return dial(endpoint_of(port, host), true, in(10s));
}

std::string ping_over(Transport& transport) {
  std::size_t written = 0;
  transport.send("PING\r\n", written, in(10s));
  std::string answer(64, '\0');
  answer.resize(transport.receive(answer, in(10s)));
  return answer;
}

// Talks to a server that is silent, or worse, and expects the deadline to end it.
void expect_timeout(const ScriptedServer& server, const RedisOptions& options) {
  std::string what;
  const auto took = support::time_of([&] {
    what = what_of<cascor::TimeoutError>([&] { Connection{options, Deadline{*options.clock, 300ms}}; });
  });
  CHECK(what ==
        "Error connecting to Redis on " + server.address() + ": Timeout waiting for Redis on " + server.address());
  CHECK(took >= 290ms);
  CHECK(took < soon);
}

}  // namespace

TEST_CASE("a port where nobody listens is a ConnectionError that names it, at once") {
  const int port = support::free_port();
  const auto took = support::time_of([&] {
    CHECK(what_of<cascor::ConnectionError>([&] { dial_port("127.0.0.1", port); }) ==
          "Error connecting to Redis on 127.0.0.1:" + std::to_string(port) + ": Connection refused");
  });
  CHECK(took < soon);
}

TEST_CASE("localhost is 127.0.0.1 and ::1, whichever the server listens on") {
  RedisServer v4;
  CHECK(ping_over(*dial_port("localhost", v4.port())) == "+PONG\r\n");
  CHECK(ping_over(*dial_port("LocalHost", v4.port())) == "+PONG\r\n");
  RedisServer v6{{}, RedisServer::Where::ipv6};
  CHECK(ping_over(*dial_port("localhost", v6.port())) == "+PONG\r\n");
  CHECK(ping_over(*dial_port("::1", v6.port())) == "+PONG\r\n");
  const int nobody = support::free_port();
  CHECK(what_of<cascor::ConnectionError>([&] { dial_port("localhost", nobody); }) ==
        "Error connecting to Redis on localhost:" + std::to_string(nobody) + ": Connection refused");
}

TEST_CASE("a Unix socket serves, and says what is wrong with its path") {
  RedisServer server{{}, RedisServer::Where::unix_socket};
  const auto dial_path = [](const std::string& path) { return dial({.host = {}, .path = path}, true, in(10s)); };
  CHECK(ping_over(*dial_path(server.socket_path())) == "+PONG\r\n");

  const std::string missing = server.socket_path() + ".missing";
  CHECK(what_of<cascor::ConnectionError>([&] { dial_path(missing); }) ==
        "Error connecting to Redis on " + missing + ": No such file or directory");
  server.kill();
  CHECK(what_of<cascor::ConnectionError>([&] { dial_path(server.socket_path()); }) ==
        "Error connecting to Redis on " + server.socket_path() + ": Connection refused");
  CHECK_THAT(what_of<cascor::ConfigError>([&] { dial_path('/' + std::string(200, 'p')); }),
             Catch::StartsWith("the path of the Unix socket has 201 bytes: /ppp"));
}

TEST_CASE("a name that is not known is an error by the deadline, and says which") {
  std::string what;
  const auto took = support::time_of([&] {
    try {
      dial({.host = "no-such-host.invalid", .path = {}}, true, in(1s));
    } catch (const cascor::CacheError& error) {  // no name server at all may take longer than the deadline
      what = error.what();
    }
  });
  CHECK_THAT(what, Catch::StartsWith("Error connecting to Redis on no-such-host.invalid:6379: "));
  CHECK(took < soon);
}

TEST_CASE("a host that drops packets ends by the deadline") {
  BlackHole hole;
  std::string what;
  const auto took = support::time_of(
      [&] { what = what_of<cascor::TimeoutError>([&] { dial(endpoint_of(hole.port()), true, in(300ms)); }); });
  CHECK(what == "Error connecting to Redis on 127.0.0.1:" + std::to_string(hole.port()) + ": timed out");
  CHECK(took >= 290ms);
  CHECK(took < soon);
}

TEST_CASE("a server that says nothing ends by the deadline") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t) { c.listen_in_silence(); }};
  expect_timeout(server, options_for(server));
}

TEST_CASE("a server that drips its answer ends by the deadline") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t) { c.drip('+' + std::string(10'000, '.'), 20ms); }};
  expect_timeout(server, options_for(server));
}

TEST_CASE("a deadline of a clock that stands still ends too, after as long in real time") {
  RedisOptions options;
  options.clock = std::make_shared<cascor::ManualClock>();
  SECTION("waiting for an answer") {
    ScriptedServer server{[](ScriptedConnection& c, std::size_t) { c.listen_in_silence(); }};
    options.endpoint = options_for(server).endpoint;
    expect_timeout(server, options);
  }
  SECTION("waiting for a connection") {
    BlackHole hole;
    options.endpoint = endpoint_of(hole.port());
    CHECK(support::time_of([&] {
            CHECK_THROWS_AS((Connection{options, Deadline{*options.clock, 300ms}}), cascor::TimeoutError);
          }) < soon);
  }
}

TEST_CASE("signals neither end a wait nor extend it") {
  const support::SignalStorm storm{5ms};
  SECTION("an answer that comes slowly is read whole") {
    ScriptedServer server{[](ScriptedConnection& c, std::size_t) {
      (void)c.command();
      c.drip("+slow but sure\r\n", 10ms);
      c.listen_in_silence();
    }};
    const RedisOptions options = options_for(server);
    Connection connection{options, in(20s)};
    CHECK_FALSE(connection.broken());
  }
  SECTION("silence ends by the deadline") {
    ScriptedServer server{[](ScriptedConnection& c, std::size_t) { c.listen_in_silence(); }};
    expect_timeout(server, options_for(server));
  }
  SECTION("so does a host that drops packets") {
    BlackHole hole;
    RedisOptions options;
    options.endpoint = endpoint_of(hole.port());
    const auto took = support::time_of([&] {
      CHECK_THROWS_AS((Connection{options, in(300ms)}), cascor::TimeoutError);
    });
    CHECK(took >= 290ms);
    CHECK(took < soon);
  }
}

TEST_CASE("a large value for a server that does not read, or reads in sips, ends by the deadline") {
  support::TemporaryFolder folder;
  const bool unix_socket = GENERATE(false, true);
  const bool sips = GENERATE(false, true);
  CAPTURE(unix_socket, sips);
  const std::string path = unix_socket ? (folder.path() / "slow.sock").string() : "";
  ScriptedServer server{[sips](ScriptedConnection& c, std::size_t) {
                          while (sips && !c.closed_within(20ms) && !c.some(16 * 1024).empty()) {
                          }
                          c.ignore();
                        },
                        path};
  const auto transport =
      dial({.host = "127.0.0.1", .port = static_cast<std::uint16_t>(server.port()), .path = path}, true, in(10s));
  const std::string large(64'000'000, 'x');
  std::size_t written = 0;
  const auto took =
      support::time_of([&] { CHECK_THROWS_AS(transport->send(large, written, in(300ms)), cascor::TimeoutError); });
  CHECK(written > 0);
  CHECK(written < large.size());
  CHECK(took >= 290ms);
  CHECK(took < soon);
}

TEST_CASE("writing to a peer that has gone is an error, not the end of the process") {
  struct sigaction now {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &now) == 0);
  REQUIRE(now.sa_handler == SIG_DFL);
  const bool reset = GENERATE(false, true);
  ScriptedServer server{[reset](ScriptedConnection& c, std::size_t) {
    if (reset) c.reset();
  }};
  const auto transport = dial_port("127.0.0.1", server.port());
  REQUIRE(eventually([&] { return transport->disturbed(); }));
  std::size_t written = 0;
  const auto send_on = [&] {
    for (int i = 0; i < 1'000'000; ++i) transport->send("x", written, in(10s));
  };
  CHECK_THAT(what_of<cascor::ConnectionError>(send_on),
             Catch::StartsWith("Lost the connection to Redis on " + server.address() + ": "));
}

TEST_CASE("a connection that the peer closes, cuts or resets says so") {
  const bool reset = GENERATE(false, true);
  ScriptedServer server{[reset](ScriptedConnection& c, std::size_t) {
    (void)c.command();
    c.send("$100\r\nonly a part");
    if (reset) c.reset();
  }};
  const RedisOptions options = options_for(server);
  const std::string why = reset ? "Connection reset by peer" : "Connection closed by the server";
  CHECK(what_of<cascor::ConnectionError>([&] {
          Connection{options, in(10s)};
        }) == "Error connecting to Redis on " + server.address() + ": Lost the connection to Redis on " +
                  server.address() + ": " + why);
}

TEST_CASE("an idle connection shows, without waiting, that it was closed or spoken to") {
  ScriptedServer server{[](ScriptedConnection& c, std::size_t number) {
    (void)c.some(1);
    if (number == 0) c.send("+nobody asked\r\n");
    if (number != 1) c.listen_in_silence();
  }};
  for (int number = 0; number < 3; ++number) {
    CAPTURE(number);
    const auto transport = dial_port("127.0.0.1", server.port());
    CHECK_FALSE(transport->disturbed());
    std::size_t written = 0;
    transport->send("x", written, in(10s));
    if (number < 2) CHECK(support::eventually([&] { return transport->disturbed(); }));
    if (number == 2) CHECK_FALSE(transport->disturbed());
  }
}

TEST_CASE("sockets are not handed to programs that the application starts") {
  RedisServer server;
  const auto transport = dial_port("127.0.0.1", server.port());
  int sockets = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != server.port()) continue;
    const bool of_support = (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;  // plain hiredis does not care
    sockets += of_support ? 0 : 1;
  }
  CHECK(sockets == 1);
}

// A port that the system also gives to outgoing connections can be given to the very one that dials it: TCP then
// connects the socket with itself, and whatever is sent comes back.
TEST_CASE("a dial never ends up connected to itself") {
  for (int offset = 0; offset < 2; ++offset) {
    const int port = 40'000 + offset + static_cast<int>(std::random_device{}() % 5'000) * 2;
    for (int i = 0; i < 30'000; ++i) {
      const auto what = what_of<cascor::ConnectionError>([&] { dial_port("127.0.0.1", port); });
      if (what.ends_with(": Connection refused")) continue;
      INFO("attempt " << i);
      REQUIRE(what == "Error connecting to Redis on 127.0.0.1:" + std::to_string(port) + ": Connection refused");
    }
  }
}
