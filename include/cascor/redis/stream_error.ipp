#pragma once

#include <system_error>

#include "cascor/core/errors.hpp"
#include "cascor/redis/stream_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF std::string system_words(int error) { return std::generic_category().message(error); }

CASCOR_CACHE_DEF void raise_lost(const std::string& peer, const std::string& why) {
  throw ConnectionError{"Lost the connection to Redis on " + peer + ": " + why,
                        "See whether the server runs and what its log says; the next call dials anew."};
}

CASCOR_CACHE_DEF void raise_timeout(const char* doing, const std::string& peer) {
  throw TimeoutError{std::string{"Timeout "} + doing + " Redis on " + peer,
                     "See whether the server is busy (SLOWLOG, LATENCY) or the network slow, or raise "
                     "connection_pool.timeout."};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
