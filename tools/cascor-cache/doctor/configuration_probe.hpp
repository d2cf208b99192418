// The configuration as it was loaded, each value with its place.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <optional>

#include "configuration_check.hpp"

namespace tool {
class Session;
}

namespace tool::doctor {

/// Loads it by `session`, and keeps what that warns of. Nothing where it cannot be used: then `facts` says why.
std::optional<cascor::CacheConfig> probe_configuration(Session& session, ConfigurationFacts& facts);

}  // namespace tool::doctor
