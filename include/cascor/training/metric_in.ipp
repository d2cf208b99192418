#pragma once

#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "cascor/training/metric_in.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// Walks over JSON text that is known to be whole; anything unexpected ends it, and a parser looks again.
struct MetricScan {
  std::string_view text;
  std::size_t at = 0;
  bool lost = false;

  void spaces() noexcept {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) ++at;
  }
  bool take(char c) noexcept {
    spaces();
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }
  // A string without its quotes; escapes as they are written.
  std::string_view string() noexcept {
    if (!take('"')) {
      lost = true;
      return {};
    }
    const std::size_t begin = at;
    while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2U : 1U;
    if (at >= text.size()) {
      lost = true;
      return {};
    }
    return text.substr(begin, at++ - begin);
  }
  // A value of any kind, as it is written.
  std::string_view value() noexcept {
    spaces();
    const std::size_t begin = at;
    std::size_t depth = 0;
    while (at < text.size()) {
      const char c = text[at];
      if (c == '"') {
        (void)string();
        if (lost) return {};
        if (depth == 0) break;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ']')) break;
      if (c == '{' || c == '[') ++depth;
      ++at;
      if ((c == '}' || c == ']') && --depth == 0) break;
    }
    return text.substr(begin, at - begin);
  }
  // The member's value, or nothing. `metrics`: that of the member "metrics" too.
  std::optional<std::string_view> member(std::string_view name, std::string_view& metrics) noexcept {
    if (!take('{')) {
      lost = true;
      return std::nullopt;
    }
    if (take('}')) return std::nullopt;
    do {
      const std::string_view key = string();
      if (lost || key.find('\\') != std::string_view::npos || !take(':')) {
        lost = true;
        return std::nullopt;
      }
      const std::string_view found = value();
      if (lost) return std::nullopt;
      if (key == name) return found;
      if (key == "metrics") metrics = found;
    } while (take(','));
    if (!take('}')) lost = true;
    return std::nullopt;
  }
};

CASCOR_CACHE_FN bool number_of(std::string_view written, double& value) noexcept {
  while (!written.empty() && (written.back() == ' ' || written.back() == '\n' || written.back() == '\r')) {
    written.remove_suffix(1);
  }
  if (written == "null") {
    value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  return error == std::errc{} && end == written.data() + written.size();
}

// The same by a parser, for text that a person wrote, or names with escapes.
CASCOR_CACHE_FN bool metric_by_parser(std::string_view record, std::string_view name, double& value) {
  using Json = Dependent<json, CascorWhenUsed>;
  const Json whole = Json::parse(record, nullptr, false);
  if (!whole.is_object()) return false;
  const std::string key{name};
  auto found = whole.find(key);
  if (found == whole.end()) {
    const auto metrics = whole.find("metrics");
    if (metrics == whole.end() || !metrics->is_object()) return false;
    found = metrics->find(key);
    if (found == metrics->end()) return false;
  }
  if (!found->is_number() && !found->is_null()) return false;
  value = found->is_null() ? std::numeric_limits<double>::quiet_NaN() : found->template get<double>();
  return true;
}

CASCOR_CACHE_DEF bool metric_in(std::string_view record, std::string_view name, double& value) {
  MetricScan scan{record};
  std::string_view metrics;
  auto found = scan.member(name, metrics);
  if (!found && !scan.lost && metrics.starts_with('{')) {
    scan = MetricScan{metrics};
    std::string_view inner;
    found = scan.member(name, inner);
  }
  if (scan.lost) return metric_by_parser(record, name, value);
  return found && number_of(*found, value);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
