// Fuzz target: any bytes as a JSON text. Decoding gives what nlohmann's parser gives, in every kind and bit, or its
// error, whichever parser is compiled in; and a value that was decoded is what its own text decodes to.
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "cascor/codec/json.hpp"
#include "support/same_json.hpp"

using cascor::json;
using cascor::JsonCodec;
using support::same_json;

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "not so: " << what << '\n';
  std::abort();
}

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

void check(std::string_view text) {
  const Outcome expected = outcome_of([text] {
    cascor::detail::check_json_text(text);
    return json::parse(text);
  });
  const Outcome decoded = outcome_of([text] { return JsonCodec::decode<json>(text); });
  expect(decoded.error == expected.error, "the error is nlohmann's");
  expect(decoded.value.has_value() == expected.value.has_value(), "what it takes is taken");
  if (!decoded.value) return;
  expect(same_json(*decoded.value, *expected.value), "the value is nlohmann's");
  json settled = *decoded.value;
  JsonCodec::settle(settled);
  expect(same_json(JsonCodec::decode<json>(JsonCodec::encode(*decoded.value)), settled), "and its text's");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name for it
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check(text);
  check(std::string{text} + std::string(16, ' '));  // so long that simdjson reads it
  return 0;
}
