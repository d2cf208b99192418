// The matcher backtracks to the last star only: where a later star matched, an earlier one never needs to give up more
// (the same greedy argument as in Kirk Krauss, "Matching Wildcards", Dr. Dobb's 2008), so time is bounded by
// pattern x text where the textbook recursion is exponential.
#pragma once

#include <cstddef>
#include <utility>

#include "cascor/core/glob.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

struct ClassMatch {
  bool matches;
  std::size_t end;  // one past the class in the pattern
};

// pattern[at] is just after the '['. Mirrors the server's reading of odd classes, `[` without `]` included.
CASCOR_CACHE_FN ClassMatch match_class(std::string_view pattern, std::size_t at, char byte) noexcept {
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  while (true) {
    const std::size_t left = pattern.size() - at;
    if (left >= 2 && pattern[at] == '\\') {
      found = found || pattern[at + 1] == byte;
      at += 2;
    } else if (left == 0) {
      break;
    } else if (pattern[at] == ']') {
      ++at;
      break;
    } else if (left >= 3 && pattern[at + 1] == '-') {
      auto low = static_cast<signed char>(pattern[at]);
      auto high = static_cast<signed char>(pattern[at + 2]);
      if (low > high) std::swap(low, high);
      const auto value = static_cast<signed char>(byte);
      found = found || (low <= value && value <= high);
      at += 3;
    } else {
      found = found || pattern[at] == byte;
      ++at;
    }
  }
  return {found != negated, at};
}

// Matches one pattern element other than '*' against one byte; returns where the pattern goes on, or npos.
CASCOR_CACHE_FN std::size_t match_one(std::string_view pattern, std::size_t at, char byte) noexcept {
  switch (pattern[at]) {
    case '?': return at + 1;
    case '[': {
      const auto result = match_class(pattern, at + 1, byte);
      return result.matches ? result.end : std::string_view::npos;
    }
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default: return pattern[at] == byte ? at + 1 : std::string_view::npos;
  }
}

}  // namespace detail

CASCOR_CACHE_DEF bool glob_match(std::string_view pattern, std::string_view text) noexcept {
  constexpr auto none = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = none;       // just after the last star
  std::size_t star_text = none;  // where what that star leaves over begins
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      continue;
    }
    const std::size_t next = p < pattern.size() ? detail::match_one(pattern, p, text[t]) : none;
    if (next != none) {
      p = next;
      ++t;
    } else if (star != none) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

CASCOR_CACHE_DEF std::string glob_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char byte : text) {
    if (byte == '*' || byte == '?' || byte == '[' || byte == ']' || byte == '\\' || byte == '^' || byte == '-') {
      escaped.push_back('\\');
    }
    escaped.push_back(byte);
  }
  return escaped;
}

CASCOR_CACHE_DEF GlobPrefix glob_literal_prefix(std::string_view pattern) {
  GlobPrefix prefix;
  std::size_t at = 0;
  for (; at < pattern.size(); ++at) {
    const char byte = pattern[at];
    if (byte == '*' || byte == '?' || byte == '[') break;
    if (byte == '\\' && at + 1 < pattern.size()) ++at;
    prefix.text.push_back(pattern[at]);
  }
  prefix.whole = at == pattern.size();
  prefix.then_anything = !prefix.whole && pattern.find_first_not_of('*', at) == std::string_view::npos;
  return prefix;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
