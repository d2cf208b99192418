// What a cache says of itself when it starts, beside whether Redis is there.
#pragma once

#include "cascor/config/cache_config.hpp"
#include "cascor/core/log.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// A WARNING about a namespace that runs into what follows it, and one DEBUG line that tells what is configured.
/// `config` is checked. No password is in either.
CASCOR_CACHE_FN void log_start(const Log& log, const CacheConfig& config);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/start_lines.ipp"
#endif
