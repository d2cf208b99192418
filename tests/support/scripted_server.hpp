// A server inside the test that answers each connection as a script says: wrongly, slowly, by halves or not at all.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace support {

/// A string as Redis answers it.
inline std::string bulk(std::string_view text) {
  return '$' + std::to_string(text.size()) + "\r\n" + std::string{text} + "\r\n";
}

/// The server's side of one connection. Every call ends when the peer, or the server, closes.
class ScriptedConnection {
 public:
  explicit ScriptedConnection(int fd) noexcept : fd_{fd} {}

  /// The words of the next command; nullopt once the peer has closed.
  std::optional<std::vector<std::string>> command() {
    const auto count = header('*');
    if (!count) return std::nullopt;
    std::vector<std::string> words;
    for (std::size_t i = 0; i < *count; ++i) {
      const auto size = header('$');
      if (!size || !fill(*size + 2)) return std::nullopt;
      words.push_back(input_.substr(0, *size));
      input_.erase(0, *size + 2);
    }
    return words;
  }
  /// False once the peer has closed.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Sends a byte each `interval` until all are out or the peer has closed.
  void drip(std::string_view bytes, std::chrono::milliseconds interval) const {
    for (const char byte : bytes) {
      if (!send({&byte, 1}) || closed_within(interval)) return;
    }
  }
  /// Reads and drops what comes until the peer closes: says nothing.
  void listen_in_silence() const {
    std::array<char, 4096> dropped{};
    while (::recv(fd_, dropped.data(), dropped.size(), 0) > 0) {
    }
  }
  /// Reads nothing until the peer, or the server, closes.
  void ignore() const {
    while (!closed_within(std::chrono::hours{1})) {
    }
  }
  /// Reads one piece of at most `size` bytes, whatever it is.
  std::string some(std::size_t size) const {
    std::string bytes(size, '\0');
    const auto got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  bool closed_within(std::chrono::milliseconds time) const {
    pollfd watch{fd_, POLLRDHUP, 0};
    return ::poll(&watch, 1, static_cast<int>(time.count())) > 0;
  }
  /// Closes with a reset instead of an end.
  void reset() const {
    const linger at_once{1, 0};
    (void)::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

 private:
  bool fill(std::size_t size) {
    while (input_.size() < size) {
      const std::string more = some(64 * 1024);
      if (more.empty()) return false;
      input_ += more;
    }
    return true;
  }
  std::optional<std::size_t> header(char type) {
    std::size_t end = std::string::npos;
    while ((end = input_.find("\r\n")) == std::string::npos) {
      if (!fill(input_.size() + 1)) return std::nullopt;
    }
    std::size_t value = 0;
    const bool good = input_.front() == type;
    (void)std::from_chars(input_.data() + 1, input_.data() + end, value);
    input_.erase(0, end + 2);
    return good ? std::optional{value} : std::nullopt;
  }

  int fd_;
  std::string input_;
};

class ScriptedServer {
 public:
  /// Runs `script` for each connection, on a thread of its own; when it returns, the connection is closed. The second
  /// argument counts connections from 0 on.
  using Script = std::function<void(ScriptedConnection&, std::size_t)>;

  /// On a free loopback port, or on a Unix socket at `path`.
  explicit ScriptedServer(Script script, const std::string& path = {}) : script_{std::move(script)} {
    listener_ = ::socket(path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!(path.empty() ? bind_port() : bind_path(path)) || ::listen(listener_, 64) != 0) {
      throw std::runtime_error{"no scripted server could be started"};
    }
    acceptor_ = std::thread{[this] { accept_all(); }};
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
      const std::lock_guard lock{mutex_};
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  int port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "redis://" + address() + "/0"; }
  std::size_t connections() const noexcept { return connections_; }

  /// A script that answers each command by its first word, in upper case, as a bare server would for those not named:
  /// PING with +PONG, the rest with +OK. An empty answer closes the connection.
  static Script answering(std::map<std::string, std::string> answers) {
    answers.try_emplace("PING", "+PONG\r\n");
    return [answers = std::move(answers)](ScriptedConnection& connection, std::size_t) {
      while (const auto command = connection.command()) {
        const auto found = answers.find(command->front());
        const std::string answer = found == answers.end() ? "+OK\r\n" : found->second;
        if (answer.empty() || !connection.send(answer)) return;
      }
    };
  }

 private:
  void accept_all() {
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::size_t number = connections_++;
      const std::lock_guard lock{mutex_};
      if (stopping_) {
        ::close(fd);
        continue;
      }
      open_.push_back(fd);
      threads_.emplace_back([this, fd, number] {
        ScriptedConnection connection{fd};
        script_(connection, number);
        const std::lock_guard closing{mutex_};
        std::erase(open_, fd);
        ::close(fd);
      });
    }
  }

  bool bind_port() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const general = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, general, size) != 0 || ::getsockname(listener_, general, &size) != 0) return false;
    port_ = ntohs(address.sin_port);
    return true;
  }
  bool bind_path(const std::string& path) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> connections_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards open_ and threads_
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace support
