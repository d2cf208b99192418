// Keys and the order in which they are asked for.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

namespace keys {

/// A key of 16 characters, made from a number: cheap, as this is no part of what is measured, and different at both
/// ends.
class Key {
 public:
  [[gnu::always_inline]] explicit Key(std::uint32_t number) {
    write(number, text_.data());
    write(number * 2654435761U, text_.data() + 8);
  }
  operator std::string_view() const { return {text_.data(), text_.size()}; }

 private:
  [[gnu::always_inline]] static void write(std::uint64_t value, char* to) {
    value = (value & 0xFFFF) << 32U | value >> 16U;
    value = (value & 0x000000FF000000FF) << 16U | (value & 0x0000FF000000FF00) >> 8U;
    value = (value & 0x000F000F000F000F) << 8U | (value & 0x00F000F000F000F0) >> 4U;
    value += 0x6161616161616161;  // 'a' to 'p'
    std::memcpy(to, &value, sizeof value);
  }
  std::array<char, 16> text_;
};

/// Ranks 0 to n-1, drawn with a probability as of 1 / (rank + 1)^exponent.
class Zipf {
 public:
  Zipf(std::size_t n, double exponent) : sums_(n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sums_[i] = sum += 1.0 / std::pow(static_cast<double>(i) + 1.0, exponent);
    for (double& one : sums_) one /= sum;
  }
  template <class Random>
  std::uint32_t operator()(Random& random) const {
    const double drawn = std::uniform_real_distribution<double>(0, 1)(random);
    return static_cast<std::uint32_t>(std::lower_bound(sums_.begin(), sums_.end() - 1, drawn) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

}  // namespace keys
