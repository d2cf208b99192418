// What simdjson reads is what nlohmann's parser gives, in every kind and bit, or it reads nothing; and decoding gives
// the value or the error that it gives without simdjson.
#if defined(CASCOR_TEST_SIMDJSON)
#include "cascor/codec/json.hpp"
// After that header, so that what is in it is the same here as in the other tests.
#if !defined(CASCOR_CACHE_SIMDJSON)
#define CASCOR_CACHE_SIMDJSON
#endif
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/codec/simdjson.hpp"
#include "support/random_json_text.hpp"
#include "support/same_json.hpp"

using cascor::json;
using cascor::JsonCodec;
using cascor::max_json_depth;
using support::same_json;
using Reader = cascor::detail::SimdjsonReader<json>;
using namespace std::string_literals;

namespace {

struct Outcome {
  std::optional<json> value;
  std::string error;
};
template <class Decode>
Outcome outcome_of(const Decode& decode) {
  try {
    return {decode(), {}};
  } catch (const std::exception& error) {
    return {std::nullopt, error.what()};
  }
}
Outcome nlohmann_of(const std::string& text) {
  return outcome_of([&text] {
    cascor::detail::check_json_text(text);
    return json::parse(text);
  });
}
std::optional<json> simdjson_of(const std::string& text) {
  json value;
  if (!Reader{text, max_json_depth}.read(value)) return std::nullopt;
  return value;
}
bool alike(const Outcome& a, const Outcome& b) {
  return a.error == b.error && a.value.has_value() == b.value.has_value() &&
         (!a.value || same_json(*a.value, *b.value));
}
// Alone, among others, and so long that simdjson is asked; does it agree in each?
bool agrees(const std::string& text) {
  for (const std::string& whole : {text, text + std::string(20, ' '), "[1, " + text + "               ]",
                                   "{\"key\": " + text + ", \"other\": [0.5]}"}) {
    const Outcome expected = nlohmann_of(whole);
    const auto read = simdjson_of(whole);
    if (read && !(expected.value && same_json(*read, *expected.value))) return false;
    if (!alike(outcome_of([&whole] { return JsonCodec::decode<json>(whole); }), expected)) return false;
  }
  return true;
}
std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

}  // namespace

TEST_CASE("simdjson reads what is usual: whole numbers, fractions, texts, words, lists and maps") {
  for (const std::string text : {"null",
                                 "true",
                                 "false",
                                 "0",
                                 "7",
                                 "-7",
                                 "0.25",
                                 "-0.0",
                                 "1e-05",
                                 "-1.5E+300",
                                 "9223372036854775807",
                                 "9223372036854775808",
                                 "18446744073709551615",
                                 "-9223372036854775808",
                                 "\"\"",
                                 "\"text\"",
                                 "\"\\u0000\\u00e9\\n\"",
                                 "\"\xF0\x9F\x92\xA9\"",
                                 "[]",
                                 "{}",
                                 "[[], {}, [[]]]",
                                 "{\"a\": {\"b\": [0, -1]}}",
                                 " \t\r\n [1 , 2 ] \n",
                                 "{\"epoch\": 0, \"losses\": [1e-07, -0.5, 0], \"note\": \"\"}",
                                 "{\"b\": 1, \"a\": 2, \"\": 3}"}) {
    CAPTURE(text);
    const auto read = simdjson_of(text);
    REQUIRE(read);
    CHECK(same_json(*read, json::parse(text)));
    CHECK(agrees(text));
  }
}

