// JSON text by simdjson: the one file that includes it, and only where CASCOR_CACHE_SIMDJSON is defined. A header of
// another second to compile: docs/decisions/0002-simdjson.md says who pays for it, and when.
#pragma once

#include "cascor/version.hpp"

#if defined(CASCOR_CACHE_SIMDJSON)

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// Older ones take halves of surrogate pairs, which nlohmann refuses.
static_assert(simdjson::SIMDJSON_VERSION_MAJOR >= 3, "CASCOR_CACHE_SIMDJSON needs simdjson 3 or a later version");

/// Reads a text into a value of nlohmann's (`Json`, which is theirs to include): in every kind and bit the value that
/// nlohmann's own parser gives, or none. It says no to whatever that one refuses, and also where the two do not agree
/// or simdjson does not tell enough: the caller then asks nlohmann. For one text.
template <class Json>
class SimdjsonReader {
 public:
  /// `text` must stay until the end; arrays and objects deeper than `most_levels` are refused.
  SimdjsonReader(std::string_view text, std::size_t most_levels) noexcept : text_{text}, most_levels_{most_levels} {}

  /// Was it read into `into`? If not, that may hold part of it. Throws std::bad_alloc. O(text); meanwhile takes the
  /// text's size once more, and up to 24 bytes for each value.
  bool read(Json& into) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(text_.data(), text_.size()).get(root) != simdjson::SUCCESS) return false;
    return read(root, into, 0);
  }

 private:
  using Type = simdjson::dom::element_type;

  bool read(const simdjson::dom::element& from, Json& into, std::size_t level) {
    switch (from.type()) {
      case Type::ARRAY: return level < most_levels_ && read_array(from, into, level + 1);
      case Type::OBJECT: return level < most_levels_ && read_object(from, into, level + 1);
      case Type::DOUBLE: return read_as<double>(from, into);
      case Type::INT64: return read_integer(from, into);
      case Type::UINT64: return read_as<std::uint64_t>(from, into);
      case Type::STRING: return read_text(from, into);
      case Type::BOOL: return read_as<bool>(from, into);
      case Type::NULL_VALUE: into = nullptr; return true;
    }
    return false;
  }
  template <class T>
  static bool read_as(const simdjson::dom::element& from, Json& into) {
    T value{};
    if (from.get<T>().get(value) != simdjson::SUCCESS) return false;
    into = value;
    return true;
  }
  bool read_integer(const simdjson::dom::element& from, Json& into) {
    std::int64_t value = 0;
    if (from.get_int64().get(value) != simdjson::SUCCESS) return false;
    if (value < 0) {
      into = value;
      return true;
    }
    // To nlohmann 0 is unsigned and -0 is not, which simdjson does not tell apart.
    if (value == 0 && may_have_minus_zero()) return false;
    into = static_cast<std::uint64_t>(value);
    return true;
  }
  static bool read_text(const simdjson::dom::element& from, Json& into) {
    std::string_view text;
    if (from.get_string().get(text) != simdjson::SUCCESS) return false;
    into = std::string{text};
    return true;
  }
  bool read_array(const simdjson::dom::element& from, Json& into, std::size_t level) {
    simdjson::dom::array elements;
    if (from.get_array().get(elements) != simdjson::SUCCESS) return false;
    into = Json::array();
    auto& values = into.template get_ref<typename Json::array_t&>();
    values.reserve(elements.size());
    for (const simdjson::dom::element element : elements) {
      if (!read(element, values.emplace_back(), level)) return false;
    }
    return true;
  }
  bool read_object(const simdjson::dom::element& from, Json& into, std::size_t level) {
    simdjson::dom::object object;
    if (from.get_object().get(object) != simdjson::SUCCESS) return false;
    into = Json::object();
    auto& members = into.template get_ref<typename Json::object_t&>();
    for (const simdjson::dom::key_value_pair member : object) {
      // Mostly nlohmann has written them, and so in order. Of a key that stands twice the last value counts.
      const auto at = members.try_emplace(members.end(), std::string{member.key});
      if (!read(member.value, at->second, level)) return false;
    }
    return true;
  }

  // Is there a number -0 (or a text that holds such)? Asked at most once, where a number is zero.
  bool may_have_minus_zero() noexcept {
    if (!knows_no_minus_zero_) {
      for (std::size_t at = text_.find('-'); at < text_.size(); at = text_.find('-', at + 1)) {
        if (text_.substr(at, 2) == "-0" && (at + 2 == text_.size() || !goes_on(text_[at + 2]))) return true;
      }
      knows_no_minus_zero_ = true;
    }
    return false;
  }
  // As -0.5, or as the exponent of 1e-05.
  static bool goes_on(char c) noexcept { return c == '.' || c == 'e' || c == 'E' || (c >= '0' && c <= '9'); }

  std::string_view text_;
  std::size_t most_levels_;
  bool knows_no_minus_zero_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#endif
