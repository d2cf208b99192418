// A proxy in front of a real server that does to the connections through it what networks do: slows them, cuts them,
// swallows what is said. Which fault is chosen while it runs, for all connections or as each comes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/redis/options.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

namespace support {

/// What the proxy does to a connection.
struct Fault {
  enum class Kind : unsigned char { pass, drip, delay, mute, cut, reset, drop, black_hole, refuse, full };
  using Pace = std::chrono::milliseconds;

  static constexpr Fault pass() { return {Kind::pass}; }
  /// Answers come a byte each `pace`.
  static constexpr Fault drip(Pace pace) { return {Kind::drip, pace}; }
  /// Answers come `pace` late.
  static constexpr Fault delay(Pace pace) { return {Kind::delay, pace}; }
  /// Commands get there and are run; no answer comes back.
  static constexpr Fault mute() { return {Kind::mute}; }
  /// The connection ends in the middle of an answer, after so many more bytes from the server.
  static constexpr Fault cut(std::size_t after) { return {Kind::cut, Pace{0}, after}; }
  /// The same by a reset (on a Unix socket, which has none, by its end).
  static constexpr Fault reset(std::size_t after) { return {Kind::reset, Pace{0}, after}; }
  /// The connection is reset as soon as a command comes, which does not get there.
  static constexpr Fault drop() { return {Kind::drop}; }
  /// What is said is taken and goes nowhere.
  static constexpr Fault black_hole() { return {Kind::black_hole}; }
  /// Nobody listens, and the connections that were are reset. For all connections only, like the next.
  static constexpr Fault refuse() { return {Kind::refuse}; }
  /// Nobody accepts, and the queue of those who wait for it is full.
  static constexpr Fault full() { return {Kind::full}; }

  Kind kind = Kind::pass;
  Pace pace{0};
  std::size_t after = 0;
};

/// One thread does everything; the rest of the program gives it orders, each done when the call returns. The mutex
/// guards the list of orders.
class FaultProxy {
 public:
  /// On a free loopback port, or on a Unix socket of its own, whichever the server itself is on.
  explicit FaultProxy(const RedisServer& server, bool unix_socket = false)
      : FaultProxy{server.port(), server.socket_path(), unix_socket} {}
  /// In front of whatever listens on that loopback port.
  explicit FaultProxy(int server_port) : FaultProxy{server_port, {}, false} {}
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy() {
    ordered([this] { stopping_ = true; });
    loop_.join();
  }

  cascor::redis::Endpoint endpoint() const {
    return {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(port_), .path = path_};
  }
  /// As the library's messages name it.
  std::string address() const { return to_string(endpoint()); }

  /// From now on, for the connections that are open and for those to come.
  void set(Fault fault) {
    ordered([this, fault] {
      choose_ = [fault](std::size_t) { return fault; };
      for (const auto& link : links_) link->fault = fault;
      const bool listening = fault.kind != Fault::Kind::refuse && fault.kind != Fault::Kind::full;
      for (const auto& link : links_) {
        if (!listening) reset_client(*link);
      }
      listen_as(listening ? Fault::Kind::pass : fault.kind);
    });
  }
  void heal() { set(Fault::pass()); }
  /// Each connection to come has the fault that this returns for its number; called by the proxy's thread. Those that
  /// are open keep theirs.
  void choose(std::function<Fault(std::size_t)> by_number) {
    ordered([this, &by_number] { choose_ = std::move(by_number); });
  }
  /// Resets every connection that is open.
  void sever() {
    ordered([this] {
      for (const auto& link : links_) reset_client(*link);
    });
  }

  /// How many were accepted, and how many of them neither end has closed.
  std::size_t connections() const noexcept { return accepted_; }
  std::size_t open() const noexcept { return open_; }

 private:
  using Clock = std::chrono::steady_clock;

  FaultProxy(int server_port, std::string server_path, bool unix_socket)
      : server_port_{server_port}, server_path_{std::move(server_path)}, unix_socket_{unix_socket} {
    if (unix_socket_) path_ = (folder_.path() / "proxy.sock").string();
    for (int attempt = 0; attempt < 10 && listener_.fd() < 0; ++attempt) {  // somebody else may take the port first
      if (!unix_socket_) port_ = free_port();
      listener_ = listen_with(128);
    }
    if (listener_.fd() < 0 || wake_.fd() < 0) throw std::runtime_error{"no fault proxy could be started"};
    loop_ = std::thread{[this] { run(); }};
  }

  class Descriptor {
   public:
    explicit Descriptor(int fd = -1) noexcept : fd_{fd} {}
    Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    Descriptor& operator=(Descriptor other) noexcept {
      std::swap(fd_, other.fd_);
      return *this;
    }
    ~Descriptor() {
      if (fd_ >= 0) ::close(fd_);
    }
    int fd() const noexcept { return fd_; }

