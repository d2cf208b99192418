// The JSON codec: what memory keeps is what Redis would give back, bad input is an error, weights are real bytes.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocator_support.hpp"
#include "cascor/codec/json.hpp"
#include "support/same_json.hpp"

using cascor::DataError;
using cascor::json;
using cascor::JsonCodec;
using cascor::max_json_depth;
using cascor::weight_of;
using Catch::Matchers::Contains;
using support::same_json;
using namespace std::string_literals;

namespace {

json settled(json value) {
  JsonCodec::settle(value);
  return value;
}

json nested_arrays(std::size_t depth) {
  json value = json::array();
  for (std::size_t i = 1; i < depth; ++i) value = json::array({std::move(value)});
  return value;
}

class Values {
 public:
  explicit Values(unsigned seed) : random_{seed} {}

  json any(int depth) {
    switch (up_to(depth > 0 ? 11 : 8)) {
      case 0: return nullptr;
      case 1: return up_to(1) == 1;
      case 2: return integer();
      case 3: return static_cast<std::uint64_t>(bits());
      case 4: return real();
      case 5: return special();
      case 6: return text();
      case 7: return json::binary(bytes());
      case 8: return json::binary(bytes(), up_to(300));
      case 9:
      case 10: {
        json array = json::array();
        for (auto n = up_to(5); n > 0; --n) array.push_back(any(depth - 1));
        return array;
      }
      default: {
        json object = json::object();
        for (auto n = up_to(5); n > 0; --n) object[text()] = any(depth - 1);
        return object;
      }
    }
  }
  std::string text() {
    static const std::vector<std::string> parts{"a",    "epoch",       "\"",  "\\",           "\n", "\x01",
                                                "\x7F", "\xC3\xA9",    "\0"s, "\xE2\x82\xAC", "/",  "\xF0\x9F\x92\xA9",
                                                " ",    "\xEF\xBF\xBF"};
    std::string result;
    for (auto n = up_to(6); n > 0; --n) result += parts[up_to(parts.size() - 1)];
    return result;
  }
  std::string random_bytes(std::size_t most) {
    std::string result(up_to(most), ' ');
    for (char& byte : result) byte = static_cast<char>(up_to(3) == 0 ? up_to(255) : 0x80 + up_to(0x7F));
    return result;
  }
  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>{0, most}(random_); }

 private:
  std::uint64_t bits() { return random_() >> up_to(63); }
  std::int64_t integer() {
    const auto magnitude = static_cast<std::int64_t>(bits() >> 1U);
    return up_to(1) == 1 ? magnitude : -magnitude - 1;
  }
  double real() {
    double value = 0;
    const std::uint64_t pattern = random_();
    static_assert(sizeof value == sizeof pattern);
    std::memcpy(&value, &pattern, sizeof value);
    return value;
  }
  double special() {
    static const std::vector<double> values{0.0,
                                            -0.0,
                                            1.0,
                                            -1.0,
                                            0.1,
                                            1e15,
                                            1e16,
                                            1e300,
                                            5e-324,
                                            9007199254740993.0,
                                            18446744073709551616.0,
                                            std::numeric_limits<double>::max(),
                                            std::numeric_limits<double>::infinity(),
                                            -std::numeric_limits<double>::infinity(),
                                            std::numeric_limits<double>::quiet_NaN()};
    return values[up_to(values.size() - 1)];
  }
  std::vector<std::uint8_t> bytes() {
    std::vector<std::uint8_t> result(up_to(6));
    for (auto& byte : result) byte = static_cast<std::uint8_t>(up_to(255));
    return result;
  }
  std::mt19937_64 random_;
};

bool throws_data_error(const json& value) {
  try {
    (void)settled(value);
    return false;
  } catch (const DataError&) {
    return true;
  }
}
bool dump_throws(const json& value) {
  try {
    (void)value.dump();
    return false;
  } catch (const json::exception&) {
    return true;
  }
}

struct Typed {
  int epoch = 0;
  std::vector<double> losses;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Typed, epoch, losses)

}  // namespace

