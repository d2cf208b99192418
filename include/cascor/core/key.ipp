#pragma once

#include <utility>

#include "cascor/core/glob.hpp"
#include "cascor/core/key.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

CASCOR_CACHE_DEF KeySpace::KeySpace(std::string key_namespace, std::array<std::string, prefix_count - 1> prefixes)
    : namespace_{std::move(key_namespace)} {
  for (std::size_t i = 0; i < prefixes.size(); ++i) prefixes_[i] = std::move(prefixes[i]);
  prefixes_.back() = namespace_;
}

CASCOR_CACHE_DEF FullKey KeySpace::full(Prefix prefix, std::string_view key) const {
  const std::string& front = text(prefix);
  if (key.empty() || key == front) {
    throw DataError{"an empty key", "Give the value a name, such as \"latest\"."};
  }
  if (key.size() > max_key_bytes) {
    throw DataError{"a key of " + std::to_string(key.size()) + " bytes",
                    "Keys may have at most 1024 bytes; put long text into the value, or hash it."};
  }
  return key.starts_with(front) ? FullKey{{}, key} : FullKey{front, key};
}

CASCOR_CACHE_DEF FullKey KeySpace::full_to_change(Prefix prefix, std::string_view key) const {
  if (is_own(full(prefix, key).view())) {
    throw DataError{"a key of the library's own: run:, runs, lock: and tag: are not for set or erase",
                    "Choose another name; use history() for runs."};
  }
  return full(prefix, key);
}

CASCOR_CACHE_DEF Prefix KeySpace::prefix_of(std::string_view full_key) const noexcept {
  Prefix best = Prefix::other;
  std::size_t length = 0;
  for (std::size_t i = 0; i + 1 < prefix_count; ++i) {
    if (prefixes_[i].size() > length && full_key.starts_with(prefixes_[i])) {
      best = static_cast<Prefix>(i);
      length = prefixes_[i].size();
    }
  }
  return best;
}

CASCOR_CACHE_DEF std::string KeySpace::pattern(std::string_view pattern) const {
  if (pattern.empty()) {
    throw DataError{"an empty pattern for the key", "Use \"*\" for everything in this cache's namespace."};
  }
  // The namespace typed out is meant literally, also where it holds glob characters.
  if (pattern.starts_with(namespace_)) {
    return glob_escape(namespace_).append(pattern.substr(namespace_.size()));
  }
  if (glob_literal_prefix(pattern).text.starts_with(namespace_)) return std::string{pattern};
  return glob_escape(namespace_).append(pattern);
}

CASCOR_CACHE_DEF bool KeySpace::is_own(std::string_view full_key) const noexcept {
  if (!full_key.starts_with(namespace_)) return false;
  const std::string_view rest = full_key.substr(namespace_.size());
  return rest.starts_with("run:") || rest == "runs" || rest.starts_with("lock:") || rest.starts_with("tag:");
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
