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

namespace detail {
/// std::map, std::set, their multi- and unordered sisters.
template <class T>
concept NodeContainer = requires(const T& container) {
  typename T::node_type;
  typename T::key_type;
  typename T::value_type;
  container.size();
  container.begin();
};
template <class T>
concept Object = !std::is_array_v<T> && !std::is_void_v<T>;
}  // namespace detail

/// Bytes of `value`, itself and what it owns on the heap. Known are strings, vectors, maps, sets, optionals, pairs and
/// owning pointers, of each other too; any other type weighs its own size, which is right where it owns nothing. For a
/// type that does, overload it in that type's namespace, or specialise this template where it is not yours. O(what it
/// owns).
template <class T>
constexpr std::size_t weight_of(const T& value) noexcept;

// All declared before any is defined: each must see all others.
template <class Character, class Traits>
std::size_t weight_of(const std::basic_string<Character, Traits>& text) noexcept;
template <class T>
std::size_t weight_of(const std::vector<T>& values);
template <detail::NodeContainer T>
std::size_t weight_of(const T& container);
template <class T>
std::size_t weight_of(const std::optional<T>& value);
template <class First, class Second>
std::size_t weight_of(const std::pair<First, Second>& value);
/// The pointee is charged to whoever holds it, as if it were held once; the control block too.
template <detail::Object T>
std::size_t weight_of(const std::shared_ptr<T>& value);
template <detail::Object T>
std::size_t weight_of(const std::unique_ptr<T>& value);

template <class T>
constexpr std::size_t weight_of(const T& /*value*/) noexcept {
  return sizeof(T);
}

template <class Character, class Traits>
std::size_t weight_of(const std::basic_string<Character, Traits>& text) noexcept {
  const bool inside = text.capacity() <= std::basic_string<Character, Traits>{}.capacity();
  return sizeof text + (inside ? 0 : heap_block((text.capacity() + 1) * sizeof(Character)));
}

template <class T>
std::size_t weight_of(const std::vector<T>& values) {
  if constexpr (std::is_same_v<T, bool>) {
    return sizeof values + heap_block(values.capacity() / 8);
  } else {
    std::size_t bytes = sizeof values + heap_block(values.capacity() * sizeof(T));
    if constexpr (!std::is_trivially_destructible_v<T>) {
      for (const auto& value : values) bytes += weight_of(value) - sizeof(T);
    }
    return bytes;
  }
}

template <detail::NodeContainer T>
std::size_t weight_of(const T& container) {
  using Element = typename T::value_type;
  std::size_t node = 0;
  std::size_t bytes = sizeof container;
  if constexpr (requires { container.bucket_count(); }) {
    node = heap_block(2 * sizeof(void*) + sizeof(Element));  // the next one, and the hash
    bytes += heap_block(container.bucket_count() * sizeof(void*));
  } else {
    node = heap_block(4 * sizeof(void*) + sizeof(Element));  // colour and three links
  }
  bytes += container.size() * node;
  if constexpr (!std::is_trivially_destructible_v<Element>) {
    for (const auto& element : container) bytes += weight_of(element) - sizeof(Element);
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

template <detail::Object T>
std::size_t weight_of(const std::shared_ptr<T>& value) {
  return sizeof value + (value ? heap_block(sizeof(T) + 2 * sizeof(void*)) + weight_of(*value) - sizeof(T) : 0);
}

template <detail::Object T>
std::size_t weight_of(const std::unique_ptr<T>& value) {
  return sizeof value + (value ? heap_block(sizeof(T)) + weight_of(*value) - sizeof(T) : 0);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
