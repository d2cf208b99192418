// Small programs that the server runs in one step.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// A script's text, and its SHA-1 in hexadecimal digits, by which a server that has seen it knows it.
struct Script {
  std::string_view text;
  std::string_view sha1;
};

/// Runs a script on one key; its answer. The script must be one that may run twice: it is sent again where the
/// connection was lost before its answer came. Throws an error reply as its type. One round trip, two where the server
/// does not know the script yet.
CASCOR_CACHE_FN Reply run_script(KeyValueStore& store, const Script& script, std::string_view key,
                                 std::span<const std::string_view> arguments, Deadline by);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/script.ipp"
#endif
