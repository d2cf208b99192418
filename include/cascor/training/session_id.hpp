// The names of sessions, which are their secrets too.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// 256 bits, base64url without padding (RFC 4648): what a session is known by.
inline constexpr std::size_t session_id_bytes = 32;
inline constexpr std::size_t session_id_chars = 43;

CASCOR_CACHE_FN std::string encode_session_id(const std::array<std::uint8_t, session_id_bytes>& bits);
/// From the system's generator and no other, whatever generator the cache was given. Throws std::system_error where the
/// system has none.
CASCOR_CACHE_FN std::string new_session_id();
/// Could it be one? Anything else names no session, and no server is asked for it.
CASCOR_CACHE_FN bool is_session_id(std::string_view text) noexcept;

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/session_id.ipp"
#endif
