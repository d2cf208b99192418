// What the tests of the configuration share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cascor/config/cache_config.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/log.hpp"

// As the library: config_no_tls_test.cpp is compiled otherwise than the rest of the program.
inline namespace CASCOR_CACHE_ABI {

/// What the ConfigError says that `call` throws; "nothing was thrown" where it returns.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const cascor::ConfigError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// The lines of `backend.cache`, in a file: they begin in line 3, column 5.
inline std::string cache_with(std::string_view lines) {
  std::string text = "backend:\n  cache:\n";
  for (std::string_view rest = lines; !rest.empty();) {
    const auto end = rest.find('\n');
    text.append("    ").append(rest.substr(0, end)).append("\n");
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return text;
}

inline cascor::CacheConfig parse_cache(std::string_view lines, const cascor::Environment& environment = {}) {
  return cascor::CacheConfig::parse(cache_with(lines), "app.yaml", environment);
}

inline std::string error_of_cache(std::string_view lines, const cascor::Environment& environment = {}) {
  return error_of([&] { parse_cache(lines, environment); });
}

/// Collects what is logged while it lives.
class LoggedLines {
 public:
  LoggedLines() {
    cascor::set_log_sink([this](cascor::LogLevel level, std::string_view message) {
      lines_.push_back(std::string{to_string(level)}.append(": ").append(message));
    });
  }
  LoggedLines(const LoggedLines&) = delete;
  LoggedLines& operator=(const LoggedLines&) = delete;
  ~LoggedLines() { cascor::set_log_sink({}); }

  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace CASCOR_CACHE_ABI
