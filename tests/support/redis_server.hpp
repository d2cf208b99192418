// A redis-server of the test's own: a free loopback port or a Unix socket, its own folder, ended by its process id.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/core/reply.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

namespace support {

/// A loopback port that nothing listens on now. Below the range that the system gives to outgoing connections, so that
/// none of those takes it while a server is down.
inline bool is_free(int port, bool ipv6) {
  const int fd = ::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(port));
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = v4.sin_port;
  v6.sin6_addr = in6addr_loopback;
  const int bound = ipv6 ? ::bind(fd, reinterpret_cast<const sockaddr*>(&v6), sizeof v6)
                         : ::bind(fd, reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  ::close(fd);
  return bound == 0;
}
inline int free_port(bool ipv6 = false) {
  static std::mt19937 generator{std::random_device{}()};
  while (true) {
    const int port = std::uniform_int_distribution{20'000, 31'999}(generator);
    // The nodes of a cluster talk at the port 10,000 above, which some connection may have as its own.
    if (is_free(port, ipv6) && is_free(port + 10'000, ipv6)) return port;
  }
}

/// Of a Redis Sentinel: sentinel.conf, and the password that it asks for.
struct SentinelConfiguration {
  std::string text{};
  std::string password{};
};

class RedisServer {
 public:
  enum class Where { ipv4, ipv6, unix_socket };

  /// A template, so that two arguments in braces are not taken for a configuration.
  template <std::same_as<SentinelConfiguration> Sentinel>
  explicit RedisServer(const Sentinel& sentinel) : RedisServer{{"--sentinel"}, Where::ipv4, sentinel} {}
  /// Starts it with `arguments` behind the usual ones, and waits until that very process answers; throws, which fails
  /// the test, where it cannot be had. Start it from a thread that outlives it: it ends with that thread.
  explicit RedisServer(std::vector<std::string> arguments = {}, Where where = Where::ipv4,
                       const SentinelConfiguration& sentinel = {})
      : arguments_{std::move(arguments)}, where_{where} {
    if (!sentinel.text.empty()) {
      file_ = (folder_.path() / "sentinel.conf").string();
      std::ofstream{file_} << sentinel.text;
      password_ = sentinel.password;
    }
    const auto password = std::find(arguments_.begin(), arguments_.end(), "--requirepass");
    if (password != arguments_.end()) password_ = *std::next(password);
    for (int attempt = 0; attempt < 10; ++attempt) {  // somebody else may take the port first
      port_ = where_ == Where::unix_socket ? 0 : free_port(where_ == Where::ipv6);
      if (try_start()) return;
    }
    throw std::runtime_error{"no redis-server could be started: " + log()};
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer() { kill(); }

  int port() const noexcept { return port_; }
  std::string socket_path() const { return (folder_.path() / "redis.sock").string(); }
  std::string host() const { return where_ == Where::ipv6 ? "::1" : "127.0.0.1"; }
  /// "127.0.0.1:20123", or the socket's path: as the library's messages name it.
  std::string address() const {
    if (where_ == Where::unix_socket) return socket_path();
    return (where_ == Where::ipv6 ? "[::1]:" : "127.0.0.1:") + std::to_string(port_);
  }
  /// `credentials` as "user:password" or ":password".
  std::string url(const std::string& credentials = {}, int database = 0) const {
    const std::string who = credentials.empty() ? "" : credentials + '@';
    if (where_ == Where::unix_socket) return "unix://" + who + socket_path() + "?db=" + std::to_string(database);
    return "redis://" + who + address() + '/' + std::to_string(database);
  }

  /// Ends it in an orderly way; what it held is gone unless SAVE was sent before.
  void stop() { end(SIGTERM); }
  /// As a crash would.
  void kill() { end(SIGKILL); }
  /// At the same port again, with more arguments.
  void start(const std::vector<std::string>& more = {}) {
    arguments_.insert(arguments_.end(), more.begin(), more.end());
    for (int attempt = 0; attempt < 5; ++attempt) {
      if (try_start()) return;
    }
    throw std::runtime_error{"redis-server did not start again: " + log()};
  }
  bool runs() { return !has_ended(); }
  /// It keeps its connections and answers nothing.
  void pause() const { ::kill(pid_, SIGSTOP); }
  void resume() const { ::kill(pid_, SIGCONT); }

  /// Sends a command by plain hiredis and gives its answer; throws where there is none.
  cascor::Reply raw(const std::vector<std::string>& command) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (!context_ && !connect()) break;
      if (auto reply = exchange(command)) return converted(*reply);
      context_.reset();  // the test may have killed this connection too
    }
    throw std::runtime_error{"no answer from the redis-server"};
  }
  template <class... Words>
  cascor::Reply raw(const std::string& first, const Words&... words) {
    return raw(std::vector<std::string>{first, std::string{words}...});
  }
  /// One "name:value" field of INFO.
  std::string info(const std::string& name) {
    const std::string all = '\n' + raw("INFO", "everything").text;
    const auto at = all.find('\n' + name + ':');
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 2;
    return all.substr(from, all.find_first_of("\r\n", from) - from);
  }
  /// Connections other than that of raw().
  std::size_t clients() { return std::stoul(info("connected_clients")) - 1; }

 private:
  struct FreeContext {
    void operator()(redisContext* context) const noexcept { redisFree(context); }
  };
  struct FreeReply {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
  };
  using RawReply = std::unique_ptr<redisReply, FreeReply>;

  bool try_start() {
    std::vector<std::string> words{"redis-server"};
    if (!file_.empty()) words.push_back(file_);
    for (const std::string& word : {std::string{"--save"}, std::string{}, std::string{"--dir"}, folder_.path().string(),
                                    std::string{"--port"}, std::to_string(port_), std::string{"--logfile"},
                                    std::string{"redis.log"}, std::string{"--loglevel"}, std::string{"warning"}}) {
      words.push_back(word);
    }
    const auto add = [&words](std::string name, std::string value) {
      words.push_back(std::move(name));
      words.push_back(std::move(value));
    };
    if (where_ == Where::unix_socket) {
      add("--unixsocket", socket_path());
    } else {
      add("--bind", host());
    }
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    spawn(words);
    const bool ours = eventually([this] { return answers() || has_ended(); }) && pid_ > 0;
    if (!ours) kill();
    return ours;
  }
  void spawn(std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error{"fork failed"};
    if (pid_ != 0) return;
    // Between fork and exec only what a child of a process with threads may do.
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, fd);
    ::execvp(argv.front(), argv.data());
    ::_exit(127);
  }
  bool has_ended() {
    int status = 0;
    if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
  }
  void end(int signal) {
    context_.reset();
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::kill(pid_, SIGCONT);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  // Is it this process that answers there, and is it ready to?
  bool answers() {
    if (!context_ && !connect()) return false;
    const RawReply reply = exchange({"INFO", "server"});
    const bool ours = reply && reply->type == REDIS_REPLY_STRING &&
                      std::string{reply->str, static_cast<std::size_t>(reply->len)}.find(
                          "process_id:" + std::to_string(pid_) + "\r") != std::string::npos;
    if (!ours) context_.reset();
    return ours;
  }
  bool connect() {
    const timeval patience{10, 0};
    context_.reset(where_ == Where::unix_socket ? redisConnectUnixWithTimeout(socket_path().c_str(), patience)
                                                : redisConnectWithTimeout(host().c_str(), port_, patience));
    if (!context_ || context_->err != 0) {
      context_.reset();
      return false;
    }
    redisSetTimeout(context_.get(), patience);
    return password_.empty() || exchange({"AUTH", password_}) != nullptr;
  }
  RawReply exchange(const std::vector<std::string>& command) {
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    return RawReply{static_cast<redisReply*>(
        redisCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(), sizes.data()))};
  }
  static cascor::Reply converted(const redisReply& from) {
    cascor::Reply to;
    using Kind = cascor::Reply::Kind;
    constexpr std::array kinds{Kind::nil, Kind::string, Kind::array, Kind::integer,
                               Kind::nil, Kind::status, Kind::error};
    to.kind = kinds.at(static_cast<std::size_t>(from.type));
    to.integer = from.integer;
    if (from.str != nullptr) to.text.assign(from.str, static_cast<std::size_t>(from.len));
    for (std::size_t i = 0; i < from.elements; ++i) to.elements.push_back(converted(*from.element[i]));
    return to;
  }
  std::string log() const {
    std::ostringstream text;
    text << std::ifstream{folder_.path() / "redis.log"}.rdbuf();
    const std::string all = text.str();
    return all.substr(all.size() - std::min<std::size_t>(all.size(), 500));
  }

  TemporaryFolder folder_;
  std::vector<std::string> arguments_;
  Where where_;
  std::string file_;  // of its configuration; empty: none
  std::string password_;
  int port_ = 0;
  pid_t pid_ = -1;
  std::unique_ptr<redisContext, FreeContext> context_;
};

/// Waits until the replica has all that its master has now; false where it does not get there. (WAIT is of the writes
/// of its own connection.)
inline bool eventually_in_step(RedisServer& master, RedisServer& replica) {
  const auto offset = std::stoll(master.info("master_repl_offset"));
  return eventually([&] { return std::stoll('0' + replica.info("slave_repl_offset")) >= offset; },
                    std::chrono::seconds{60});
}

}  // namespace support
