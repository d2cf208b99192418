#include "http/poller.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace canopy {

Poller::Poller() : poller_{::epoll_create1(EPOLL_CLOEXEC)}, wake_up_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (poller_ < 0 || wake_up_ < 0) throw std::system_error{errno, std::generic_category(), "epoll"};
  watch(wake_up_, EPOLLIN);
}

Poller::~Poller() {
  ::close(wake_up_);
  ::close(poller_);
}

void Poller::watch(int socket, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  if (::epoll_ctl(poller_, EPOLL_CTL_MOD, socket, &event) == 0 || errno != ENOENT) return;
  ::epoll_ctl(poller_, EPOLL_CTL_ADD, socket, &event);
}

void Poller::forget(int socket) const { ::epoll_ctl(poller_, EPOLL_CTL_DEL, socket, nullptr); }

void Poller::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_up_, &one, sizeof one);
}

void Poller::take_wake_up() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_up_, &count, sizeof count);
}

}  // namespace canopy