TEST_CASE("a settled value is what its text reads back as, in every kind of number, for 8,000 random values") {
  constexpr unsigned seed = 3;
  Values values{seed};
  for (int i = 0; i < 8'000; ++i) {
    const json value = values.any(4);
    const json kept = settled(value);
    const json read = json::parse(value.dump());
    if (!same_json(kept, read)) FAIL("seed " << seed << ", case " << i << ": " << value.dump());
    if (!same_json(kept, JsonCodec::decode<json>(JsonCodec::encode(value)))) FAIL("seed " << seed << ", case " << i);
    if (!same_json(settled(kept), kept)) FAIL("settled twice; seed " << seed << ", case " << i);
  }
}

TEST_CASE("NaN and infinities become null, integers that are not negative unsigned, binary values an object") {
  CHECK(same_json(settled(std::nan("")), nullptr));
  CHECK(same_json(settled(-std::numeric_limits<double>::infinity()), nullptr));
  CHECK(settled(json::number_integer_t{5}).is_number_unsigned());
  CHECK(settled(0).is_number_unsigned());
  CHECK(settled(-5).type() == json::value_t::number_integer);
  CHECK(settled(5.0).is_number_float());
  CHECK(std::signbit(settled(-0.0).get<double>()));
  CHECK(same_json(settled(json::binary({1, 2}, 7)), json::parse(R"({"bytes": [1, 2], "subtype": 7})")));
  CHECK(same_json(settled({{"loss", std::nan("")}, {"epoch", 3}}), json::parse(R"({"loss": null, "epoch": 3})")));
}

TEST_CASE("text that is not UTF-8 is a DataError exactly where nlohmann's dump refuses it") {
  Values values{5};
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string bytes = values.random_bytes(5);
    const bool refuses = dump_throws(json(bytes));
    if (throws_data_error(json(bytes)) != refuses) FAIL(i << ": " << json::binary({bytes.begin(), bytes.end()}).dump());
    if (throws_data_error(json{{bytes, 1}}) != refuses) FAIL("as a key: " << i);
    refused += refuses ? 1 : 0;
  }
  CHECK(refused > 4'000);
  CHECK(refused < 20'000);
}

TEST_CASE("each kind of broken UTF-8 is refused, its neighbours that are none are not") {
  for (const std::string text :
       {"\x80", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "a\xE2\x82", "\xE2\x28\xA1"}) {
    CHECK(throws_data_error(json(text)));
    CHECK(throws_data_error(json::array({json::object({{"k", text}})})));
  }
  for (const std::string text : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
                                 "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\x7F", ""}) {
    CHECK_FALSE(throws_data_error(json(text)));
  }
  try {
    (void)settled(json("\xFF"));
    FAIL("no error");
  } catch (const DataError& error) {
    CHECK_THAT(error.what(), Contains("not UTF-8"));
    CHECK_THAT(error.hint(), Contains("base64"));
  }
}

TEST_CASE("values may be nested 512 deep; one deeper is refused before it is written, kept or read") {
  const json deepest = nested_arrays(max_json_depth);
  CHECK(same_json(JsonCodec::decode<json>(JsonCodec::encode(deepest)), deepest));
  CHECK_NOTHROW(settled(deepest));
  CHECK_NOTHROW(settled(json::object({{"x", nested_arrays(max_json_depth - 1)}})));

  const json deeper = nested_arrays(max_json_depth + 1);
  CHECK_THROWS_WITH(settled(deeper), Contains("nested deeper than 512"));
  CHECK_THROWS_WITH(JsonCodec::encode(deeper), Contains("nested deeper than 512"));
  CHECK_THROWS_AS(JsonCodec::decode<json>(deeper.dump()), DataError);
  CHECK_THROWS_AS(settled(json::object({{"x", nested_arrays(max_json_depth)}})), DataError);
}

