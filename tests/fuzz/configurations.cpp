// Fuzz target: any bytes as a configuration: a YAML text, and after a NUL a value for a variable of each kind. Each is
// a configuration or a ConfigError; what was read is the same when it is written down and read again; and no error has
// the password of the environment.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cascor/config/cache_config.hpp"
#include "cascor/core/errors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view secret = "zQ7-secret";
  static const bool quiet = [] {
    cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
    return true;
  }();
  (void)quiet;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string yaml = input.substr(0, end);
  const std::string value = end < input.size() ? input.substr(end + 1) : std::string{};
  const bool names_secret = input.find("secret") != std::string::npos;
  cascor::Environment environment{{"REDIS_PASSWORD", std::string{secret}}};
  if (!value.empty() && value.find('\0') == std::string::npos) {
    environment.insert_or_assign("CASCOR_CACHE_REDIS_URL", value);
    environment.insert_or_assign("CASCOR_CACHE_MAX_MEMORY_MB", value);
    environment.insert_or_assign("CASCOR_CACHE_ENABLED", value);
  }
  try {
    const auto config = cascor::CacheConfig::parse(yaml, "fuzz.yaml", environment);
    const std::string written = config.to_yaml();
    const bool is_put_elsewhere = input.find("REDIS_PASSWORD") != std::string::npos;  // as the namespace, say
    if (!names_secret && !is_put_elsewhere && written.find(secret) != std::string::npos) std::abort();
    if (written.find("${") != std::string::npos) return 0;  // would be read as a variable
    const auto again = cascor::CacheConfig::parse(written, "fuzz.yaml", cascor::Environment{});
    if (again.key_namespace != config.key_namespace || again.max_memory_mb != config.max_memory_mb ||
        again.ttl != config.ttl || again.type != config.type || again.prefix_ttl.metrics != config.prefix_ttl.metrics ||
        again.history.directory != config.history.directory || again.near_prefixes() != config.near_prefixes()) {
      std::abort();
    }
  } catch (const cascor::ConfigError& error) {
    const std::string said = std::string{error.what()} + error.hint();
    if (!names_secret && said.find(secret) != std::string::npos) std::abort();
  }
  return 0;
}
