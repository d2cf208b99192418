#include "text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace tool {
namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t bytes = 0;  // 0: not UTF-8
};

// The first character of a text that is not empty.
Decoded decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  char32_t point = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  if (point < smallest[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return {};
  return {point, size};
}

// Control characters, and those that nobody sees but that change how others are shown.
bool is_active(char32_t point) noexcept {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0xAD || point == 0x61C ||
         (point >= 0x200B && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
         (point >= 0x2060 && point <= 0x206F) || (point >= 0xFE00 && point <= 0xFE0F) || point == 0xFEFF ||
         (point >= 0xFFF0 && point <= 0xFFFB) || (point >= 0xE0000 && point <= 0xE0FFF);
}

std::size_t columns_of(char32_t point) noexcept {
  const bool combines = (point >= 0x300 && point <= 0x36F) || (point >= 0x20D0 && point <= 0x20FF);
  if (combines) return 0;
  const bool wide = (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) ||
                    (point >= 0xAC00 && point <= 0xD7A3) || (point >= 0xF900 && point <= 0xFAFF) ||
                    (point >= 0xFE30 && point <= 0xFE6F) || (point >= 0xFF00 && point <= 0xFF60) ||
                    (point >= 0x1F300 && point <= 0x1FAFF) || (point >= 0x20000 && point <= 0x3FFFD);
  return wide ? 2 : 1;
}

// `kept`: a character that stays though it is one of those; a space, which is none, stands for nothing.
std::string escaped_but(std::string_view text, char kept) {
  std::string out;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::size_t bytes = std::max<std::size_t>(next.bytes, 1);
    const auto first = static_cast<unsigned char>(text.front());
    std::array<char, 16> code{};
    if (next.bytes == 0) {
      std::snprintf(code.data(), code.size(), "\\x%02x", first);
    } else if (text.front() == '\n' && kept != '\n') {
      code = {"\\n"};
    } else if (text.front() == '\t') {
      code = {"\\t"};
    } else if (is_active(next.point) && text.front() != kept) {
      std::snprintf(code.data(), code.size(), next.point < 0x80 ? "\\x%02x" : "\\u%04x",
                    static_cast<unsigned>(next.point));
    }
    if (code.front() != '\0') {
      out += code.data();
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(bytes);
  }
  return out;
}

std::string formatted(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

std::string escaped(std::string_view text) { return escaped_but(text, ' '); }
std::string escaped_lines(std::string_view text) { return escaped_but(text, '\n'); }

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t bytes = decode(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string json_text(std::string_view text) { return is_utf8(text) ? std::string{text} : escaped(text); }

std::size_t columns_of(std::string_view text) noexcept {
  std::size_t columns = 0;
  while (!text.empty()) {
    if (text.front() == '\x1b') {  // a colour of ours: what comes from elsewhere is escaped
      text.remove_prefix(std::min(text.find('m'), text.size() - 1) + 1);
      continue;
    }
    const Decoded next = decode(text);
    columns += next.bytes == 0 ? 1 : columns_of(next.point);
    text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string{text};
  if (columns == 0) return {};
  std::size_t taken = 0;
  std::size_t used = 0;
  while (taken < text.size()) {
    const Decoded next = decode(text.substr(taken));
    const std::size_t more = next.bytes == 0 ? 1 : columns_of(next.point);
    if (used + more > columns - 1) break;
    used += more;
    taken += std::max<std::size_t>(next.bytes, 1);
  }
  return std::string{text.substr(0, taken)}.append("…");
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns, std::size_t indent) {
  if (columns == 0 || columns_of(text) <= columns) return {std::string{text}};
  std::vector<std::string> lines;
  std::string line;
  const std::size_t first = std::min(text.find_first_not_of(' '), text.size());
  line.assign(first, ' ');
  text.remove_prefix(first);
  bool fresh = true;  // nothing but the indent is on the line
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (!fresh && columns_of(line) + 1 + columns_of(word) > columns) {
      lines.push_back(line);
      line.assign(indent < columns / 2 ? indent : 0, ' ');
      fresh = true;
    }
    if (!fresh) line += ' ';
    line += word;
    fresh = false;
    text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
  }
  lines.push_back(line);
  return lines;
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0)) return "?";
  if (seconds == 0) return "0 s";
  if (seconds < 0.001) return formatted("%.0f µs", seconds * 1e6);
  if (seconds < 1) return formatted("%.0f ms", seconds * 1e3);
  if (seconds < 60) return formatted("%.1f s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::min(seconds, 1e15));
  const auto two = [](std::uint64_t large, const char* one, std::uint64_t small, const char* other) {
    std::string text = std::to_string(large) + one;
    return small == 0 ? text : text + ' ' + std::to_string(small) + other;
  };
  if (whole < 3'600) return two(whole / 60, " min", whole % 60, " s");
  if (whole < 86'400) return two(whole / 3'600, " h", whole % 3'600 / 60, " min");
  return two(whole / 86'400, " d", whole % 86'400 / 3'600, " h");
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1'024 && unit + 1 < units.size()) {
    bytes /= 1'024;
    ++unit;
  }
  return formatted(unit == 0 ? "%.0f " : "%.1f ", bytes) + units[unit];
}

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

}  // namespace tool
