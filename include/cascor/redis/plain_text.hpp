// A port that keeps silent under TLS: does it speak Redis's protocol in plain text?
#pragma once

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Dials the peer of `connected` once more and says PING. False where nothing that could be Redis answers by the
/// deadline, or `stop_fd` can be read before. Redis reads the beginning of a TLS handshake as the beginning of a very
/// long line, so that it would be waited for in vain.
CASCOR_CACHE_FN bool answers_in_plain_text(int connected, Deadline by, int stop_fd) noexcept;

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/plain_text.ipp"
#endif
