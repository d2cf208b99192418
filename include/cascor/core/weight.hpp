// What a value weighs in bytes, heap included: the customisation point of every bound on memory.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// What the allocator takes for a block of `size` bytes: glibc's chunks have 8 bytes of header, are rounded up to 16
/// and are never under 32. Elsewhere an estimate. 0 for an empty block.
constexpr std::size_t heap_block(std::size_t size) noexcept {
  if (size == 0) return 0;
  const std::size_t chunk = (size + 8 + 15) / 16 * 16;
  return chunk < 32 ? 32 : chunk;
}

/// Bytes of `value`, itself and what it owns on the heap. Overload it in your type's namespace for a type that owns
/// memory and is not one of these; an unknown type weighs its own size, which is right where it owns none.
template <class T>
constexpr std::size_t weight_of(const T& value) noexcept;

template <class Character, class Traits>
std::size_t weight_of(const std::basic_string<Character, Traits>& text) noexcept {
  const auto* self = reinterpret_cast<const char*>(&text);        // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  const auto* data = reinterpret_cast<const char*>(text.data());  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  const bool inside = data >= self && data < self + sizeof text;
  return sizeof text + (inside ? 0 : heap_block((text.capacity() + 1) * sizeof(Character)));
}

template <class T>
std::size_t weight_of(const std::vector<T>& values) noexcept(noexcept(weight_of(std::declval<const T&>()))) {
  std::size_t bytes = sizeof values + heap_block(values.capacity() * sizeof(T));
  if constexpr (!std::is_trivially_destructible_v<T>) {
    for (const auto& value : values) bytes += weight_of(value) - sizeof(T);
  }
  return bytes;
}

template <class T>
std::size_t weight_of(const std::optional<T>& value) {
  return sizeof value + (value ? weight_of(*value) - sizeof(T) : 0);
}

template <class First, class Second>
std::size_t weight_of(const std::pair<First, Second>& value) {
  return sizeof value + weight_of(value.first) - sizeof(First) + weight_of(value.second) - sizeof(Second);
}

/// The pointee is charged to whoever holds it, as if it were held once; the control block too.
template <class T>
std::size_t weight_of(const std::shared_ptr<T>& value) {
  return sizeof value + (value ? heap_block(weight_of(*value) + 2 * sizeof(void*)) : 0);
}

template <class T>
std::size_t weight_of(const std::unique_ptr<T>& value) {
  return sizeof value + (value ? heap_block(weight_of(*value)) : 0);
}

template <class T>
constexpr std::size_t weight_of(const T&) noexcept {
  return sizeof(T);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
