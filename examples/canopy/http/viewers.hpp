// The viewers' streams (Server-Sent Events). A slow one gets the newest state, not an ever longer queue: nothing is
// queued for a viewer at all, who is only known to have seen this or that of what is newest.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http/connection.hpp"
#include "http/poller.hpp"

namespace canopy {

/// What is told on a stream; of each the newest counts.
enum class Topic : unsigned char { metrics, topology, status, command };
inline constexpr std::size_t topics = 4;

/// One event as it is sent. `id` may be empty.
std::string event_text(std::string_view name, std::string_view id, std::string_view data);

/// The mutex guards what is newest and who has come; all streams are one thread's. Safe from any thread.
class Viewers {
 public:
  Viewers();
  Viewers(const Viewers&) = delete;
  Viewers& operator=(const Viewers&) = delete;
  ~Viewers();

  /// Tells everybody, as soon as they can take it; who cannot gets the next newest instead.
  void tell(Topic topic, std::string event);
  /// A connection that has become a stream.
  void add(std::unique_ptr<Connection> connection);
  std::size_t count() const noexcept { return count_; }

 private:
  struct News {
    std::uint64_t number = 0;  // grows with each
    std::shared_ptr<const std::string> text;
  };
  using Newest = std::array<News, topics>;
  struct Viewer {
    std::unique_ptr<Connection> connection;
    std::shared_ptr<const std::string> sending;  // the rest of it, from sent on, is still to go
    std::size_t sent = 0;
    std::array<std::uint64_t, topics> seen{};
    Connection::Clock::time_point last;
    bool waits = false;  // until its socket takes more
  };

  void work(const std::stop_token& stop);
  void welcome(const Newest& newest);
  bool send_news(Viewer& viewer, const Newest& newest) const;
  static bool send_rest(Viewer& viewer);

  Poller poller_;
  std::mutex mutex_;
  Newest newest_;
  std::vector<std::unique_ptr<Connection>> new_ones_;
  std::atomic<std::size_t> count_{0};
  std::unordered_map<int, Viewer> viewers_;  // the thread's
  std::jthread thread_;
};

}  // namespace canopy
