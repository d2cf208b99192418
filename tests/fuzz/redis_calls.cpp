// Fuzz target: any bytes as a server's answer to a call, over a real socket, in pieces. The first byte says which call.
// Whatever comes, the call gives an answer that can be or throws a CacheError, by its deadline.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/scripted_server.hpp"
#include "support/temporary_folder.hpp"

using namespace std::chrono_literals;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

void require(bool so, const char* what) {
  if (so) return;
  std::cerr << "not so: " << what << '\n';
  std::abort();
}

// Answers the introduction of a connection, gives the next command the bytes, hangs up, and answers nobody else until
// there are others: a scan would go on for ever. One connection at a time, on one thread; the mutex guards the bytes.
// It lives as long as the process.
class Answerer {
 public:
  explicit Answerer(const support::TemporaryFolder& folder) : path_{(folder.path() / "answers.sock").string()} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "a socket is bound");
    require(::listen(listener_, 16) == 0, "it listens");
    std::thread{[this] { serve(); }}.detach();
  }
  const std::string& path() const { return path_; }
  void set(std::string_view bytes) {
    const std::lock_guard lock{mutex_};
    bytes_ = bytes;
    given_ = false;
  }

 private:
  [[noreturn]] void serve() {
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      require(fd >= 0, "a connection is accepted");
      support::ScriptedConnection connection{fd};
      if (!is_given()) converse(connection);
      ::close(fd);
    }
  }
  static bool is_introduction(std::string_view word) {
    return word == "CLIENT" || word == "AUTH" || word == "SELECT" || word == "HELLO";
  }
  bool is_given() {
    const std::lock_guard lock{mutex_};
    return given_;
  }
  void converse(support::ScriptedConnection& connection) {
    auto command = connection.command();
    for (; command && is_introduction(command->front()); command = connection.command()) connection.send("+OK\r\n");
    if (!command) return;
    std::string bytes;
    {
      const std::lock_guard lock{mutex_};
      bytes = bytes_;
      given_ = true;
    }
    std::string_view rest = bytes;
    for (std::size_t piece = 1; !rest.empty(); piece = piece * 5 % 23)  // all sizes from 1 to 22, in no order
    {
      if (!connection.send(rest.substr(0, piece))) return;
      rest.remove_prefix(std::min(piece, rest.size()));
    }
  }

  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;
  std::string bytes_;
  bool given_ = false;
};

using Keys = std::array<std::string_view, 3>;
constexpr Keys keys{"a", "b", "c"};

void call(RedisBackend& backend, unsigned which) {
  const cascor::Deadline by{*cascor::SystemClock::shared(), 20s};
  const auto later = [by] { return by; };
  const auto any_key = [](std::string_view) { return true; };
  switch (which % 14) {
    case 0: (void)backend.get("a", by); break;
    case 1: require(backend.get_many(keys, by).size() == keys.size(), "an answer for each key"); break;
    case 2: {
      const std::vector<cascor::StoreEntry> entries{{"a", "1", 1s}, {"b", "2", 1s, cascor::absent}};
      require(backend.set_many(entries, by).size() == entries.size(), "an outcome for each entry");
      break;
    }
    case 3: require(backend.erase_many(keys, by) <= keys.size(), "no more are erased than were asked"); break;
    case 4: (void)backend.contains("a", by); break;
    case 5: (void)backend.erase_matching("a*", any_key, later); break;
    case 6: {
      const auto left = backend.ttl("a", by);
      require(!left || *left == cascor::no_expiry || left->count() > 0, "a life that is left is more than nothing");
      break;
    }
    case 7: (void)backend.touch("a", 1s, by); break;
    case 8: (void)backend.touch("a", cascor::no_expiry, by); break;
    case 9: (void)backend.increment("a", 1, 1s, by); break;
    case 10: require(backend.keys("a*", 5, any_key, later).size() <= 5, "no more keys than the limit"); break;
    case 11: (void)backend.command(std::array<std::string_view, 2>{"HGETALL", "a"}, by); break;
    case 12: backend.ping(by); break;
    default: (void)backend.info(by);
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const support::TemporaryFolder folder;  // goes with the process, which its answerer outlives by a moment
  static Answerer& answerer = *new Answerer{folder};
  if (size == 0) return 0;
  answerer.set({reinterpret_cast<const char*>(data) + 1, size - 1});
  cascor::redis::RedisOptions options;
  options.endpoint.path = answerer.path();
  options.retry = false;
  options.random = [] { return std::uint64_t{0}; };  // no waits between attempts
  RedisBackend backend{options};
  try {
    call(backend, *data);
  } catch (const cascor::TimeoutError& error) {
    std::cerr << error.what() << '\n';
    std::abort();  // the other side always hangs up
  } catch (const cascor::CacheError& error) {
    require(!error.hint().empty(), "an error says what to do");
    for (const char* at = error.what(); *at != '\0'; ++at) require(*at >= ' ' && *at <= '~', "an error is fit to log");
  }
  return 0;
}
