// Globs: every oddity of Redis's patterns by hand, then against a second matcher written from the server's rules.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/glob.hpp"
#include "support/plain_glob.hpp"

using cascor::glob_escape;
using cascor::glob_literal_prefix;
using cascor::glob_match;
using support::PlainGlob;
using namespace std::string_literals;

namespace {

class Texts {
 public:
  explicit Texts(unsigned seed) : random_{seed} {}
  std::string of(std::string_view alphabet, std::size_t longest) {
    std::string text(up_to(longest), ' ');
    for (char& byte : text) byte = alphabet[up_to(alphabet.size() - 1)];
    return text;
  }
  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>{0, most}(random_); }

 private:
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("a pattern without special bytes matches itself and nothing else") {
  CHECK(glob_match("", ""));
  CHECK(glob_match("cascor:metrics:latest", "cascor:metrics:latest"));
  CHECK_FALSE(glob_match("cascor:metrics:latest", "cascor:metrics:late"));
  CHECK_FALSE(glob_match("cascor:metrics:late", "cascor:metrics:latest"));
  CHECK_FALSE(glob_match("", "a"));
  CHECK_FALSE(glob_match("a", ""));
  CHECK_FALSE(glob_match("A", "a"));
}

TEST_CASE("a star matches any bytes, none included") {
  CHECK(glob_match("*", ""));
  CHECK(glob_match("*", "anything"));
  CHECK(glob_match("***", "anything"));
  CHECK(glob_match("cascor:*", "cascor:"));
  CHECK(glob_match("*:latest", "cascor:metrics:latest"));
  CHECK(glob_match("c*m*l*t", "cascor:metrics:latest"));
  CHECK(glob_match("*a*", "a"));
  CHECK(glob_match("a*", "a"));
  CHECK(glob_match("*ab", "aab"));
  CHECK(glob_match("*a\0b"s, "x\0a\0b"s));
  CHECK_FALSE(glob_match("*:latest", "cascor:metrics:latest2"));
  CHECK_FALSE(glob_match("a*b", "ab c"));
}

TEST_CASE("a question mark matches exactly one byte, not one character") {
  CHECK(glob_match("h?llo", "hallo"));
  CHECK(glob_match("???", "abc"));
  CHECK_FALSE(glob_match("h?llo", "hllo"));
  CHECK_FALSE(glob_match("?", ""));
  CHECK_FALSE(glob_match("?", "\xC3\xA9"));  // an e with an acute accent: two bytes
  CHECK(glob_match("??", "\xC3\xA9"));
}

TEST_CASE("a class matches one of its members, a range or, negated, any other byte") {
  CHECK(glob_match("h[ae]llo", "hallo"));
  CHECK_FALSE(glob_match("h[ae]llo", "hillo"));
  CHECK(glob_match("h[^e]llo", "hallo"));
  CHECK_FALSE(glob_match("h[^e]llo", "hello"));
  CHECK(glob_match("epoch_[0-9]", "epoch_5"));
  CHECK_FALSE(glob_match("epoch_[0-9]", "epoch_x"));
  CHECK(glob_match("[a-cx-z5]", "y"));
  CHECK(glob_match("[a-cx-z5]", "5"));
  CHECK_FALSE(glob_match("[a-cx-z5]", "d"));
  CHECK_FALSE(glob_match("[^a-c]", "b"));
  CHECK(glob_match("[^a-c]", "\xFF"));
}

TEST_CASE("odd classes mean what they mean to the server") {
  SECTION("an unclosed one takes the rest of the pattern as its members") {
    CHECK(glob_match("[abc", "b"));
    CHECK_FALSE(glob_match("[abc", "d"));
    CHECK(glob_match("x[a-", "x-"));
    CHECK(glob_match("x[a-", "xa"));
    CHECK(glob_match("[^ab", "c"));
    CHECK_FALSE(glob_match("[^ab", "a"));
    CHECK_FALSE(glob_match("[", "["));
    CHECK_FALSE(glob_match("a[", "ab"));
    CHECK(glob_match("[^", "x"));
    CHECK_FALSE(glob_match("[^", ""));
    CHECK(glob_match("[*", "*"));
    CHECK_FALSE(glob_match("[a*", "ab"));
  }
  SECTION("an empty one matches nothing, a negated empty one any byte") {
    CHECK_FALSE(glob_match("[]", "]"));
    CHECK_FALSE(glob_match("[]a]", "a"));
    CHECK(glob_match("[^]", "]"));
    CHECK(glob_match("[^]a]", "xa]"));
  }
  SECTION("a reversed range is turned round") {
    CHECK(glob_match("[z-a]", "m"));
    CHECK_FALSE(glob_match("[z-a]", "M"));
    CHECK(glob_match("[9-0]x", "4x"));
  }
  SECTION("a range may end in a bracket, and then the class goes on") {
    CHECK(glob_match("[a-]", "a"));
    CHECK(glob_match("[a-]", "^"));  // between ']' and 'a'
    CHECK(glob_match("[a-]x]", "x"));
    CHECK_FALSE(glob_match("[a-]", "-"));
  }
  SECTION("a hyphen is itself where it cannot make a range, and a caret where it is not first") {
    CHECK(glob_match("[-a]", "a"));
    CHECK(glob_match("[a^]", "^"));
    CHECK(glob_match("[a-b-c]", "-"));
    CHECK(glob_match("[a-b-c]", "c"));
    CHECK(glob_match("[^^]", "a"));
    CHECK_FALSE(glob_match("[^^]", "^"));
  }
  SECTION("a second bracket is a member") {
    CHECK(glob_match("[[]", "["));
    CHECK(glob_match("[[a]", "a"));
  }
  SECTION("stars and question marks are members") {
    CHECK(glob_match("[*?]", "*"));
    CHECK(glob_match("[*?]", "?"));
    CHECK_FALSE(glob_match("[*?]", "x"));
  }
}

TEST_CASE("a backslash takes the next byte literally, in classes too") {
  CHECK(glob_match("\\*", "*"));
  CHECK_FALSE(glob_match("\\*", "x"));
  CHECK(glob_match("\\?", "?"));
  CHECK(glob_match("\\[a]", "[a]"));
  CHECK(glob_match("\\\\", "\\"));
  CHECK(glob_match("\\a", "a"));
  CHECK_FALSE(glob_match("\\a", "\\a"));
  CHECK(glob_match("[\\]]", "]"));
  CHECK(glob_match("[\\^a]", "^"));
  CHECK(glob_match("[a\\-z]", "-"));
  CHECK_FALSE(glob_match("[a\\-z]", "b"));
  CHECK(glob_match("[\\\\]", "\\"));
  CHECK(glob_match("[a-\\]", "^"));  // the backslash ends the range
}

TEST_CASE("a backslash at the end is itself") {
  CHECK(glob_match("a\\", "a\\"));
  CHECK_FALSE(glob_match("a\\", "a"));
  CHECK(glob_match("*\\", "a\\"));
  CHECK(glob_match("[\\", "\\"));
  CHECK(glob_match("[a\\", "\\"));
}

TEST_CASE("bytes from 0x80 on match as bytes, and ranges over them compare as signed ones") {
  CHECK(glob_match("\xE2\x82*", "\xE2\x82\xAC"));
  CHECK(glob_match("[\x80-\xFF]", "\xA0"));
  CHECK_FALSE(glob_match("[\x80-\xFF]", "a"));
  // From 'a' up to 0xFF would hold 0x7F; from -1 up to 'a' holds 0x00.
  CHECK_FALSE(glob_match("[a-\xFF]", "\x7F"));
  CHECK(glob_match("[a-\xFF]", "\0"s));
  CHECK(glob_match("a\0c"s, "a\0c"s));
  CHECK_FALSE(glob_match("a\0c"s, "a\0d"s));
}

TEST_CASE("patterns of many stars take no more than pattern times text") {
  const std::string text(10'000, 'a');
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(glob_match(pattern + "b", text));
  CHECK(glob_match(pattern, text));
  const std::string part = text.substr(0, 2'000);
  CHECK_FALSE(glob_match("*" + part + "b", part + part));
  CHECK_FALSE(glob_match(std::string(10'000, '*') + "b", text));
  // Far below a second; the recursion that this replaces would outlast the machine.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{30});
}

TEST_CASE("200,000 random patterns and texts match exactly as a plain reading of the rules says") {
  constexpr unsigned seed = 20'240'601;
  Texts texts{seed};
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = texts.of("ab*?[]^-\\\x80", 8);
    const std::string text = texts.of("ab]^-\\\x80[", 6);
    if (glob_match(pattern, text) != PlainGlob::matches(pattern, text)) {
      FAIL("seed " << seed << ", case " << i << ": '" << pattern << "' and '" << text << "'");
    }
  }
}

TEST_CASE("random patterns made from the text they shall match agree with the rules as well") {
  constexpr unsigned seed = 7;
  Texts texts{seed};
  std::size_t matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = texts.of("abc:-]\xFF", 12);
    std::string pattern;
    for (std::size_t at = 0; at < text.size(); ++at) {
      switch (texts.up_to(5)) {
        case 0: pattern += '?'; break;
        case 1:
          pattern += '*';
          at += texts.up_to(3);
          break;
        case 2: pattern += "[x"s + text[at] + "]"; break;
        case 3: pattern += "\\"s + text[at]; break;
        default: pattern += text[at];
      }
    }
    const bool matches = glob_match(pattern, text);
    if (matches != PlainGlob::matches(pattern, text)) {
      FAIL("seed " << seed << ", case " << i << ": '" << pattern << "' and '" << text << "'");
    }
    matched += matches ? 1 : 0;
  }
  CHECK(matched > 10'000);  // else these say nothing
}

TEST_CASE("an escaped text is a pattern that matches it and nothing else") {
  Texts texts{11};
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = texts.of("a*?[]^-\\\x80", 8);
    const std::string other = texts.of("a*?[]^-\\\x80", 8);
    const std::string pattern = glob_escape(text);
    if (!glob_match(pattern, text) || glob_match(pattern, other) != (text == other)) {
      FAIL("'" << text << "' as '" << pattern << "' and '" << other << "'");
    }
  }
  CHECK(glob_escape("cascor:metrics:latest") == "cascor:metrics:latest");
  CHECK(glob_escape("").empty());
}

TEST_CASE("a pattern's literal prefix is what every match begins with") {
  CHECK(glob_literal_prefix("cascor:metrics:*").text == "cascor:metrics:");
  CHECK_FALSE(glob_literal_prefix("cascor:metrics:*").whole);
  CHECK(glob_literal_prefix("a\\*b[cd]").text == "a*b");
  CHECK(glob_literal_prefix("").whole);
  CHECK(glob_literal_prefix("a\\").text == "a\\");
  CHECK(glob_literal_prefix("a\\").whole);
  CHECK_FALSE(glob_literal_prefix("a[").whole);
  for (const char* pattern : {"a*", "a**", "*", "a\\**"}) CHECK(glob_literal_prefix(pattern).then_anything);
  for (const char* pattern : {"", "a", "a\\*", "a*b", "a*?", "[a*"})
    CHECK_FALSE(glob_literal_prefix(pattern).then_anything);

  Texts texts{13};
  for (int i = 0; i < 50'000; ++i) {
    const std::string pattern = texts.of("ab*?[]^-\\", 7);
    const std::string text = texts.of("ab]^-\\*", 6);
    const auto prefix = glob_literal_prefix(pattern);
    const bool matches = glob_match(pattern, text);
    if ((matches && !text.starts_with(prefix.text)) || (prefix.whole && matches != (text == prefix.text)) ||
        (prefix.then_anything && matches != text.starts_with(prefix.text))) {
      FAIL("'" << pattern << "' and '" << text << "'");
    }
  }
}

TEST_CASE("the literal prefix of an escaped text is the whole text") {
  Texts texts{17};
  for (int i = 0; i < 5'000; ++i) {
    const std::string text = texts.of("a*?[]^-\\\x80", 8);
    const auto prefix = glob_literal_prefix(glob_escape(text));
    if (!prefix.whole || prefix.text != text) FAIL("'" << text << "'");
  }
}
