// A second matcher of globs, to compare the product's with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace support {

// The rules as Redis documents them and its server reads odd patterns, by plain recursion. Shares nothing with the
// product: no greedy argument, and a class is first taken apart into its members.
class PlainGlob {
 public:
  static bool matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*') {
      for (std::size_t skip = 0; skip <= text.size(); ++skip) {
        if (matches(pattern.substr(1), text.substr(skip))) return true;
      }
      return false;
    }
    if (text.empty()) return false;
    const char byte = text.front();
    const std::string_view rest = text.substr(1);
    if (pattern.front() == '?') return matches(pattern.substr(1), rest);
    if (pattern.front() == '[') {
      const Members members = members_of(pattern.substr(1));
      return members.has(byte) && matches(members.after, rest);
    }
    if (pattern.front() == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
    return pattern.front() == byte && matches(pattern.substr(1), rest);
  }

 private:
  struct Members {
    std::vector<bool> bytes = std::vector<bool>(256, false);
    std::string_view after;

    bool has(char byte) const { return bytes[static_cast<unsigned char>(byte)]; }
    void add(int signed_byte) { bytes[static_cast<unsigned char>(signed_byte)] = true; }
  };
  static Members members_of(std::string_view pattern) {
    Members members;
    const bool negated = pattern.starts_with('^');
    if (negated) pattern.remove_prefix(1);
    while (!pattern.empty() && pattern.front() != ']') {
      if (pattern.front() == '\\' && pattern.size() >= 2) {
        members.add(static_cast<signed char>(pattern[1]));
        pattern.remove_prefix(2);
      } else if (pattern.size() >= 3 && pattern[1] == '-') {
        const int one = static_cast<signed char>(pattern[0]);
        const int other = static_cast<signed char>(pattern[2]);
        for (int i = std::min(one, other); i <= std::max(one, other); ++i) members.add(i);
        pattern.remove_prefix(3);
      } else {
        members.add(static_cast<signed char>(pattern.front()));
        pattern.remove_prefix(1);
      }
    }
    if (!pattern.empty()) pattern.remove_prefix(1);
    if (negated) members.bytes.flip();
    members.after = pattern;
    return members;
  }
};

}  // namespace support
