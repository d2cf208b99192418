// Log lines through spdlog. Include it where you set the sink; it is the only file here that knows spdlog.
#pragma once

#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/core/log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// The level that spdlog knows for it. Never throws.
constexpr ::spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return ::spdlog::level::debug;
    case LogLevel::info: return ::spdlog::level::info;
    case LogLevel::warning: return ::spdlog::level::warn;
    case LogLevel::error: return ::spdlog::level::err;
    case LogLevel::off: break;
  }
  return ::spdlog::level::off;
}

/// A sink for set_log_sink() or `CacheConfig::log_sink` that hands each line to `logger` as its message; null is
/// spdlog's default logger at that time. Which lines are made is set_log_level()'s to say, which of them are written
/// the logger's too: for DEBUG lines set both. As safe from several threads as the logger's sinks are ("_mt").
inline LogSink spdlog_sink(std::shared_ptr<::spdlog::logger> logger) {
  if (!logger) logger = ::spdlog::default_logger();
  return [logger = std::move(logger)](LogLevel level, std::string_view message) {
    logger->log(spdlog_level(level), ::spdlog::string_view_t{message.data(), message.size()});
  };
}

/// The name of a line's level as this library writes it, INFO or WARNING: a flag for spdlog's patterns.
class SpdlogLevelName final : public ::spdlog::custom_flag_formatter {
 public:
  void format(const ::spdlog::details::log_msg& message, const std::tm&, ::spdlog::memory_buf_t& into) override {
    const std::string_view name = name_of(message.level);
    into.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<SpdlogLevelName>(); }

 private:
  static std::string_view name_of(::spdlog::level::level_enum level) noexcept {
    switch (level) {
      case ::spdlog::level::trace:
      case ::spdlog::level::debug: return "DEBUG";
      case ::spdlog::level::info: return "INFO";
      case ::spdlog::level::warn: return "WARNING";
      default: return "ERROR";
    }
  }
};

/// A formatter for spdlog's set_formatter(), with spdlog's pattern and `%*` for the level's name. As it stands, lines
/// are those of the default sink: "INFO: Redis connection established: localhost:6379".
inline std::unique_ptr<::spdlog::formatter> spdlog_formatter(std::string pattern = "%*: %v") {
  auto formatter = std::make_unique<::spdlog::pattern_formatter>();
  formatter->add_flag<SpdlogLevelName>('*').set_pattern(std::move(pattern));
  return formatter;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
