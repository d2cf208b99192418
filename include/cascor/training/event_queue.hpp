// The messages that wait for one handler, and where some are missing among them: a decision object.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "cascor/training/message.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// In order, and bounded: past `max_messages`, or past `max_bytes` of text, the oldest go, and there is a gap where
/// they were. Guarded by its owner.
template <class CascorWhenUsed = void>
class EventQueue {
 public:
  static constexpr std::size_t max_messages = 65'536;
  static constexpr std::size_t max_bytes = std::size_t{256} << 20;

  using Shared = std::shared_ptr<const Dependent<Message, CascorWhenUsed>>;
  struct Next {
    bool after_gap = false;
    Shared message;  ///< null: the gap alone
  };

  void push(Shared message) {
    bytes_ += bytes_of(*message);
    waiting_.push_back({std::exchange(gap_at_end_, false), std::move(message)});
    while (waiting_.size() > max_messages || (bytes_ > max_bytes && waiting_.size() > 1)) {
      bytes_ -= bytes_of(*waiting_.front().message);
      waiting_.pop_front();
      waiting_.front().after_gap = true;
    }
  }
  /// What comes from here on does not follow what came before.
  void gap() noexcept { gap_at_end_ = true; }
  bool empty() const noexcept { return waiting_.empty() && !gap_at_end_; }
  /// Of a queue that is not empty.
  Next pop() {
    if (waiting_.empty()) return {std::exchange(gap_at_end_, false), nullptr};
    Next next = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_ -= bytes_of(*next.message);
    return next;
  }

 private:
  static std::size_t bytes_of(const Message& message) noexcept {
    return message.channel.size() + message.payload.size();
  }

  std::deque<Next> waiting_;
  std::size_t bytes_ = 0;
  bool gap_at_end_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
