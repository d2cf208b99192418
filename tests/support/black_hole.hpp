// An address that swallows whoever wants to connect.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace support {

/// A listener whose queue is full: the system drops the packets of whoever else wants to connect.
class BlackHole {
 public:
  BlackHole() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const general = reinterpret_cast<sockaddr*>(&address);
    const int listener = open_socket();
    if (::bind(listener, general, size) != 0 || ::listen(listener, 0) != 0 ||
        ::getsockname(listener, general, &size) != 0) {
      throw std::runtime_error{"no black hole"};
    }
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 4; ++i) (void)::connect(open_socket(), general, size);
  }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  ~BlackHole() {
    for (const int fd : sockets_) ::close(fd);
  }
  int port() const { return port_; }

 private:
  int open_socket() {
    sockets_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return sockets_.back();
  }
  std::vector<int> sockets_;
  int port_ = 0;
};

}  // namespace support
