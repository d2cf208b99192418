// The process-wide sink and level. The mutex guards the sink's pointer only: no sink runs under it.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

#include "cascor/core/log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

struct LogState {
  std::atomic<LogLevel> level{LogLevel::info};
  std::mutex mutex;
  std::shared_ptr<const LogSink> sink;  // null: standard error
};

inline LogState& log_state() {
  // Never destroyed: threads may still log while the process ends.
  static LogState* const state = [] {
    // A child finds the mutex free and the pointer whole, whichever thread was forked; nothing waits under it.
    (void)::pthread_atfork([] { log_state().mutex.lock(); }, [] { log_state().mutex.unlock(); },
                           [] { log_state().mutex.unlock(); });
    return new LogState;
  }();
  return *state;
}

}  // namespace detail

CASCOR_CACHE_DEF void set_log_sink(LogSink sink) {
  auto next = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
  auto& state = detail::log_state();
  const std::lock_guard lock{state.mutex};
  state.sink.swap(next);
}

CASCOR_CACHE_DEF void set_log_level(LogLevel level) noexcept {
  detail::log_state().level.store(level, std::memory_order_relaxed);
}

CASCOR_CACHE_DEF LogLevel log_level() noexcept { return detail::log_state().level.load(std::memory_order_relaxed); }

CASCOR_CACHE_DEF std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte <= '~') {
      line.push_back(c);
    } else {
      line.append({'\\', 'x', digits[byte >> 4U], digits[byte & 15U]});
    }
  }
  return line;
}

CASCOR_CACHE_DEF void Log::write(LogLevel level, std::string_view message) const noexcept {
  if (!wants(level)) return;
  try {
    if (sink_) return sink_(level, message);
    auto& state = detail::log_state();
    std::shared_ptr<const LogSink> sink;
    {
      const std::lock_guard lock{state.mutex};
      sink = state.sink;
    }
    if (sink) return (*sink)(level, message);
    // One write a line, so that lines of several threads or processes do not mix.
    std::string line{to_string(level)};
    line.append(": ").append(message).push_back('\n');
    std::fwrite(line.data(), 1, line.size(), stderr);
  } catch (...) {  // a sink that throws must not break the call that logged
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
