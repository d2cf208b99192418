#include "shown.hpp"

#include "text.hpp"

namespace tool {

cascor::KeySpace key_space(const cascor::CacheConfig& config) {
  const auto& prefixes = config.key_prefixes;
  return {config.key_namespace,
          {prefixes.metrics, prefixes.topology, prefixes.session, prefixes.history, prefixes.control}};
}

std::string full_key(const cascor::CacheConfig& config, std::string_view key) {
  return std::string{key_space(config).full(cascor::Prefix::other, key).view()};
}

bool is_session(const cascor::CacheConfig& config, std::string_view full_key) noexcept {
  const std::string_view prefix = config.key_prefixes.session;
  return full_key.starts_with(prefix) && !full_key.substr(prefix.size()).starts_with("user:");
}

std::string shown_key(const cascor::CacheConfig& config, std::string_view full_key) {
  return escaped(is_session(config, full_key) ? config.key_prefixes.session + "***" : std::string{full_key});
}

}  // namespace tool
