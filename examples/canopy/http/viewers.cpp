#include "http/viewers.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <iterator>
#include <utility>

namespace canopy {
namespace {

constexpr std::chrono::seconds comment_every{15};  ///< so that proxies and the client know that it lives
constexpr std::chrono::seconds look_every{1};
constexpr std::chrono::seconds patience{60};  ///< with a client that takes nothing
constexpr int send_buffer = 32 * 1024;        ///< what a client that does not read may pile up in the kernel

const std::shared_ptr<const std::string> comment = std::make_shared<const std::string>(": still here\n\n");

}  // namespace

std::string event_text(std::string_view name, std::string_view id, std::string_view data) {
  std::string text = "event: ";
  text.append(name).append("\n");
  if (!id.empty()) text.append("id: ").append(id).append("\n");
  return text.append("data: ").append(data).append("\n\n");
}

Viewers::Viewers() : thread_{[this](const std::stop_token& stop) { work(stop); }} {}

Viewers::~Viewers() {
  thread_.request_stop();
  poller_.wake();
  thread_.join();
}

void Viewers::tell(Topic topic, std::string event) {
  {
    const std::lock_guard lock{mutex_};
    News& news = newest_[static_cast<std::size_t>(topic)];
    ++news.number;
    news.text = std::make_shared<const std::string>(std::move(event));
  }
  poller_.wake();
}

void Viewers::add(std::unique_ptr<Connection> connection) {
  {
    const std::lock_guard lock{mutex_};
    new_ones_.push_back(std::move(connection));
  }
  poller_.wake();
}

void Viewers::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    // Only those that a full buffer kept waiting are watched for writing; the news concern all.
    poller_.wait(look_every, [this](int socket, std::uint32_t events) {
      const auto found = viewers_.find(socket);
      if (found == viewers_.end()) return;
      const bool gone = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      if (gone || !send_rest(found->second)) {
        viewers_.erase(found);
      } else if (found->second.waits && !found->second.sending) {
        found->second.waits = false;
        poller_.watch(socket, EPOLLRDHUP);
      }
    });
    Newest newest;
    {
      const std::lock_guard lock{mutex_};
      newest = newest_;
    }
    welcome(newest);
    for (auto at = viewers_.begin(); at != viewers_.end();) {
      at = send_news(at->second, newest) ? std::next(at) : viewers_.erase(at);
    }
    count_ = viewers_.size();
  }
}

void Viewers::welcome(const Newest& newest) {
  std::vector<std::unique_ptr<Connection>> new_ones;
  {
    const std::lock_guard lock{mutex_};
    new_ones.swap(new_ones_);
  }
  for (auto& connection : new_ones) {
    const int socket = connection->socket();
    ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    Viewer viewer;
    viewer.sending = std::make_shared<const std::string>(std::move(*connection->stream()));
    viewer.connection = std::move(connection);
    viewer.last = Connection::Clock::now();
    // A command's acknowledgement is for who asked at that time.
    viewer.seen[static_cast<std::size_t>(Topic::command)] = newest[static_cast<std::size_t>(Topic::command)].number;
    viewers_.insert_or_assign(socket, std::move(viewer));
    poller_.watch(socket, EPOLLRDHUP);
  }
}

/// False where the client has gone.
bool Viewers::send_news(Viewer& viewer, const Newest& newest) const {
  if (viewer.waits) return Connection::Clock::now() - viewer.last < patience;
  if (!send_rest(viewer)) return false;
  for (std::size_t topic = 0; topic < topics && !viewer.sending; ++topic) {
    if (viewer.seen[topic] == newest[topic].number) continue;
    viewer.seen[topic] = newest[topic].number;
    viewer.sending = newest[topic].text;
    if (!send_rest(viewer)) return false;
  }
  if (!viewer.sending && Connection::Clock::now() - viewer.last > comment_every) {
    viewer.sending = comment;
    if (!send_rest(viewer)) return false;
  }
  if (viewer.sending) {
    viewer.waits = true;
    poller_.watch(viewer.connection->socket(), EPOLLRDHUP | EPOLLOUT);
  }
  return true;
}

bool Viewers::send_rest(Viewer& viewer) {
  while (viewer.sending) {
    const ssize_t sent = ::send(viewer.connection->socket(), viewer.sending->data() + viewer.sent,
                                viewer.sending->size() - viewer.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    viewer.sent += static_cast<std::size_t>(sent);
    viewer.last = Connection::Clock::now();
    if (viewer.sent < viewer.sending->size()) continue;
    viewer.sending.reset();
    viewer.sent = 0;
  }
  return true;
}

}  // namespace canopy
