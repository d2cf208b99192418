// What of a cache's keys may be shown, and under which names.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <cascor/core/key.hpp>
#include <string>
#include <string_view>

namespace tool {

/// The names that a checked configuration gives.
cascor::KeySpace key_space(const cascor::CacheConfig& config);
/// The key as it stands in Redis. Throws DataError for what can be none.
std::string full_key(const cascor::CacheConfig& config, std::string_view key);
/// Is the full key a session's, whose id is a secret? A user's list of sessions is none.
bool is_session(const cascor::CacheConfig& config, std::string_view full_key) noexcept;
/// The full key as it may be shown on a terminal: escaped, and of a session without its id.
std::string shown_key(const cascor::CacheConfig& config, std::string_view full_key);

}  // namespace tool
