#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <system_error>
#include <utility>

#include "cascor/config/text.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF std::optional<Dependent<bool, CascorWhenUsed>> parse_flag(std::string_view text) {
  std::string lower{text};
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const char* yes : {"1", "true", "yes", "on"})
    if (lower == yes) return true;
  for (const char* no : {"0", "false", "no", "off"})
    if (lower == no) return false;
  return std::nullopt;
}

CASCOR_CACHE_DEF std::optional<Dependent<std::size_t, CascorWhenUsed>> parse_count(std::string_view text) {
  std::size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

CASCOR_CACHE_DEF std::optional<Dependent<std::chrono::milliseconds, CascorWhenUsed>> parse_seconds(
    std::string_view text) {
  using std::chrono::milliseconds;
  double seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !std::isfinite(seconds)) return std::nullopt;
  const double exact = seconds * 1000;
  if (exact > 0 && exact < 1) return milliseconds{1};
  if (exact < 0 && exact > -1) return milliseconds{-1};
  if (exact >= 9e18) return milliseconds::max();
  if (exact <= -9e18) return milliseconds::min();
  return milliseconds{std::llround(exact)};
}

CASCOR_CACHE_DEF std::string seconds_text(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  std::string text = count < 0 && count > -1000 ? "-0" : std::to_string(count / 1000);
  if (count % 1000 == 0) return text;
  std::string fraction = std::to_string(std::abs(count % 1000) + 1000);  // 1005 for 5 ms: keeps the zeros
  fraction.front() = '.';
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + fraction;
}

CASCOR_CACHE_DEF std::size_t find_non_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t at = 0; at < text.size();) {
    const unsigned lead = byte(at);
    const std::size_t length = lead < 0x80 ? 1U : lead < 0xC2 ? 0U : lead < 0xE0 ? 2U : lead < 0xF0 ? 3U : 4U;
    if (length == 0 || lead > 0xF4 || length > text.size() - at) return at;
    for (std::size_t i = 1; i < length; ++i)
      if ((byte(at + i) & 0xC0U) != 0x80) return at;
    // Longer than needed, a surrogate, or past U+10FFFF: the second byte tells.
    const unsigned second = length > 1 ? byte(at + 1) : 0;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F))
      return at;
    at += length;
  }
  return std::string_view::npos;
}

CASCOR_CACHE_FN bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

CASCOR_CACHE_DEF bool is_plain_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c); }) &&
         find_non_utf8(text) == std::string_view::npos;
}

/// `\xNN` for every byte of `text` that `escape` chooses.
template <class Escape>
std::string with_escapes(std::string_view text, Escape escape) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (escape(c))
      result.append("\\x").append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
    else
      result += c;
  }
  return result;
}

CASCOR_CACHE_DEF std::string shown(std::string_view text) {
  constexpr std::size_t longest = 100;
  const bool cut = text.size() > longest;
  if (cut) {
    text = text.substr(0, longest);
    while ((static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80 && text.size() > longest - 4)
      text.remove_suffix(1);
    if (static_cast<unsigned char>(text.back()) >= 0xC0) text.remove_suffix(1);
  }
  const bool utf8 = find_non_utf8(text) == std::string_view::npos;
  const auto escape = [&](char c) { return is_control(c) || (!utf8 && static_cast<unsigned char>(c) >= 0x80); };
  return "'" + with_escapes(text, escape) + (cut ? "…'" : "'");
}

CASCOR_CACHE_DEF std::string yaml_quoted(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return '"' + with_escapes(escaped, [](char c) { return is_control(c); }) + '"';
}

CASCOR_CACHE_FN std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);  // row[j]: from the first i characters of a to the first j of b
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

/// Is `text` the first or the last words of `name`? "ttl" and "seconds" are of "ttl_seconds".
CASCOR_CACHE_FN bool is_part_of_name(std::string_view text, std::string_view name) {
  if (text.size() < 3 || text.size() >= name.size()) return false;
  const auto is_between = [](char c) { return c == '_' || c == '.'; };
  return (name.starts_with(text) && is_between(name[text.size()])) ||
         (name.ends_with(text) && is_between(name[name.size() - text.size() - 1]));
}

CASCOR_CACHE_DEF bool may_mean(std::string_view text, std::string_view name) {
  std::string lower{text.substr(0, 100)};  // a huge key must not cost
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return edit_distance(lower, name) <= 2 || is_part_of_name(name, lower);
}

CASCOR_CACHE_DEF std::string nearest_name(std::string_view name, const std::vector<std::string>& known,
                                          std::string_view common_prefix) {
  const auto significant = [&](std::string_view text) {
    return text.substr(text.starts_with(common_prefix) ? common_prefix.size() : 0, 100);  // a huge key must not cost
  };
  const auto last_part = [](std::string_view path) { return path.substr(path.rfind('.') + 1); };
  // In half edits: one that matches at its end only is half an edit behind one that matches whole.
  const auto distance = [&](std::string_view candidate) -> std::size_t {
    const auto a = significant(name);
    const auto b = significant(candidate);
    const auto edits = std::min(2 * edit_distance(a, b), 2 * edit_distance(last_part(a), last_part(b)) + 1);
    return is_part_of_name(a, b) ? std::min<std::size_t>(edits, 2) : edits;
  };
  return *std::min_element(known.begin(), known.end(),
                           [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
