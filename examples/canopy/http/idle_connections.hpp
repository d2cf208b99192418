// Connections on which no request is under way. They cost a watched socket each, and no thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "http/connection.hpp"
#include "http/poller.hpp"

namespace canopy {

/// The mutex guards the connections; it is not held while one is handed over.
class IdleConnections {
 public:
  using HandOver = std::function<void(std::unique_ptr<Connection>)>;

  /// `on_input` gets a connection as soon as there is something to read on it.
  explicit IdleConnections(HandOver on_input);
  ~IdleConnections();

  /// Keeps a connection until there is something to read on it, or it is closed, or for a minute. Any thread.
  void keep(std::unique_ptr<Connection> connection);
  /// Hands over none from now on.
  void stop();

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    Connection::Clock::time_point since;
  };

  void watch(const std::stop_token& stop);
  void hand_over(int socket);
  void close_forgotten();

  const HandOver on_input_;
  Poller poller_;
  std::mutex mutex_;
  std::unordered_map<int, Idle> idle_;
  std::jthread thread_;
};

}  // namespace canopy
