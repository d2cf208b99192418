// JSON text, by nlohmann's library: the one file that includes it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cascor/codec/codec.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

using json = nlohmann::json;

/// Arrays and objects may be nested this deep. Deeper text is refused before it is parsed: a few kilobytes of brackets
/// would otherwise overflow the stack of whoever prints or copies the value.
inline constexpr std::size_t max_json_depth = 512;

namespace detail {
/// Throws DataError for what the parser must not see: nesting deeper than max_json_depth, and a NUL byte, which it
/// would take for the end of the text. One pass over the text.
CASCOR_CACHE_FN void check_json_text(std::string_view text);
/// The value of a text, as nlohmann's parser gives it. Throws DataError as check_json_text(), and what that parser
/// throws for what is no JSON text. Where simdjson is compiled in, by that: same values, same errors.
CASCOR_CACHE_FN json parse_json(std::string_view text);
/// Turns `value` into what its own JSON text would parse to: NaN and infinities become null, integers that are not
/// negative become unsigned, binary values become the object that stands for them. Throws DataError where it has no
/// text: a string that is not UTF-8, nesting deeper than max_json_depth, a discarded value; part of it may be settled
/// then. `depth`: so deep it is to stand in another value.
CASCOR_CACHE_FN void settle_json(json& value, std::size_t depth = 0);
/// JSON text of a settled or any other value; NaN and infinities as null. Throws DataError for nesting deeper than
/// max_json_depth and for a discarded value, and what nlohmann throws for a string that is not UTF-8.
CASCOR_CACHE_FN std::string dump_json(const json& value);
CASCOR_CACHE_FN std::size_t heap_of_json(const json& weighed) noexcept;
CASCOR_CACHE_FN std::string json_decode_hint(std::string_view why);
}  // namespace detail

/// The default codec: a value's JSON text and nothing else, so that any program can read and write it. A type of yours
/// needs nlohmann's `to_json` and `from_json` (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE writes both).
struct JsonCodec {
  // Of numbers it is known; asking nlohmann costs each program that includes this.
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_constructible_v<json, const T&>) static std::string
      encode(const T& value) {
    if constexpr (std::is_same_v<T, json>) {
      return detail::dump_json(value);
    } else {
      return detail::dump_json(json(value));
    }
  }

  template <class T>
  static T decode(std::string_view bytes) {
    if constexpr (std::is_same_v<T, json>) {
      return detail::parse_json(bytes);
    } else {
      return detail::parse_json(bytes).template get<T>();
    }
  }

  /// What to do about bytes that do not decode; `why` is what decode() threw.
  CASCOR_CACHE_FN static std::string decode_hint(std::string_view why) { return detail::json_decode_hint(why); }

  /// What `value` reads back as, so that a memory tier may keep it decoded.
  CASCOR_CACHE_FN static void settle(json& value) { detail::settle_json(value); }
};

template <>
inline std::size_t weight_of<json>(const json& value) noexcept {
  return sizeof value + detail::heap_of_json(value);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/codec/json.ipp"
#endif
