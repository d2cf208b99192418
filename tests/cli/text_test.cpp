// Texts of cascor-cache for a terminal: nothing that a server said moves a cursor, nothing is wider than there is room.
#include "text.hpp"

#include <catch2/catch.hpp>

using tool::columns_of;
using tool::cut;
using tool::escaped;
using tool::wrapped;

TEST_CASE("What could act on a terminal is written out, all else stays", "[cli]") {
  CHECK(escaped("plain Grüße 日本") == "plain Grüße 日本");
  CHECK(escaped("\x1b[2J\n\t\r\x7f") == "\\x1b[2J\\n\\t\\x0d\\x7f");
  CHECK(escaped("\xc2\x9b") == "\\u009b");            // CSI as one character
  CHECK(escaped("\x9b") == "\\x9b");                  // and as one byte
  CHECK(escaped("a\xe2\x80\xae z") == "a\\u202e z");  // turns what follows round
  CHECK(escaped("\xf3\xa0\x81\x81") == "\\ue0041");   // a tag character, which nobody sees
  CHECK(escaped(std::string_view{"\0", 1}) == "\\x00");
  CHECK(escaped("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80") ==
        "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");  // overlong, a surrogate, past the last character
  CHECK(escaped("\xe2\x82") == "\\xe2\\x82");                // cut short
  CHECK(tool::escaped_lines("a\nb\x1b\n") == "a\nb\\x1b\n");
}

TEST_CASE("Every byte that is escaped leaves only characters that print", "[cli]") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (const char byte : escaped(all)) CHECK((byte >= 0x20 && byte < 0x7f));
}

TEST_CASE("What is no UTF-8 is escaped for JSON, and what is stays", "[cli]") {
  CHECK(tool::json_text("a\x1b") == "a\x1b");
  CHECK(tool::json_text("a\xff\x1b") == "a\\xff\\x1b");
}

TEST_CASE("Columns are counted as a terminal does", "[cli]") {
  CHECK(columns_of("") == 0);
  CHECK(columns_of("Grüße") == 5);
  CHECK(columns_of("日本") == 4);
  CHECK(columns_of("e\xcc\x81") == 1);  // a combining accent
  CHECK(columns_of("\x1b[31mred\x1b[0m") == 3);
}

TEST_CASE("A text is cut at its room, never within a character", "[cli]") {
  CHECK(cut("abcdef", 6) == "abcdef");
  CHECK(cut("abcdef", 5) == "abcd…");
  CHECK(cut("日本語", 4) == "日…");
  CHECK(cut("abcdef", 1) == "…");
  CHECK(cut("abcdef", 0).empty());
}

TEST_CASE("A text is broken at spaces, and a word that is too long stays whole", "[cli]") {
  using Lines = std::vector<std::string>;
  CHECK(wrapped("one two three", 8, 2) == Lines{"one two", "  three"});
  CHECK(wrapped("  one two", 6, 2) == Lines{"  one", "  two"});
  CHECK(wrapped("one two three", 0, 2) == Lines{"one two three"});
  CHECK(wrapped("a redis://a-long-name/0 b", 10, 0) == Lines{"a", "redis://a-long-name/0", "b"});
  CHECK(wrapped("", 10, 0) == Lines{""});
}

TEST_CASE("Durations, sizes and counts are for people", "[cli]") {
  CHECK(tool::duration_text(0) == "0 s");
  CHECK(tool::duration_text(0.0005) == "500 µs");
  CHECK(tool::duration_text(0.25) == "250 ms");
  CHECK(tool::duration_text(2.5) == "2.5 s");
  CHECK(tool::duration_text(125) == "2 min 5 s");
  CHECK(tool::duration_text(86'400) == "1 d");
  CHECK(tool::duration_text(-1) == "?");
  CHECK(tool::bytes_text(17) == "17 B");
  CHECK(tool::bytes_text(1'536) == "1.5 KiB");
  CHECK(tool::count_text(1'234'567) == "1,234,567");
  CHECK(tool::count_text(123) == "123");
}
