// The engine that composes the tiers: memory alone, or Redis with memory in its place while it is away.
#pragma once

#include <memory>

#include "cascor/cache/engine.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// An engine as the configuration asks for it. Dials, and falls back. Throws ConfigError, and with `strict` what
/// dialling throws.
CASCOR_CACHE_FN Dependent<std::unique_ptr<Engine>, CascorWhenUsed> make_engine(const CacheConfig& config);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/tiered_engine.ipp"
#endif
