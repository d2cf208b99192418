// Text to values and back, strictly: what a configuration's source says is taken whole or not at all.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// `1 0 true false yes no on off`, any case; nothing for any other text.
CASCOR_CACHE_FN std::optional<Dependent<bool, CascorWhenUsed>> parse_flag(std::string_view text);

/// A whole decimal number without a sign; nothing for any other text, or one past the type.
CASCOR_CACHE_FN std::optional<Dependent<std::size_t, CascorWhenUsed>> parse_count(std::string_view text);

/// Decimal seconds, fractions allowed, to the nearest millisecond; what is not zero never becomes zero. Nothing for
/// any other text (an exponent, "nan", a unit). What is past the type becomes its largest or smallest value.
CASCOR_CACHE_FN std::optional<Dependent<std::chrono::milliseconds, CascorWhenUsed>> parse_seconds(
    std::string_view text);

/// The inverse of parse_seconds: "3600", "0.5".
CASCOR_CACHE_FN std::string seconds_text(std::chrono::milliseconds duration);

/// Where the first byte stands that is not UTF-8; npos where all is.
CASCOR_CACHE_FN std::size_t find_non_utf8(std::string_view text);

/// Can this stand in a log line or a key? UTF-8 without control characters.
CASCOR_CACHE_FN bool is_plain_text(std::string_view text);

/// For messages: in single quotes, control characters and bytes that are no text as `\xNN`, cut when it is long.
CASCOR_CACHE_FN std::string shown(std::string_view text);

/// A double-quoted YAML scalar.
CASCOR_CACHE_FN std::string yaml_quoted(std::string_view text);

/// Was `name` probably meant? The same in another case, two edits away at most, or with it as a word.
CASCOR_CACHE_FN bool may_mean(std::string_view text, std::string_view name);

/// Which of the known names was probably meant: the one that is the fewest edits away, where words left out ("ttl" for
/// "ttl_seconds", "timeout" for "connection_pool.timeout") count as one at most. `common_prefix` is left out of the
/// comparison. `known` is not empty.
CASCOR_CACHE_FN std::string nearest_name(std::string_view name, const std::vector<std::string>& known,
                                         std::string_view common_prefix = {});

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/text.ipp"
#endif
