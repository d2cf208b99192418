// Text to values, and what ${NAME} stands for.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <string>

#include "cascor/config/environment.hpp"
#include "cascor/config/text.hpp"
#include "config_support.hpp"

using namespace std::chrono_literals;
namespace detail = cascor::detail;
using Catch::Matchers::Contains;

TEST_CASE("booleans are 1 0 true false yes no on off, in any case, and nothing else") {
  for (const char* yes : {"1", "true", "TRUE", "True", "yes", "Yes", "on", "ON"})
    CHECK(detail::parse_flag(yes) == true);
  for (const char* no : {"0", "false", "False", "no", "NO", "off", "Off"}) CHECK(detail::parse_flag(no) == false);
  for (const char* other : {"", " true", "true ", "2", "y", "n", "t", "00", "enabled", "yess"})
    CHECK_FALSE(detail::parse_flag(other).has_value());
}

TEST_CASE("whole numbers are decimal digits, all of the text, within the type") {
  CHECK(detail::parse_count("0") == 0U);
  CHECK(detail::parse_count("010") == 10U);
  CHECK(detail::parse_count("18446744073709551615") == 18446744073709551615U);
  for (const char* other : {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "18446744073709551616"})
    CHECK_FALSE(detail::parse_count(other).has_value());
}

TEST_CASE("seconds may have fractions; what is not zero never becomes zero") {
  CHECK(detail::parse_seconds("3600") == 3600s);
  CHECK(detail::parse_seconds("0.5") == 500ms);
  CHECK(detail::parse_seconds("1.0004") == 1s);
  CHECK(detail::parse_seconds("1.0006") == 1001ms);
  CHECK(detail::parse_seconds("0.0001") == 1ms);
  CHECK(detail::parse_seconds("-0.0001") == -1ms);
  CHECK(detail::parse_seconds("0.0") == 0ms);
  CHECK(detail::parse_seconds("-2") == -2s);
  CHECK(detail::parse_seconds(std::string(300, '9')) == std::chrono::milliseconds::max());
  for (const char* other : {"", "12x", "1 s", "1e3", "nan", "inf", "-inf", "infinity", "0x1", "+1", " 1", "1,5", "."})
    CHECK_FALSE(detail::parse_seconds(other).has_value());
}

TEST_CASE("seconds_text is the inverse") {
  for (const auto duration : {0ms, 1ms, 10ms, 999ms, 1000ms, 1500ms, 86'400'000ms, -1ms, -999ms, -1001ms})
    CHECK(detail::parse_seconds(detail::seconds_text(duration)) == duration);
  CHECK(detail::seconds_text(1500ms) == "1.5");
  CHECK(detail::seconds_text(2s) == "2");
  CHECK(detail::seconds_text(-5ms) == "-0.005");
}

TEST_CASE("text that is not UTF-8 is found at its first bad byte") {
  CHECK(detail::find_non_utf8("a\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") == std::string::npos);
  for (const std::string bad : {"\x80", "\xC0\xAF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                "\xF0\x80\x80\x80", "\xFF", "\xE2\x82"})
    CHECK(detail::find_non_utf8("ok" + bad) == 2);
}

TEST_CASE("what a message shows is one line of text, and not a long one") {
  CHECK(detail::shown("a b") == "'a b'");
  CHECK(detail::shown(std::string{"a\n\0\x7f", 4}) == R"('a\x0a\x00\x7f')");
  CHECK(detail::shown("\xC3\xA9") == "'\xC3\xA9'");
  CHECK(detail::shown("\xFF") == R"('\xff')");
  CHECK(detail::shown(std::string(1000, 'x')).size() < 120);
  for (std::size_t before = 90; before < 110; ++before) {  // never cut within a character
    std::string text(before, 'x');
    for (int i = 0; i < 20; ++i) text += "\xF0\x9F\x98\x80";
    CHECK(detail::find_non_utf8(detail::shown(text)) == std::string::npos);
    CHECK_THAT(detail::shown(text), !Contains("\\x"));
  }
}

TEST_CASE("${NAME} and ${NAME:default} stand for variables") {
  const cascor::Environment environment{{"HOST", "redis.internal"}, {"EMPTY", ""}, {"ODD", "${HOST}"}, {"_x1", "y"}};
  const auto expand = [&](std::string_view text) { return detail::expand_variables(text, environment, "a.yaml:1:2"); };
  CHECK(expand("plain $HOST {x} $") == "plain $HOST {x} $");
  CHECK(expand("redis://${HOST}:1/${NONE:0}") == "redis://redis.internal:1/0");
  CHECK(expand("${NONE:redis://localhost:6379/0}") == "redis://localhost:6379/0");
  CHECK(expand("[${NONE:}]") == "[]");
  CHECK(expand("${HOST:other}") == "redis.internal");
  CHECK(expand("[${EMPTY:other}]") == "[]");
  CHECK(expand("${ODD}") == "${HOST}");
  CHECK(expand("${_x1}${_x1}") == "yy");
  CHECK(expand("$${HOST}") == "$redis.internal");
}

TEST_CASE("a variable that is not set, and what is no variable, is an error with its place") {
  const auto error = [](std::string_view text) {
    return error_of([&] { detail::expand_variables(text, {}, "a.yaml:1:2"); });
  };
  CHECK(
      error("hunter2 ${NONE}") ==
      "a.yaml:1:2: found ${NONE}, and the environment variable NONE is not set; accepted: ${NAME} or ${NAME:default}");
  CHECK_THAT(error("hunter2 ${NONE"), Contains("a.yaml:1:2: found '${' without its '}'") && !Contains("hunter2"));
  for (const char* text : {"${}", "${:x}", "${1A}", "${A B}", "${A-B:x}"})
    CHECK_THAT(error(text), Contains("found '${' without the name of a variable"));
  CHECK_THAT(error("${A:${B:x}}"), Contains("found a '${' inside the default of 'A'"));
}

TEST_CASE("the process's environment is read as it is") {
  REQUIRE(setenv("CASCOR_TEST_VARIABLE", "a=b", 1) == 0);
  CHECK(cascor::process_environment().at("CASCOR_TEST_VARIABLE") == "a=b");
  REQUIRE(unsetenv("CASCOR_TEST_VARIABLE") == 0);
  CHECK_FALSE(cascor::process_environment().contains("CASCOR_TEST_VARIABLE"));
}
