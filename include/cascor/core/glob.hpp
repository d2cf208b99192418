// Redis's glob patterns, matched here exactly as the server matches them, so that both backends agree.
#pragma once

#include <string>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Does `text` match `pattern`? `*` any bytes, `?` one byte, `[abc]`, `[^a]`, `[a-z]`, `\x` the byte x. Odd patterns
/// mean what they mean to the server: an unclosed `[` takes the rest as its members, a reversed range is turned round,
/// a lone `\` at the end is itself. Bytes, not characters; ranges compare as signed char, as the server's do on x86.
/// O(pattern x text) at worst, O(pattern + text) for patterns of one star; no allocation; never throws.
CASCOR_CACHE_FN bool glob_match(std::string_view pattern, std::string_view text) noexcept;

/// `text` as a pattern that matches just itself.
CASCOR_CACHE_FN std::string glob_escape(std::string_view text);

/// The bytes that every match must begin with, escapes resolved, and what follows them.
struct GlobPrefix {
  std::string text;
  bool whole = false;          ///< nothing: that is the whole pattern
  bool then_anything = false;  ///< stars alone: whatever begins so matches
};
CASCOR_CACHE_FN GlobPrefix glob_literal_prefix(std::string_view pattern);

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/glob.ipp"
#endif
