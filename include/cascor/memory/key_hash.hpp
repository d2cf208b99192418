// The hash of keys: seeded, so that nobody who chooses keys can choose which of them collide.
#pragma once

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Hashes 16 bytes a step by folding the product of two 64-bit words, each mixed with a secret first: without the
/// secret nobody can make a factor zero or steer two inputs to one product. Not for cryptography. For 64-bit machines.
class KeyHash {
 public:
  /// With a seed of its own.
  KeyHash() noexcept {
    if (::getentropy(seed_.data(), sizeof seed_) == 0) return;
    // A sandbox without that call: the moment, and where the system happened to put things.
    seed_ = {static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()),
             reinterpret_cast<std::uintptr_t>(this), reinterpret_cast<std::uintptr_t>(&::getentropy)};
  }
  explicit KeyHash(const std::array<std::uint64_t, 3>& seed) noexcept : seed_{seed} {}

  [[gnu::always_inline]] std::uint64_t operator()(std::string_view key) const noexcept {
    const char* at = key.data();
    std::size_t left = key.size();
    std::uint64_t state = seed_[0];
    for (; left > 16; at += 16, left -= 16) state = fold(word(at, 8) ^ seed_[1], word(at + 8, 8) ^ state);
    // The rest, 0 to 16 bytes, is in these two words, which may overlap; the size tells such rests apart.
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    if (left >= 8) {
      first = word(at, 8);
      last = word(at + left - 8, 8);
    } else if (left >= 4) {
      first = word(at, 4);
      last = word(at + left - 4, 4);
    } else if (left > 0) {
      first = word(at, 1) | word(at + left / 2, 1) << 8U | word(at + left - 1, 1) << 16U;
    }
    state = fold(first ^ seed_[1], last ^ state);
    return fold(state ^ seed_[2], key.size() ^ spread);
  }

 private:
  static constexpr std::uint64_t spread = 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio: an odd, even mix of bits

  static std::uint64_t word(const char* at, std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, at, bytes);
    return value;
  }
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }

  std::array<std::uint64_t, 3> seed_{};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
