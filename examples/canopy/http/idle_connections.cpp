#include "http/idle_connections.hpp"

#include <utility>

namespace canopy {
namespace {

constexpr std::chrono::seconds kept_for{60};
constexpr std::chrono::seconds look_every{5};

}  // namespace

IdleConnections::IdleConnections(HandOver on_input)
    : on_input_{std::move(on_input)}, thread_{[this](const std::stop_token& stop) { watch(stop); }} {}

IdleConnections::~IdleConnections() { stop(); }

void IdleConnections::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  poller_.wake();
  thread_.join();
}

void IdleConnections::keep(std::unique_ptr<Connection> connection) {
  const int socket = connection->socket();
  const std::lock_guard lock{mutex_};
  idle_[socket] = {std::move(connection), Connection::Clock::now()};
  poller_.watch(socket, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
}

void IdleConnections::watch(const std::stop_token& stop) {
  auto looked = Connection::Clock::now();
  while (!stop.stop_requested()) {
    poller_.wait(look_every, [this](int socket, std::uint32_t) { hand_over(socket); });
    if (Connection::Clock::now() - looked < look_every) continue;
    looked = Connection::Clock::now();
    close_forgotten();
  }
}

void IdleConnections::hand_over(int socket) {
  std::unique_lock lock{mutex_};
  auto found = idle_.extract(socket);
  lock.unlock();
  if (found) on_input_(std::move(found.mapped().connection));
}

void IdleConnections::close_forgotten() {
  const auto now = Connection::Clock::now();
  const std::lock_guard lock{mutex_};
  std::erase_if(idle_, [now](const auto& idle) { return now - idle.second.since > kept_for; });
}

}  // namespace canopy
