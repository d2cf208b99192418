// Overwriting a value by copying into it: where its buffer is large enough, nothing is allocated or freed, and nothing
// can fail on the way.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Is it a string, or a vector of what is copied byte by byte?
template <class Value>
inline constexpr bool has_buffer = false;
template <class Character, class Traits>
inline constexpr bool has_buffer<std::basic_string<Character, Traits>> = true;
template <class T>
inline constexpr bool has_buffer<std::vector<T>> = std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>;

/// Is it short enough to be copied while a shard is closed?
template <class Value>
bool is_quick_to_copy(const Value& value) noexcept {
  return value.size() * sizeof(*value.data()) <= 4096;
}
/// Has `to` a buffer for what is in `from`, and not so large a one that keeping it would be a waste?
template <class Value>
bool fits_into(const Value& to, const Value& from) noexcept {
  constexpr std::size_t no_waste = 64;
  return from.size() <= to.capacity() &&
         (from.size() >= to.capacity() / 2 || to.capacity() * sizeof(*to.data()) <= no_waste);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
