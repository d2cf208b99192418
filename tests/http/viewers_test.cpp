// A viewer's stream: who is slow gets the newest state, and holds up nobody.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "http/viewers.hpp"
#include "support/eventually.hpp"

using canopy::Connection;
using canopy::Topic;
using canopy::Viewers;

namespace {

/// A viewer: the browser's end of a connection.
class Browser {
 public:
  explicit Browser(Viewers& viewers, std::string beginning = "hello\n\n") {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    socket_ = ends[0];
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    auto connection = std::make_unique<Connection>(ends[1]);
    connection->become_stream(std::move(beginning));
    viewers.add(std::move(connection));
  }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  ~Browser() { ::close(socket_); }

  /// Reads until `text` has come; all that was read.
  std::string read_until(const std::string& text) {
    std::array<char, 4096> part{};
    while (read_.find(text) == std::string::npos) {
      const ssize_t got = ::recv(socket_, part.data(), part.size(), 0);
      if (got <= 0) return read_ + " <no more>";
      read_.append(part.data(), static_cast<std::size_t>(got));
    }
    return read_;
  }

 private:
  int socket_ = -1;
  std::string read_;
};

std::string event(int number) { return "event: metrics\ndata: " + std::to_string(number) + "\n\n"; }

}  // namespace

TEST_CASE("a viewer gets how its stream begins, then what is newest, then what comes", "[viewers]") {
  Viewers viewers;
  viewers.tell(Topic::metrics, event(1));
  viewers.tell(Topic::metrics, event(2));
  viewers.tell(Topic::command, "event: command\ndata: before its time\n\n");
  Browser browser{viewers};
  CHECK(browser.read_until(event(2)) == "hello\n\n" + event(2));
  viewers.tell(Topic::command, "event: command\ndata: for all\n\n");
  CHECK(browser.read_until("for all\n\n") == "hello\n\n" + event(2) + "event: command\ndata: for all\n\n");
}

TEST_CASE("a viewer that does not read gets the newest state, and no queue", "[viewers]") {
  Viewers viewers;
  Browser slow{viewers};
  Browser quick{viewers};
  constexpr int many = 3'000;
  const std::string weight(1'000, 'x');
  for (int number = 1; number <= many; ++number) {
    const std::string text = std::to_string(number) + weight + "\n\n";
    viewers.tell(Topic::metrics, text);
    quick.read_until(text);  // the slow one holds nobody up
  }
  const std::string all = slow.read_until(std::to_string(many) + weight + "\n\n");
  CHECK(all.ends_with(std::to_string(many) + weight + "\n\n"));
  // What a full buffer of the kernel holds, and the newest: not the 3 MB that were told.
  CHECK(all.size() < 1'000'000);
}

TEST_CASE("a viewer that has gone is forgotten", "[viewers]") {
  Viewers viewers;
  auto browser = std::make_unique<Browser>(viewers);
  browser->read_until("hello");
  CHECK(support::eventually([&] { return viewers.count() == 1; }));
  browser.reset();
  CHECK(support::eventually([&] { return viewers.count() == 0; }));
}
