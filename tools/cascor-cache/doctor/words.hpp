// Numbers as the doctor's sentences have them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace tool::doctor {

/// "0.21 ms", "35 ms", "2.5 s".
inline std::string milliseconds_text(double ms) {
  std::array<char, 40> text{};
  const char* const form = ms < 1 ? "%.2f ms" : ms < 10 ? "%.1f ms" : ms < 1000 ? "%.0f ms" : "%.1f s";
  (void)std::snprintf(text.data(), text.size(), form, ms < 1000 ? ms : ms / 1000);
  return text.data();
}

/// "512 B", "1.5 MiB", "100 GiB".
inline std::string size_text(double bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  std::array<char, 40> text{};
  (void)std::snprintf(text.data(), text.size(), unit > 0 && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units.at(unit));
  return text.data();
}

/// "3 s", "4 min", "2 h", "12 days": as exactly as a person wants to know it.
inline std::string time_text(double seconds) {
  seconds = std::abs(seconds);
  std::array<char, 40> text{};
  if (seconds < 120) {
    (void)std::snprintf(text.data(), text.size(), seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  } else if (seconds < 2 * 3600) {
    (void)std::snprintf(text.data(), text.size(), "%.0f min", seconds / 60);
  } else if (seconds < 2 * 86'400) {
    (void)std::snprintf(text.data(), text.size(), "%.0f h", seconds / 3600);
  } else {
    (void)std::snprintf(text.data(), text.size(), "%.0f days", std::floor(seconds / 86'400));
  }
  return text.data();
}

/// "1 run", "2 runs".
inline std::string counted(std::uint64_t count, std::string_view one, std::string_view several) {
  return std::to_string(count) + ' ' + std::string{count == 1 ? one : several};
}

}  // namespace tool::doctor
