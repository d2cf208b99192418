#include "http/server.hpp"

#include <sys/socket.h>

#include <cascor/cache.hpp>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "http/reply.hpp"

namespace canopy {
namespace {

constexpr std::size_t most_workers = 64;
constexpr std::size_t largest_body = 64 * 1024;
constexpr std::chrono::seconds request_time{10};
constexpr int backlog = 1'024;

thread_local Connection* serving = nullptr;

/// Accepted connections are handed on at once, so cpp-httplib needs no threads of its own.
class AtOnce final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> work) override { work(); }
  void shutdown() override {}
};

bool has_body(const Request& request) {
  return request.has_header("Transfer-Encoding") ||
         request.get_header_value("Content-Length", 0).find_first_not_of('0') != std::string::npos;
}

/// Who tells no length sends no body, as `curl -X POST` does: cpp-httplib would wait for the connection's end.
void say_no_body(Request& request) {
  if (!request.has_header("Transfer-Encoding") && !request.has_header("Content-Length")) {
    request.set_header("Content-Length", "0");
  }
}

}  // namespace

Server::Server(const Routes& routes, Viewers& viewers) : routes_{routes}, viewers_{viewers} {
  new_task_queue = [] { return new AtOnce; };  // NOLINT(cppcoreguidelines-owning-memory): cpp-httplib deletes it
  set_payload_max_length(largest_body);
  const auto handler = [this](const Request& request, Response& response) { answer(request, response); };
  for (const auto add : {&httplib::Server::Get, &httplib::Server::Options}) (this->*add)(".*", handler);
  Post(".*", handler);
  Put(".*", handler);
  Patch(".*", handler);
  Delete(".*", handler);
  set_exception_handler([](const Request&, Response& response, const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const BadRequest& refused) {
      send_error(response, refused.status, refused.what());
    } catch (const std::exception& error) {
      cascor::Log{}.error("A request failed: " + cascor::printable(error.what()));
      send_error(response, 500, "this failed, and the server's log says why");
    }
  });
  // What never reached a handler.
  set_error_handler([](const Request&, Response& response) {
    if (!response.body.empty() || response.status < 400) return;
    const int status = response.status;
    send_error(response, status, status == 413 ? "the body is too large" : "this is no request that can be answered");
  });
  // Where a body was not read, what follows is no request.
  set_logger([](const Request& request, const Response& response) {
    const bool unread =
        (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS") && has_body(request);
    if (unread || response.status == 400 || response.status == 413 || response.status == 414)
      serving->close_afterwards();
  });
}

Server::~Server() { stop(); }

int Server::listen_at(const std::string& host, int port) {
  // Not SO_REUSEPORT, as cpp-httplib has it: a second server would share the port, and both get half of the requests.
  set_socket_options([](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  errno = 0;
  const int bound = port == 0 ? bind_to_any_port(host) : bind_to_port(host, port) ? port : -1;
  if (bound <= 0) {
    throw std::system_error{errno, std::generic_category(), "cannot listen at " + host + ":" + std::to_string(port)};
  }
  ::listen(svr_sock_, backlog);  // cpp-httplib's own is 5
  workers_ = std::make_unique<Workers>(most_workers);
  idle_ = std::make_unique<IdleConnections>([this](std::unique_ptr<Connection> connection) {
    // std::function wants what it holds to be copied.
    workers_->give([this, shared = std::make_shared<std::unique_ptr<Connection>>(std::move(connection))] {
      serve(std::move(*shared));
    });
  });
  accepting_ = std::thread{[this] { listen_after_bind(); }};
  return bound;
}

void Server::stop() {
  if (!accepting_.joinable()) return;
  while (!is_running()) std::this_thread::yield();  // else stop() would do nothing
  httplib::Server::stop();
  accepting_.join();
  idle_->stop();
  workers_.reset();
  idle_.reset();
}

void Server::become_stream(std::string beginning) { serving->become_stream(std::move(beginning)); }

bool Server::process_and_close_socket(socket_t socket) {
  idle_->keep(std::make_unique<Connection>(socket));
  return true;
}

void Server::serve(std::unique_ptr<Connection> connection) {
  do {
    connection->begin_request(request_time);
    serving = connection.get();
    bool close = false;
    const bool answered = process_request(*connection, false, close, say_no_body);
    serving = nullptr;
    if (answered && connection->stream()) return viewers_.add(std::move(connection));
    if (!connection->finish_answer() || !answered || close || connection->to_be_closed()) return;
  } while (connection->has_input());
  idle_->keep(std::move(connection));
}

void Server::answer(const Request& request, Response& response) const {
  if (check_) check_(request);
  routes_.answer(request, response);
}

}  // namespace canopy
