// JSON values compared as a text would show it: in every kind and bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

namespace support {

/// nlohmann's == takes 1, 1u and 1.0 for the same, and 0.0 and -0.0.
inline bool same_json(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.type() != b.type()) return false;
  if (a.is_number_float()) {
    const auto x = a.get<double>();
    const auto y = b.get<double>();
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  if (!a.is_structured()) return a == b;
  if (a.size() != b.size()) return false;
  if (a.is_array()) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!same_json(a[i], b[i])) return false;
    }
    return true;
  }
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (x.key() != y.key() || !same_json(x.value(), y.value())) return false;
  }
  return true;
}

}  // namespace support
