// Which of a cluster's 16,384 slots a key is in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

inline constexpr std::size_t slot_count = 16384;

namespace detail {
/// CRC-16/XMODEM: polynomial 0x1021, begun with 0.
constexpr std::uint16_t crc16(std::string_view bytes) noexcept {
  std::uint32_t crc = 0;
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint32_t>(static_cast<unsigned char>(byte)) << 8U;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
  }
  return static_cast<std::uint16_t>(crc & 0xFFFFU);
}
}  // namespace detail

/// By what stands between the first '{' and the first '}' behind it, where that is anything, else by the whole key: the
/// Redis Cluster specification's rule. O(length).
constexpr std::size_t slot_of(std::string_view key) noexcept {
  if (const auto open = key.find('{'); open != std::string_view::npos) {
    if (const auto close = key.find('}', open + 1); close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return detail::crc16(key) % slot_count;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