TEST_CASE("a binary value counts as the two levels that its text has") {
  const auto within = [](std::size_t arrays) {
    json value = json::binary({1});
    for (std::size_t i = 0; i < arrays; ++i) value = json::array({std::move(value)});
    return value;
  };
  CHECK(same_json(settled(within(510)), JsonCodec::decode<json>(JsonCodec::encode(within(510)))));
  CHECK_THROWS_AS(settled(within(511)), DataError);
  CHECK_THROWS_AS(JsonCodec::encode(within(511)), DataError);
}

TEST_CASE("a million brackets are refused quickly, whatever else is around them") {
  const std::string opening(1'000'000, '[');
  CHECK_THROWS_AS(JsonCodec::decode<json>(opening), DataError);
  CHECK_THROWS_AS(JsonCodec::decode<json>(opening + std::string(1'000'000, ']')), DataError);
  CHECK_THROWS_AS(JsonCodec::decode<json>("{\"a\":" + opening), DataError);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK_THROWS_AS(JsonCodec::decode<json>(objects), DataError);
}

TEST_CASE("brackets inside of text are text, however many") {
  const json value = std::string(2'000, '[') + "\"\\\"[{" + std::string(2'000, '{');
  CHECK(JsonCodec::decode<json>(JsonCodec::encode(value)) == value);
  const json list = json::array({"[\\", "\\\"[", std::string(600, '[')});
  CHECK(JsonCodec::decode<json>(JsonCodec::encode(list)) == list);
  std::string wide = "[";
  for (int i = 0; i < 1'000; ++i) wide += "[],";
  wide += "[]]";
  CHECK(JsonCodec::decode<json>(wide).size() == 1'001);
}

TEST_CASE("a discarded value is refused, not written as text that nobody reads") {
  const json discarded = json::parse("{", nullptr, false);
  REQUIRE(discarded.is_discarded());
  CHECK_THROWS_AS(settled(discarded), DataError);
  CHECK_THROWS_AS(JsonCodec::encode(discarded), DataError);
  CHECK_THROWS_AS(JsonCodec::encode(json::array({discarded})), DataError);
}

TEST_CASE("what is no JSON text does not decode") {
  for (const std::string text :
       {"",      " ",           "{",           "[1,]",     "{\"a\":}", "nul",      "01",           "+1",
        "1.",    ".5",          "NaN",         "Infinity", "'a'",      "\"\x01\"", "\"\xFF\"",     "1 2",
        "{} {}", "\"\\ud800\"", "<discarded>", "1e999",    "\x80",     "[1,2",     "// comment\n1"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(JsonCodec::decode<json>(text), std::exception);
  }
  // The parser takes a NUL byte for the end of its input.
  for (const std::string& text : {"1\0"s, "1\0 and more"s, "\0"s, "[1]\0]"s, "\"a\0b\""s}) {
    CHECK_THROWS_WITH(JsonCodec::decode<json>(text), Contains("NUL"));
  }
}

TEST_CASE("what is odd but valid decodes to what it says") {
  CHECK(JsonCodec::decode<json>(" \t\r\n null ").is_null());
  CHECK(JsonCodec::decode<json>("\"\\u0000\"") == "\0"s);
  CHECK(JsonCodec::decode<json>("\"\\ud83d\\udca9\"") == "\xF0\x9F\x92\xA9");
  CHECK(JsonCodec::decode<json>("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK(JsonCodec::decode<json>("18446744073709551616").is_number_float());
  CHECK(JsonCodec::decode<json>("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  CHECK(JsonCodec::decode<json>("1E-2") == 0.01);
  CHECK(JsonCodec::decode<json>("{\"a\":1,\"a\":2}") == json{{"a", 2}});
  CHECK(JsonCodec::decode<json>("{\"\":{}}") == json{{"", json::object()}});
}

TEST_CASE("random bytes decode or throw, and never do anything else") {
  Values values{23};
  for (int i = 0; i < 8'000; ++i) {
    std::string text = i % 2 == 0 ? values.random_bytes(30) : values.any(3).dump();
    if (!text.empty()) text[values.up_to(text.size() - 1)] = static_cast<char>(values.up_to(255));
    try {
      const json value = JsonCodec::decode<json>(text);
      if (!same_json(JsonCodec::decode<json>(JsonCodec::encode(value)), settled(value))) FAIL(text);
    } catch (const std::exception&) {  // as it should be where it is no JSON
    }
  }
}

TEST_CASE("a program's own types go through their to_json and from_json") {
  const Typed value{7, {0.5, 0.25}};
  const std::string text = JsonCodec::encode(value);
  CHECK(json::parse(text) == json{{"epoch", 7}, {"losses", {0.5, 0.25}}});
  CHECK(JsonCodec::decode<Typed>(text).losses == value.losses);
  CHECK_THROWS_AS(JsonCodec::decode<Typed>("{\"epoch\": \"seven\"}"), std::exception);
  CHECK(JsonCodec::decode<std::string>(JsonCodec::encode(std::string{"text"})) == "text");
  CHECK(JsonCodec::decode<std::vector<int>>(JsonCodec::encode(std::vector<int>{1, 2})) == std::vector<int>{1, 2});
  STATIC_REQUIRE(cascor::Codec<JsonCodec>);
  STATIC_REQUIRE(cascor::Encodes<JsonCodec, Typed>);
  STATIC_REQUIRE_FALSE(cascor::Encodes<JsonCodec, void (*)()>);
}

TEST_CASE("a value that is encoded is not wrapped or changed") {
  CHECK(JsonCodec::encode(json::array({1})) == "[1]");
  CHECK(JsonCodec::encode(json(1)) == "1");
  CHECK(JsonCodec::encode(json{{"b", 1}, {"a", 2.0}}) == "{\"a\":2.0,\"b\":1}");
  CHECK(JsonCodec::encode(json("\xC3\xA9\n")) == "\"\xC3\xA9\\n\"");
}

TEST_CASE("a JSON value weighs what it takes on the heap, to a tenth, from 100 bytes to 100 KB") {
  if (!allocator_is_glibc()) return;
  const auto check = [](const char* shape, const json& value) {
    CAPTURE(shape);
    const std::string text = value.dump();
    const double parsed = heap_bytes_of([&text] { return json::parse(text); });
    CHECK(static_cast<double>(weight_of(json::parse(text)) - sizeof(json)) == Approx(parsed).epsilon(0.10));
    const double copied = heap_bytes_of([&value] { return value; });
    CHECK(static_cast<double>(weight_of(json(value)) - sizeof(json)) == Approx(copied).epsilon(0.10));
  };
  json metrics{{"epoch", 5},
               {"train_loss", 0.2},
               {"val_loss", 0.25},
               {"accuracy", 0.93},
               {"hidden_units", 4},
               {"phase", "output"},
               {"timestamp", "2024-06-01T12:00:00.000Z"}};
  check("metrics", metrics);
  check("one string", std::string(100, 'x'));
  check("a long string", std::string(100'000, 'x'));
  check("short strings", std::vector<std::string>(1'000, "short"));
  check("numbers", std::vector<double>(6'000, 0.125));
  check("matrix", std::vector<std::vector<double>>(100, std::vector<double>(50, 0.5)));
  json nodes = json::array();
  for (int i = 0; i < 200; ++i) {
    nodes.push_back({{"id", i}, {"type", "hidden"}, {"layer", i / 10}, {"weights", {0.1, 0.2, 0.3}}});
  }
  check("topology", {{"nodes", nodes}, {"input_units", 2}});
  json wide = json::object();
  for (int i = 0; i < 1'000; ++i) wide["a key that does not fit inside its string " + std::to_string(i)] = nullptr;
  check("wide object", wide);
  CHECK(weight_of(json(1)) == sizeof(json));
  CHECK(weight_of(json(nullptr)) == sizeof(json));
  CHECK(weight_of(std::vector<json>(3, json(std::string(100, 'x')))) > 3 * 100);
  CHECK(static_cast<double>(weight_of(json::binary(std::vector<std::uint8_t>(5'000))) - sizeof(json)) ==
        Approx(heap_bytes_of([] { return json::binary(std::vector<std::uint8_t>(5'000)); })).epsilon(0.10));
}
