#include "shown.hpp"

#include <cascor/core/key.hpp>

#include "text.hpp"

namespace tool {

std::string full_key(const cascor::CacheConfig& config, std::string_view key) {
  const auto& prefixes = config.key_prefixes;
  const cascor::KeySpace names{
      config.key_namespace,
      {prefixes.metrics, prefixes.topology, prefixes.session, prefixes.history, prefixes.control}};
  return std::string{names.full(cascor::Prefix::other, key).view()};
}

bool is_session(const cascor::CacheConfig& config, std::string_view full_key) noexcept {
  const std::string_view prefix = config.key_prefixes.session;
  return full_key.starts_with(prefix) && !full_key.substr(prefix.size()).starts_with("user:");
}

std::string shown_key(const cascor::CacheConfig& config, std::string_view full_key) {
  return escaped(is_session(config, full_key) ? config.key_prefixes.session + "***" : std::string{full_key});
}

}  // namespace tool
