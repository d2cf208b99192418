// A redis-server of the program's own: in a folder of its own, on a Unix socket in it, ended with the program.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace examples {

class OwnServer {
 public:
  /// Starts it; throws where no folder can be made.
  OwnServer() {
    std::array<char, 32> name{"/tmp/cascor-outage-XXXXXX"};
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no folder for a redis-server could be made"};
    folder_ = name.data();
    start();
  }
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;
  ~OwnServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string url() const { return "unix://" + folder_ + "/redis.sock"; }
  /// As a crash would end it; what it held is gone.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void start() {
    const std::string socket = folder_ + "/redis.sock";
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error{"a redis-server could not be started"};
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it goes when the program does, however that ends
    if (::getppid() != parent) ::_exit(1);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, fd);
    ::execlp("redis-server", "redis-server", "--port", "0", "--save", "", "--unixsocket", socket.c_str(), "--dir",
             folder_.c_str(), nullptr);
    ::_exit(127);
  }

 private:
  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace examples
