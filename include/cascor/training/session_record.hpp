// What is kept of a session, and its text.
#pragma once

#include <string>
#include <string_view>

#include "cascor/codec/json.hpp"
#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// A session as it is read.
struct Session {
  std::string user;
  cascor::json data;
  WallTime created;
  WallTime last_seen;  ///< now, of one that was just read; as others read it, exact to a minute
};

namespace detail {
/// {"created", "data", "last_seen", "user"}, times in UTC after ISO 8601. Throws DataError for what is not UTF-8.
CASCOR_CACHE_FN std::string encode_session(const Session& session);
/// Of a text that anybody may have written; a time that cannot be read is the epoch. Throws DataError where it is no
/// object with a user.
CASCOR_CACHE_FN Session decode_session(std::string_view text);
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/session_record.ipp"
#endif