   private:
    int fd_;
  };

  // A connection through the proxy. It goes when its client does; a server that goes only ends the answers.
  struct Link {
    Descriptor client;
    Descriptor server;
    Fault fault;
    std::string commands;  // on their way to the server
    std::string answers;   // on their way to the client
    Clock::time_point due{};
    bool client_gone = false;
    bool answers_ended = false;
  };

  static constexpr std::size_t most_held = std::size_t{1} << 20;

  void run() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the callers under test
    while (!stopping_) {
      wait();
      for (const auto& link : links_) serve(*link);
      close_those_gone();
      carry_out_orders();
    }
  }

  void wait() {
    std::vector<pollfd> watched{{wake_.fd(), POLLIN, 0}};
    const bool accepts = listening_as_ == Fault::Kind::pass;
    if (accepts) watched.push_back({listener_.fd(), POLLIN, 0});
    auto until = Clock::time_point::max();
    for (const auto& link : links_) {
      const bool held = !link->answers.empty() && is_paced(link->fault) && link->due > Clock::now();
      if (held) until = std::min(until, link->due);
      const bool may_send = !link->answers.empty() && !held;
      const bool may_take = link->commands.size() < most_held;
      watched.push_back({link->client.fd(), events(may_take ? POLLIN : 0, may_send ? POLLOUT : 0), 0});
      const bool may_read = !link->answers_ended && link->answers.size() < most_held;
      const bool open = link->server.fd() >= 0 && (may_read || !link->commands.empty());
      watched.push_back(
          {open ? link->server.fd() : -1, events(may_read ? POLLIN : 0, link->commands.empty() ? 0 : POLLOUT), 0});
    }
    (void)::poll(watched.data(), watched.size(), milliseconds_until(until));
    if (accepts && watched[1].revents != 0) accept_one();
  }
  static short events(int one, int other) { return static_cast<short>(one | other); }
  static int milliseconds_until(Clock::time_point until) {
    if (until == Clock::time_point::max()) return -1;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count());
  }

  void accept_one() {
    auto link = std::make_unique<Link>();
    link->client = Descriptor{::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (link->client.fd() < 0) return;
    link->server = connected(server_port_ == 0, server_port_, server_path_);
    link->answers_ended = link->server.fd() < 0;
    link->fault = choose_(accepted_++);
    links_.push_back(std::move(link));
  }

  void serve(Link& link) {
    take_commands(link);
    send_on(link.server, link.commands, link.commands.size());
    take_answers(link);
    give_answers(link);
  }

  void take_commands(Link& link) {
    std::array<char, 64 * 1024> buffer{};
    if (link.fault.kind == Fault::Kind::drop) {
      pollfd watch{link.client.fd(), POLLIN, 0};
      if (::poll(&watch, 1, 0) > 0) reset_client(link);  // with what came unread, which is a reset on any socket
      return;
    }
    while (!link.client_gone && link.commands.size() < most_held) {
      const auto got = ::recv(link.client.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      link.client_gone = got <= 0;
      if (link.client_gone || link.answers_ended || link.fault.kind == Fault::Kind::black_hole) continue;
      link.commands.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  void take_answers(Link& link) {
    std::array<char, 64 * 1024> buffer{};
    while (!link.client_gone && !link.answers_ended && link.answers.size() < most_held) {
      const auto got = ::recv(link.server.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      link.answers_ended = got <= 0;
      if (link.answers_ended) link.commands.clear();
      if (link.answers_ended || link.fault.kind == Fault::Kind::mute) continue;
      if (link.answers.empty()) link.due = Clock::now() + link.fault.pace;
      link.answers.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  void give_answers(Link& link) {
    if (link.client_gone) return;
    const bool held = is_paced(link.fault) && link.due > Clock::now();
    if (!link.answers.empty() && !held) give_what_is_due(link);
    if (link.answers_ended && link.answers.empty()) ::shutdown(link.client.fd(), SHUT_WR);
  }
  void give_what_is_due(Link& link) {
    switch (link.fault.kind) {
      case Fault::Kind::drip:
        send_on(link.client, link.answers, 1);
        link.due = Clock::now() + link.fault.pace;
        return;
      case Fault::Kind::cut:
      case Fault::Kind::reset:
        link.fault.after -= send_on(link.client, link.answers, link.fault.after);
        if (link.fault.after == 0 && !link.answers.empty()) end_in_the_middle(link);
        return;
      default: send_on(link.client, link.answers, link.answers.size());
    }
  }
  static bool is_paced(const Fault& fault) {
    return fault.kind == Fault::Kind::drip || fault.kind == Fault::Kind::delay;
  }
  static void end_in_the_middle(Link& link) {
    if (link.fault.kind == Fault::Kind::reset) return reset_client(link);
    link.answers.clear();
    link.commands.clear();
    link.answers_ended = true;  // what the client says is read until it goes: closing earlier would be a reset
  }
  static void reset_client(Link& link) {
    const linger at_once{1, 0};
    (void)::setsockopt(link.client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    link.client_gone = true;
  }
  static std::size_t send_on(const Descriptor& to, std::string& bytes, std::size_t at_most) {
    const auto sent = ::send(to.fd(), bytes.data(), std::min(at_most, bytes.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return 0;
    bytes.erase(0, static_cast<std::size_t>(sent));
    return static_cast<std::size_t>(sent);
  }

  void listen_as(Fault::Kind kind) {
    if (kind == listening_as_) return;
    queue_.clear();
    listener_ = Descriptor{};
    listening_as_ = kind;
    if (kind == Fault::Kind::refuse) return;
    listener_ = listen_with(kind == Fault::Kind::full ? 0 : 128);
    if (listener_.fd() < 0) throw std::runtime_error{"the fault proxy cannot listen again"};
    for (int i = 0; kind == Fault::Kind::full && i < 4; ++i) queue_.push_back(connected(unix_socket_, port_, path_));
  }
  Descriptor listen_with(int backlog) const {
    Descriptor socket = new_socket(unix_socket_);
    const int yes = 1;
    (void)::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (unix_socket_) ::unlink(path_.c_str());
    const bool good = with_address(unix_socket_, port_, path_, [&](const sockaddr* address, socklen_t size) {
      return ::bind(socket.fd(), address, size) == 0 && ::listen(socket.fd(), backlog) == 0;
    });
    return good ? std::move(socket) : Descriptor{};
  }
  // Connected, or about to be, or not to be had.
  static Descriptor connected(bool unix_socket, int port, const std::string& path) {
    Descriptor socket = new_socket(unix_socket);
    const bool good = with_address(unix_socket, port, path, [&](const sockaddr* address, socklen_t size) {
      return ::connect(socket.fd(), address, size) == 0 || errno == EINPROGRESS;
    });
    return good ? std::move(socket) : Descriptor{};
  }
  static Descriptor new_socket(bool unix_socket) {
    return Descriptor{::socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  }
  template <class Use>
  static bool with_address(bool unix_socket, int port, const std::string& path, const Use& use) {
    sockaddr_in tcp{};
    tcp.sin_family = AF_INET;
    tcp.sin_port = htons(static_cast<std::uint16_t>(port));
    tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    path.copy(local.sun_path, sizeof local.sun_path - 1);
    return unix_socket ? use(reinterpret_cast<const sockaddr*>(&local), socklen_t{sizeof local})
                       : use(reinterpret_cast<const sockaddr*>(&tcp), socklen_t{sizeof tcp});
  }

  void ordered(const std::function<void()>& work) {
    std::packaged_task<void()> order{[this, &work] {
      work();
      close_those_gone();
    }};
    auto done = order.get_future();
    {
      const std::lock_guard lock{mutex_};
      orders_.push_back(std::move(order));
    }
    const std::uint64_t one = 1;
    (void)!::write(wake_.fd(), &one, sizeof one);
    done.get();
  }
  void carry_out_orders() {
    std::vector<std::packaged_task<void()>> orders;
    {
      const std::lock_guard lock{mutex_};
      orders.swap(orders_);
    }
    if (orders.empty()) return;
    std::uint64_t woken = 0;
    (void)!::read(wake_.fd(), &woken, sizeof woken);
    for (auto& order : orders) order();
  }
  void close_those_gone() {
    std::erase_if(links_, [](const auto& link) { return link->client_gone; });
    open_ = links_.size();
  }

  TemporaryFolder folder_;
  int server_port_;
  std::string server_path_;
  bool unix_socket_;
  int port_ = 0;
  std::string path_;
  std::atomic<std::size_t> accepted_{0};
  std::atomic<std::size_t> open_{0};
  Descriptor wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> orders_;

  // The thread's own from here on.
  Descriptor listener_;
  Fault::Kind listening_as_ = Fault::Kind::pass;  // or refuse, or full
  std::vector<Descriptor> queue_;                 // what fills it
  std::function<Fault(std::size_t)> choose_ = [](std::size_t) { return Fault::pass(); };
  std::vector<std::unique_ptr<Link>> links_;
  bool stopping_ = false;
  std::thread loop_;
};

}  // namespace support
