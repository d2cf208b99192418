// The file's text, then the environment, into a CacheConfig.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cascor/config/environment.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

struct CacheConfig;

namespace detail {

/// What to do about a bad value.
inline constexpr const char* config_hint = "Correct the value at that place; docs/configuration.md lists every key.";

/// Where a key's value came from, by key. A key that is not there has its default.
using Places = std::map<std::string, std::string, std::less<>>;

/// Applies `backend.cache` of a YAML text. Unknown keys are a WARNING; throws ConfigError for the rest.
CASCOR_CACHE_FN void apply_yaml(CacheConfig& config, Places& places, std::string_view text, const std::string& source,
                                const Environment& environment);

/// Applies the variables of the table. Unknown `CASCOR_CACHE_*` are a WARNING; throws ConfigError for bad values.
CASCOR_CACHE_FN void apply_environment(CacheConfig& config, Places& places, const Environment& given);

}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/sources.ipp"
#endif
