#pragma once

#include <cmath>

#include "cascor/codec/json.hpp"
#if defined(CASCOR_CACHE_SIMDJSON)
#include "cascor/codec/simdjson.hpp"
#endif

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_FN void refuse_json_depth() {
  throw DataError{"JSON nested deeper than " + std::to_string(max_json_depth) + " levels",
                  "Flatten the value, or store its parts under keys of their own."};
}

CASCOR_CACHE_DEF void check_json_text(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    throw DataError{"a NUL byte in JSON text", "Look at who wrote it: inside of strings it is written \\u0000."};
  }
  if (text.size() <= max_json_depth) return;
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_json_depth) refuse_json_depth();
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

#if defined(CASCOR_CACHE_SIMDJSON)
// From so many bytes on it is the faster one, in spite of what making ready for a text costs.
inline constexpr std::size_t least_for_simdjson = 16;
// Beyond this what it needs meanwhile, up to 20 times the text, is not worth the time.
inline constexpr std::size_t most_for_simdjson = std::size_t{16} << 20U;
#endif

CASCOR_CACHE_DEF json parse_json(std::string_view text) {
  using Json = Dependent<json, CascorWhenUsed>;
#if defined(CASCOR_CACHE_SIMDJSON)
  if (text.size() >= least_for_simdjson && text.size() <= most_for_simdjson) {
    Json value;
    if (SimdjsonReader<Json>{text, max_json_depth}.read(value)) return value;
  }
#endif
  check_json_text(text);
  return Json::parse(text);
}

// Well-formed UTF-8 after RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF; the same that dump()
// takes.
CASCOR_CACHE_FN bool is_utf8(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());  // NOLINT(*-reinterpret-cast)
  const auto* const end = at + text.size();
  while (at != end) {
    const unsigned char lead = *at++;
    if (lead < 0x80) continue;
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    for (; more > 0; --more) {
      if (at == end || *at < low || *at > high) return false;
      ++at;
      low = 0x80;
      high = 0xBF;
    }
  }
  return true;
}

CASCOR_CACHE_FN void check_utf8(const std::string& text) {
  if (!is_utf8(text)) {
    throw DataError{"a text that is not UTF-8", "JSON text is UTF-8: convert it, or encode bytes, say as base64."};
  }
}

// A value that was never one: what a parser gives that was told not to throw.
CASCOR_CACHE_FN void refuse_discarded_json() {
  throw DataError{"a discarded JSON value", "Look at what the parser said before the value is stored."};
}

// dump() would overflow the stack of a deeper one, and writes a discarded one as text that nobody reads.
CASCOR_CACHE_FN void check_json_at(const Dependent<json, CascorWhenUsed>& value, std::size_t depth) {
  if (value.is_discarded()) refuse_discarded_json();
  if (value.is_binary() && depth + 2 > max_json_depth) refuse_json_depth();  // becomes an object that holds an array
  if (!value.is_structured()) return;
  if (depth >= max_json_depth) refuse_json_depth();
  for (const auto& member : value) check_json_at(member, depth + 1);
}

CASCOR_CACHE_FN void settle_json_at(Dependent<json, CascorWhenUsed>& value, std::size_t depth) {
  using Json = Dependent<json, CascorWhenUsed>;
  using Type = typename Json::value_t;
  switch (value.type()) {
    case Type::object:
      if (depth >= max_json_depth) refuse_json_depth();
      for (auto& [key, member] : value.template get_ref<typename Json::object_t&>()) {
        check_utf8(key);
        settle_json_at(member, depth + 1);
      }
      break;
    case Type::array:
      if (depth >= max_json_depth) refuse_json_depth();
      for (auto& element : value.template get_ref<typename Json::array_t&>()) settle_json_at(element, depth + 1);
      break;
    case Type::string: check_utf8(value.template get_ref<const std::string&>()); break;
    case Type::number_integer:
      if (const auto number = value.template get<typename Json::number_integer_t>(); number >= 0) {
        value = static_cast<typename Json::number_unsigned_t>(number);
      }
      break;
    case Type::number_float:
      if (!std::isfinite(value.template get<double>())) value = nullptr;
      break;
    case Type::binary:
      if (depth + 2 > max_json_depth) refuse_json_depth();
      value = Json::parse(value.dump());
      break;
    case Type::discarded: refuse_discarded_json(); break;
    case Type::null:
    case Type::boolean:
    case Type::number_unsigned: break;
  }
}

CASCOR_CACHE_DEF void settle_json(json& value, std::size_t depth) { settle_json_at(value, depth); }

CASCOR_CACHE_DEF std::string dump_json(const json& value) {
  const Dependent<json, CascorWhenUsed>& checked = value;
  check_json_at(checked, 0);
  return checked.dump();
}

CASCOR_CACHE_DEF std::string json_decode_hint(std::string_view why) {
  if (why.find("must be number, but is null") != std::string_view::npos) {
    return "A NaN or an infinity was written: JSON has neither, so null stands for them. Test is_null() of the json, "
           "or "
           "in from_json, before the number is read, or store a diverging number as text.";
  }
  return "Read it as the type it was written as, or erase it.";
}

CASCOR_CACHE_DEF std::size_t heap_of_json(const json& weighed) noexcept {
  using Json = Dependent<json, CascorWhenUsed>;
  using Type = typename Json::value_t;
  const Json& value = weighed;
  // A node of std::map: colour, three links, the pair.
  constexpr std::size_t node = heap_block(4 * sizeof(void*) + sizeof(std::pair<const std::string, Json>));
  std::size_t bytes = 0;
  switch (value.type()) {
    case Type::object: {
      const auto& members = *value.template get_ptr<const typename Json::object_t*>();
      bytes += heap_block(sizeof members);
      for (const auto& [key, member] : members) {
        bytes += node + weight_of(key) - sizeof key + heap_of_json(member);
      }
      break;
    }
    case Type::array: {
      const auto& elements = *value.template get_ptr<const typename Json::array_t*>();
      bytes += heap_block(sizeof elements) + heap_block(elements.capacity() * sizeof(Json));
      for (const auto& element : elements) bytes += heap_of_json(element);
      break;
    }
    case Type::string: {
      const auto& text = *value.template get_ptr<const std::string*>();
      bytes += heap_block(sizeof text) + weight_of(text) - sizeof text;
      break;
    }
    case Type::binary: {
      const auto& binary = *value.template get_ptr<const typename Json::binary_t*>();
      bytes += heap_block(sizeof binary) + heap_block(binary.capacity());
      break;
    }
    default: break;
  }
  return bytes;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