TEST_CASE("numbers are of the kind and the bits that nlohmann gives them") {
  for (const std::string text : {"0",
                                 "-0",
                                 "-0.0",
                                 "0e0",
                                 "-0e0",
                                 "0.0e-0",
                                 "-0E+5",
                                 "00",
                                 "-00",
                                 "01",
                                 "-01",
                                 "-",
                                 "+1",
                                 "1.",
                                 ".5",
                                 "-.5",
                                 "1.e5",
                                 "1e",
                                 "1e+",
                                 "1E-",
                                 "0x10",
                                 "1_000",
                                 "1e5",
                                 "1E5",
                                 "1e+05",
                                 "9007199254740993",
                                 "9007199254740993.0",
                                 "9223372036854775807",
                                 "9223372036854775808",
                                 "-9223372036854775808",
                                 "-9223372036854775809",
                                 "18446744073709551615",
                                 "18446744073709551616",
                                 "-18446744073709551615",
                                 "100000000000000000000",
                                 "-100000000000000000000000000000000000000000",
                                 "1e308",
                                 "1.7976931348623157e308",
                                 "1.7976931348623159e308",
                                 "1e309",
                                 "-1e309",
                                 "1e400",
                                 "1e999999999999",
                                 "1e-400",
                                 "-1e-400",
                                 "1e-999999999999",
                                 "5e-324",
                                 "2e-324",
                                 "3e-324",
                                 "2.2250738585072011e-308",
                                 "2.2250738585072014e-308",
                                 "4.9406564584124654e-324",
                                 "0.1",
                                 "0.30000000000000004",
                                 "3.141592653589793238462643383279502884197169399375105820974944592307816406286",
                                 "1.0000000000000000000000001",
                                 "7.2057594037927933e16",
                                 "9355950000000000000.00000000000000000000000000000000001844674407370955161600",
                                 "NaN",
                                 "nan",
                                 "Infinity",
                                 "-Infinity",
                                 "1 2",
                                 "1,2"}) {
    CAPTURE(text);
    CHECK(agrees(text));
  }
  CHECK(simdjson_of("[0, 1]")->at(0).is_number_unsigned());
  CHECK(JsonCodec::decode<json>("[-0,          1]").at(0).is_number_integer());
  CHECK(JsonCodec::decode<json>("[18446744073709551616]").at(0).is_number_float());
  CHECK_THROWS_AS(JsonCodec::decode<json>("[1e400,            1]"), json::out_of_range);
}

TEST_CASE("texts are read byte for byte, and broken ones refused alike") {
  for (const std::string& inside : {""s,
                                    "\\u0000"s,
                                    "\\u001f"s,
                                    "\\uD7FF"s,
                                    "\\ud800"s,
                                    "\\uDBFF"s,
                                    "\\udc00"s,
                                    "\\uDFFF"s,
                                    "\\ue000"s,
                                    "\\uffff"s,
                                    "\\ud83d\\ude00"s,
                                    "\\uD83D\\uDE00"s,
                                    "\\ud83d"s,
                                    "\\ud83dx"s,
                                    "\\ud83d\\n"s,
                                    "\\ud83d\\u0041"s,
                                    "\\ud83d\\ud83d"s,
                                    "\\ude00\\ud83d"s,
                                    "\\\\ud800"s,
                                    "\\u12"s,
                                    "\\u123"s,
                                    "\\u12g4"s,
                                    "\\U0041"s,
                                    "\\x41"s,
                                    "\\'"s,
                                    "\\a"s,
                                    "\\0"s,
                                    "\\"s,
                                    "\\\\"s,
                                    "\\/"s,
                                    "/"s,
                                    "'"s,
                                    "\t"s,
                                    "\n"s,
                                    "\x01"s,
                                    "\x1F"s,
                                    "\x7F"s,
                                    "\0"s,
                                    "a\0b"s,
                                    "\x80"s,
                                    "\xC3"s,
                                    "\xC3\xA9"s,
                                    "\xC0\x80"s,
                                    "\xC1\xBF"s,
                                    "\xE0\x9F\xBF"s,
                                    "\xE0\xA0\x80"s,
                                    "\xED\x9F\xBF"s,
                                    "\xED\xA0\x80"s,
                                    "\xED\xBF\xBF"s,
                                    "\xEE\x80\x80"s,
                                    "\xEF\xBB\xBF"s,
                                    "\xEF\xBF\xBF"s,
                                    "\xF0\x8F\xBF\xBF"s,
                                    "\xF0\x90\x80\x80"s,
                                    "\xF4\x8F\xBF\xBF"s,
                                    "\xF4\x90\x80\x80"s,
                                    "\xF5\x80\x80\x80"s,
                                    "\xFF"s,
                                    "\xE2\x82"s,
                                    "\xE2\x28\xA1"s,
                                    "[{\\\"]}"s}) {
    for (const std::string& text :
         {"\"" + inside + "\"", "{\"" + inside + "\": 1}", "\"" + inside, inside,
          "\"long enough to fill a register or two " + inside + " and to go on behind it\""}) {
      CAPTURE(text);
      CHECK(agrees(text));
    }
  }
}

