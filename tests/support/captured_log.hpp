// A log sink that remembers, as "LEVEL: message" lines.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/log.hpp"

namespace support {

/// Copies share their lines, so that a sink may outlive the object it came from. Safe from any thread.
class CapturedLog {
 public:
  cascor::LogSink sink() const {
    return [state = state_](cascor::LogLevel level, std::string_view message) {
      const std::lock_guard lock{state->mutex};
      state->lines.push_back(std::string{to_string(level)}.append(": ").append(message));
    };
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock{state_->mutex};
    return state_->lines;
  }
  /// How many lines begin with `start`?
  std::size_t count(std::string_view start) const {
    const auto all = lines();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [start](const std::string& line) { return line.starts_with(start); }));
  }
  bool mentions(std::string_view text) const {
    const auto all = lines();
    return std::any_of(all.begin(), all.end(),
                       [text](const std::string& line) { return line.find(text) != line.npos; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::string> lines;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace support
