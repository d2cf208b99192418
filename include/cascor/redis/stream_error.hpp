// What a stream says when it fails, in plain text and under TLS alike.
#pragma once

#include <string>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The system's words for an error's number.
CASCOR_CACHE_FN std::string system_words(int error);

/// Throws ConnectionError "Lost the connection to Redis on peer: why".
CASCOR_CACHE_FN [[noreturn]] void raise_lost(const std::string& peer, const std::string& why);
/// Throws TimeoutError "Timeout doing Redis on peer": "sending to", "waiting for".
CASCOR_CACHE_FN [[noreturn]] void raise_timeout(const char* doing, const std::string& peer);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/stream_error.ipp"
#endif
