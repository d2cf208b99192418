// A server's error reply as the error type that says what to do about it. Decisions only, no I/O.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// AuthenticationError for NOAUTH, WRONGPASS and NOPERM, OutOfMemoryError for OOM, ResponseError for the rest; `what()`
/// is `before` and then the server's own words, made readable().
CASCOR_CACHE_FN std::shared_ptr<const CacheError> server_error(std::string_view words, std::string_view before = {});

/// Do these words say that the command was not run and the server as a whole cannot serve now: LOADING, MASTERDOWN,
/// CLUSTERDOWN, or no room for another client?
CASCOR_CACHE_FN bool says_unavailable(std::string_view words) noexcept;

/// A server's text as it may be logged and shown as JSON: printable ASCII, other bytes as `?`, and no more than a few
/// lines of it.
CASCOR_CACHE_FN std::string readable(std::string_view text);

/// `text` with every occurrence of `secret` masked: servers quote arguments in some errors, long ones by their
/// beginning.
CASCOR_CACHE_FN std::string without_secret(std::string text, std::string_view secret);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/server_error.ipp"
#endif
