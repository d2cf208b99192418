#pragma once

#include <algorithm>

#include "cascor/core/system_random.hpp"
#include "cascor/training/session_id.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF std::string encode_session_id(const std::array<std::uint8_t, session_id_bytes>& bits) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  text.reserve(session_id_chars);
  unsigned held = 0;
  unsigned count = 0;
  for (const std::uint8_t byte : bits) {
    held = held << 8U | byte;
    for (count += 8; count >= 6; count -= 6) text += digits[held >> (count - 6) & 63U];
  }
  return text += digits[held << (6 - count) & 63U];
}

CASCOR_CACHE_DEF std::string new_session_id() {
  std::array<std::uint8_t, session_id_bytes> bits{};
  fill_from_system(bits.data(), bits.size());
  return encode_session_id(bits);
}

CASCOR_CACHE_DEF bool is_session_id(std::string_view text) noexcept {
  return text.size() == session_id_chars && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
