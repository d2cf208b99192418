// JSON texts as other programs than this one may write them, and such that are none.
#pragma once

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>

namespace support {

/// Draws texts: the same ones from the same seed.
class RandomJsonText {
 public:
  explicit RandomJsonText(unsigned seed) : random_{seed} {}

  /// A text that is valid but for its numbers, of which some are too large.
  std::string valid(int depth) {
    std::string text;
    write(text, depth);
    return text;
  }
  /// The same after a few changes of bytes.
  std::string broken(int depth) {
    std::string text = valid(depth);
    for (auto n = up_to(2); n > 0 && !text.empty(); --n) {
      const std::size_t at = up_to(text.size() - 1);
      switch (up_to(4)) {
        case 0: text[at] = static_cast<char>(up_to(255)); break;
        case 1: text.erase(at, 1 + up_to(3)); break;
        case 2: text.insert(at, text, up_to(text.size() - 1), up_to(6)); break;
        case 3: text.insert(at, one_of(odd_pieces)); break;
        default: text.resize(at); break;
      }
    }
    return text;
  }
  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>{0, most}(random_); }

 private:
  static constexpr std::array<std::string_view, 22> numbers{"0",
                                                            "-0",
                                                            "-1",
                                                            "7",
                                                            "9007199254740993",
                                                            "9223372036854775807",
                                                            "9223372036854775808",
                                                            "-9223372036854775808",
                                                            "-9223372036854775809",
                                                            "18446744073709551615",
                                                            "18446744073709551616",
                                                            "123456789012345678901234567890",
                                                            "0.1",
                                                            "-0.0",
                                                            "1E5",
                                                            "1e-05",
                                                            "2.2250738585072011e-308",
                                                            "5e-324",
                                                            "1e-400",
                                                            "-1e-400",
                                                            "1.7976931348623157e308",
                                                            "0.30000000000000004"};
  static constexpr std::array<std::string_view, 16> pieces{"a",    "epoch",    "\\n",          "\\\"",
                                                           "\\\\", "\\/",      "\\u0041",      "\\u0000",
                                                           "\\b",  "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x92\xA9",
                                                           "\x7F", "[{",       "-0",           "\\ud83d\\ude00"};
  static constexpr std::array<std::string_view, 20> odd_pieces{"\"",       "\\",
                                                               ",",        ":",
                                                               "[",        "]",
                                                               "}",        "-",
                                                               ".",        "e",
                                                               "0",        "\\ud",
                                                               "\x01",     "\x0C",
                                                               "\x1A",     "\xEF\xBB\xBF",
                                                               "\xC0\x80", "\xED\xA0\x80",
                                                               "NaN",      "\\udc00"};

  template <class All>
  std::string_view one_of(const All& all) {
    return all[up_to(all.size() - 1)];
  }
  void write_space(std::string& text) {
    for (auto n = up_to(9); n > 7; --n) text.push_back(" \t\r\n"[up_to(3)]);
  }
  void write_string(std::string& text) {
    text.push_back('"');
    for (auto n = up_to(5); n > 0; --n) text.append(one_of(pieces));
    text.push_back('"');
  }
  void write(std::string& text, int depth) {
    write_space(text);
    switch (up_to(depth > 0 ? 8 : 5)) {
      case 0: text.append(up_to(1) == 0 ? "true" : "false"); break;
      case 1: text.append("null"); break;
      case 2: write_string(text); break;
      case 3:
      case 4:
      case 5: text.append(one_of(numbers)); break;
      case 6: write_all(text, '[', ']', [&] { write(text, depth - 1); }); break;
      default:
        write_all(text, '{', '}', [&] {
          write_space(text);
          write_string(text);
          write_space(text);
          text.push_back(':');
          write(text, depth - 1);
        });
    }
    write_space(text);
  }
  template <class One>
  void write_all(std::string& text, char begin, char end, const One& one) {
    text.push_back(begin);
    const auto count = up_to(5);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text.push_back(',');
      one();
    }
    text.push_back(end);
  }

  std::mt19937_64 random_;
};

}  // namespace support
