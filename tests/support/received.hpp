// What a subscription was called with.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cascor/training/message.hpp"
#include "support/eventually.hpp"

namespace support {

/// Handlers share its state, so that one may outlive the object. Safe from any thread.
class Received {
 public:
  std::function<void(const cascor::Message&)> handler() const {
    return [state = state_](const cascor::Message& message) {
      const std::lock_guard lock{state->mutex};
      state->messages.push_back(message);
    };
  }
  std::function<void()> gap_handler() const {
    return [state = state_] {
      const std::lock_guard lock{state->mutex};
      ++state->gaps;
    };
  }
  void add(const cascor::Message& message) const { handler()(message); }

  bool wait_for(std::size_t count) const {
    return eventually([&] { return size() >= count; });
  }
  std::size_t size() const {
    const std::lock_guard lock{state_->mutex};
    return state_->messages.size();
  }
  std::size_t gaps() const {
    const std::lock_guard lock{state_->mutex};
    return state_->gaps;
  }
  cascor::Message message(std::size_t which) const {
    const std::lock_guard lock{state_->mutex};
    return state_->messages.at(which);
  }
  /// Each as "channel payload".
  std::vector<std::string> all() const {
    const std::lock_guard lock{state_->mutex};
    std::vector<std::string> all;
    for (const auto& message : state_->messages) all.push_back(message.channel + ' ' + message.payload);
    return all;
  }
  std::vector<std::string> channels() const {
    const std::lock_guard lock{state_->mutex};
    std::vector<std::string> all;
    for (const auto& message : state_->messages) all.push_back(message.channel);
    return all;
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<cascor::Message> messages;
    std::size_t gaps = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace support
