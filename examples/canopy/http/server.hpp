// The HTTP server: cpp-httplib parses requests and writes answers; whose turn it is, is decided here. cpp-httplib by
// itself gives a thread to each connection for as long as it lives, which a dashboard with a thousand viewers cannot.
#pragma once

#include <httplib.h>

#include <memory>
#include <string>
#include <string_view>

#include "http/connection.hpp"
#include "http/idle_connections.hpp"
#include "http/routes.hpp"
#include "http/viewers.hpp"
#include "http/workers.hpp"

namespace canopy {

class Server final : private httplib::Server {
 public:
  /// Refers to the routes and the viewers, which must outlive it.
  Server(const Routes& routes, Viewers& viewers);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() override;

  /// Asked before each request; what it throws, as BadRequest, refuses it.
  void guard(std::function<void(const Request&)> check) { check_ = std::move(check); }
  /// Listens from now on; port 0 takes a free one. The port; throws std::system_error where it is not to be had.
  int listen_at(const std::string& host, int port);
  /// No new connections, and waits until the requests that are under way are answered.
  void stop();

  /// In a handler: the request's connection becomes a viewer's stream, which begins with this text.
  static void become_stream(std::string beginning);

 private:
  bool process_and_close_socket(socket_t socket) override;
  void serve(std::unique_ptr<Connection> connection);
  void answer(const Request& request, Response& response) const;

  const Routes& routes_;
  Viewers& viewers_;
  std::function<void(const Request&)> check_;
  std::unique_ptr<IdleConnections> idle_;
  std::unique_ptr<Workers> workers_;
  std::thread accepting_;
};

}  // namespace canopy
