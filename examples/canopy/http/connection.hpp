// One client's connection, as cpp-httplib reads requests from it and writes answers to it.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace canopy {

/// Reads are buffered, as requests are read byte by byte; an answer is gathered, and sent in one piece. A request has a
/// time by which all of it must have come and been answered, however slowly it drips. For one thread at a time.
class Connection final : public httplib::Stream {
 public:
  using Clock = std::chrono::steady_clock;

  /// Owns the socket, which it makes non-blocking.
  explicit Connection(int socket);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override;

  /// Is there something to read now, of a next request, or the news of its end?
  bool has_input() const;
  void begin_request(std::chrono::milliseconds time);
  /// Sends what was written; false where the client does not take it in time.
  bool finish_answer();
  /// In place of an answer, and for good: the connection is a viewer's stream, which begins with this text.
  void become_stream(std::string beginning) { stream_ = std::move(beginning); }
  std::optional<std::string>& stream() noexcept { return stream_; }
  void close_afterwards() noexcept { close_ = true; }
  bool to_be_closed() const noexcept { return close_; }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* into, size_t size) override;
  ssize_t write(const char* text, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  bool wait_for(short what) const;
  bool send_all(std::string_view text) const;

  const int socket_;
  Clock::time_point until_;
  std::array<char, 4096> input_;
  std::size_t next_ = 0;  // of what is in input_
  std::size_t end_ = 0;
  std::string answer_;
  std::optional<std::string> stream_;
  bool close_ = false;
};

}  // namespace canopy