TEST_CASE("what stands around a value, and what is no value, is refused alike") {
  for (const std::string& text : {""s,
                                  " "s,
                                  "\n"s,
                                  "\0"s,
                                  "1\0"s,
                                  "[1]\0"s,
                                  "[1\0]"s,
                                  "\xEF\xBB\xBF"s,
                                  "\xEF\xBB\xBF[1]"s,
                                  "\xEF\xBB[1]"s,
                                  "[1]\xEF\xBB\xBF"s,
                                  " \xEF\xBB\xBF[1]"s,
                                  "\xC2\xA0[1]"s,
                                  "[1]\x0C"s,
                                  "[1\x0C"
                                  "2]"s,
                                  "{\"a\"\x1A"
                                  "1}"s,
                                  "[1]x"s,
                                  "[1] 2"s,
                                  "[1],"s,
                                  "[1]]"s,
                                  "{} {}"s,
                                  "[1,]"s,
                                  "[,1]"s,
                                  "[1 2]"s,
                                  "[1,,2]"s,
                                  "["s,
                                  "]"s,
                                  "{"s,
                                  "}"s,
                                  "[}"s,
                                  "{]"s,
                                  "[1}"s,
                                  "{\"a\":1]"s,
                                  "{\"a\"}"s,
                                  "{\"a\":}"s,
                                  "{\"a\":1,}"s,
                                  "{,\"a\":1}"s,
                                  "{\"a\" 1}"s,
                                  "{\"a\":1 \"b\":2}"s,
                                  "{a:1}"s,
                                  "{1:1}"s,
                                  "{'a':1}"s,
                                  "{\"a\":1,\"a\"}"s,
                                  ":"s,
                                  ","s,
                                  "nul"s,
                                  "nulll"s,
                                  "Null"s,
                                  "tru"s,
                                  "truee"s,
                                  "true false"s,
                                  "fals"s,
                                  "undefined"s,
                                  "<discarded>"s,
                                  "// comment\n1"s,
                                  "/* comment */ 1"s,
                                  "[1] // comment"s,
                                  "'a'"s,
                                  "\"a"s,
                                  "a\""s,
                                  "\"a\" \"b\""s,
                                  "\"a\":1"s}) {
    CAPTURE(text);
    CHECK(agrees(text));
  }
}

TEST_CASE("of a key that stands twice the last value counts, whatever kind the others are of") {
  for (const std::string text : {R"({"a":1,"a":2})", R"({"a":{"x":1,"y":2},"a":{"y":3}})", R"({"a":[1,2,3],"a":[4]})",
                                 R"({"a":[1],"b":0.5,"a":"text"})", R"({"b":1,"a":2,"b":[{"c":1,"c":null}],"a":{}})",
                                 R"({"a":1,"\u0061":2})", R"({"a":-0,"a":0})"}) {
    CAPTURE(text);
    CHECK(agrees(text));
  }
}

TEST_CASE("512 levels are read, and one more is the same error") {
  for (const std::size_t levels : {1U, 511U, 512U, 513U, 1'023U, 1'024U, 1'025U, 100'000U}) {
    CAPTURE(levels);
    CHECK(simdjson_of(nested(levels)).has_value() == (levels <= max_json_depth));
    CHECK(alike(outcome_of([&] { return JsonCodec::decode<json>(nested(levels)); }), nlohmann_of(nested(levels))));
    std::string objects;
    for (std::size_t i = 0; i < levels; ++i) objects += "{\"a\":";
    objects += "1" + std::string(levels, '}');
    CHECK(alike(outcome_of([&] { return JsonCodec::decode<json>(objects); }), nlohmann_of(objects)));
  }
}

TEST_CASE("thousands of random texts, whole and broken, are read or refused as nlohmann does it") {
  support::RandomJsonText texts{11};
  std::size_t valid = 0;
  std::size_t read = 0;
  constexpr std::size_t count = 3'000;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = i % 2 == 0 ? texts.valid(4) : texts.broken(4);
    valid += nlohmann_of(text).value ? 1U : 0U;
    read += simdjson_of(text) ? 1U : 0U;
    if (!agrees(text)) FAIL("text " << i << ": " << text);
  }
  CHECK(valid > count / 2);
  CHECK(valid < count);
  CHECK(read > valid / 3);
}

#if defined(CASCOR_CACHE_COMPILED)
TEST_CASE("the compiled library decodes by simdjson: an array has room for its elements and no more") {
  json value = JsonCodec::decode<json>("[1, 2, 3, 4, 5, 6, 7, 8, 9]");
  CHECK(value.get_ref<json::array_t&>().capacity() == 9);
}
#endif
#endif
