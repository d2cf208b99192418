// Log lines: level first, to a sink that the application may set. A change of state is logged once, not once a call.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

enum class LogLevel { debug, info, warning, error, off };

/// "DEBUG", "INFO", "WARNING", "ERROR".
constexpr std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO";
    case LogLevel::warning: return "WARNING";
    case LogLevel::error: return "ERROR";
    case LogLevel::off: break;
  }
  return "OFF";
}

/// Receives each line at or above the level, without the level's name and without a newline. May be called from any
/// thread, so it must be safe to call from several at once; what it throws is swallowed: logging never breaks a call.
using LogSink = std::function<void(LogLevel, std::string_view message)>;

/// Sets the process-wide sink; an empty function restores the default: "LEVEL: message" on standard error.
/// A manager whose `CacheConfig::log_sink` is set uses that instead. Thread-safe.
CASCOR_CACHE_FN void set_log_sink(LogSink sink);

/// Sets the process-wide level (INFO at start): lines below it are not made. Thread-safe.
CASCOR_CACHE_FN void set_log_level(LogLevel level) noexcept;
CASCOR_CACHE_FN LogLevel log_level() noexcept;

/// `text` as one line of a log: printable ASCII as it is, any other byte as `\\xNN`, so that what an application or a
/// peer chose cannot look like another line.
CASCOR_CACHE_FN std::string printable(std::string_view text);

/// One component's way to the log: the process-wide sink and level, or its own. Thread-safe, cheap to copy.
class Log {
 public:
  Log() = default;
  explicit Log(LogSink sink) : sink_{std::move(sink)} {}
  Log(LogSink sink, LogLevel level) : sink_{std::move(sink)}, level_{level}, own_level_{true} {}

  /// Would a line of this level be written? Ask before building an expensive message.
  bool wants(LogLevel level) const noexcept { return level >= (own_level_ ? level_ : log_level()); }
  CASCOR_CACHE_FN void write(LogLevel level, std::string_view message) const noexcept;
  void debug(std::string_view message) const noexcept { write(LogLevel::debug, message); }
  void info(std::string_view message) const noexcept { write(LogLevel::info, message); }
  void warning(std::string_view message) const noexcept { write(LogLevel::warning, message); }
  void error(std::string_view message) const noexcept { write(LogLevel::error, message); }

 private:
  LogSink sink_;
  LogLevel level_ = LogLevel::info;
  bool own_level_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/log.ipp"
#endif
