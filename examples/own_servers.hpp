// Several redis-servers of the program's own, on free loopback ports, each in a folder of its own, ended with the
// program by their process ids; and what an operator tells them.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cascor/cache.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace examples {

/// Waits until the condition holds; throws with `what` where that takes more than a minute.
inline void await(const char* what, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes{1};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error{std::string{what} + " did not happen"};
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

class ServerProcess {
 public:
  /// Starts redis-server with the arguments behind the usual ones, and waits until it answers. `configuration`: of a
  /// Sentinel, whose file it is.
  explicit ServerProcess(std::vector<std::string> arguments, const std::string& configuration = {})
      : arguments_{std::move(arguments)}, port_{free_port()} {
    std::array<char, 32> name{"/tmp/cascor-servers-XXXXXX"};
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no folder for a redis-server could be made"};
    folder_ = name.data();
    if (!configuration.empty()) {
      std::ofstream{folder_ + "/sentinel.conf"} << configuration;
      arguments_.insert(arguments_.begin(), {folder_ + "/sentinel.conf", "--sentinel"});
    }
    start();
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  int port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  bool runs() const noexcept { return pid_ > 0; }
  /// As a crash would end it.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// It keeps its connections and answers nothing.
  void stand_still() const { ::kill(pid_, SIGSTOP); }
  void go_on() const { ::kill(pid_, SIGCONT); }
  /// At the same port.
  void start() {
    spawn();
    operator_.reset();
    await("the start of a redis-server", [this] {
      try {
        return tell({"PING"}).text == "PONG";
      } catch (const cascor::CacheError&) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) throw std::runtime_error{"redis-server did not start"};
        return false;
      }
    });
  }

  /// What redis-cli would: one command; throws where there is no answer.
  cascor::Reply tell(const std::vector<std::string>& words) {
    if (!operator_) {
      cascor::CacheConfig config;
      config.redis_url = "redis://" + address() + "/0";
      config.near_cache.enabled = false;
      config.connection_pool.timeout = std::chrono::seconds{1};
      config.log_sink = [](cascor::LogLevel, std::string_view) {};
      operator_ = std::make_unique<cascor::CacheManager>(config);
    }
    std::vector<std::string_view> views{words.begin(), words.end()};
    return operator_->command(views);
  }
  /// One "name:value" field of INFO replication.
  std::string replication(const std::string& name) {
    const std::string text = '\n' + tell({"INFO", "replication"}).text;
    const auto at = text.find('\n' + name + ':');
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 2;
    return text.substr(from, text.find_first_of("\r\n", from) - from);
  }

 private:
  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const general = reinterpret_cast<sockaddr*>(&address);
    int port = 0;
    // A node of a cluster listens at this port and at one 10,000 above it.
    for (unsigned i = 0; i < 1'000 && port == 0; ++i) {
      address.sin_port = htons(
          static_cast<std::uint16_t>(20'000 + (static_cast<unsigned>(::getpid()) * 37 + next++ * 7 + i) % 12'000));
      if (::bind(fd, general, size) == 0) port = ntohs(address.sin_port);
    }
    ::close(fd);
    if (port == 0) throw std::runtime_error{"no port is free"};
    return port;
  }
  void spawn() {
    std::vector<std::string> words{"redis-server"};
    const bool sentinel = arguments_.size() > 1 && arguments_[1] == "--sentinel";
    if (sentinel) words.push_back(arguments_[0]);
    words.insert(words.end(), {"--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "", "--dir", folder_});
    words.insert(words.end(), arguments_.begin() + (sentinel ? 1 : 0), arguments_.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error{"a redis-server could not be started"};
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it goes when the program does, however that ends
    if (::getppid() != parent) ::_exit(1);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, fd);
    ::execvp(argv.front(), argv.data());
    ::_exit(127);
  }

  static inline unsigned next = 0;
  std::vector<std::string> arguments_;
  int port_;
  std::string folder_;
  pid_t pid_ = -1;
  std::unique_ptr<cascor::CacheManager> operator_;
};

}  // namespace examples
