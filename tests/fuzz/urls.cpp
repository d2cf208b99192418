// Fuzz target: any bytes as a Redis URL. Each is taken apart or is a ConfigError; what was taken apart is the same when
// it is written down and read again; and a password is in no text that is made of it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cascor/config/redis_url.hpp"
#include "cascor/core/errors.hpp"

namespace {

// One that is in nothing else.
constexpr std::string_view secret = "zQ7-secret";

std::string said_of(const std::string& text) {
  try {
    return to_string(cascor::RedisUrl::parse(text));
  } catch (const cascor::ConfigError& error) {
    return std::string{error.what()} + error.hint();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const auto url = cascor::RedisUrl::parse(text);
    auto shown = url;
    if (!url.password.empty()) shown.password = "***";
    if (cascor::RedisUrl::parse(to_string(url)) != shown) std::abort();
  } catch (const cascor::ConfigError&) {
  }
  (void)cascor::detail::shown_url(text);

  if (text.find("secret") != std::string::npos) return 0;
  // Where a password may stand: behind the scheme, before a '@' that no part of the host has.
  const std::size_t scheme = text.find("://");
  const std::string with_password =
      scheme == std::string::npos
          ? "redis://:" + std::string{secret} + "@" + text
          : text.substr(0, scheme + 3) + ":" + std::string{secret} + "@" + text.substr(scheme + 3);
  if (said_of(with_password).find(secret) != std::string::npos) std::abort();
  if (cascor::detail::shown_url(with_password).find(secret) != std::string::npos) std::abort();
  return 0;
}
