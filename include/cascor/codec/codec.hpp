// How values become the bytes that stand in the backend, and bytes values.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// A codec is a stateless type with two static member templates: `std::string encode(const T&)` and `T
/// decode<T>(bytes)`. Both say "cannot" by throwing anything derived from std::exception; the cache turns that into a
/// DataError.
template <class C>
concept Codec = requires(std::string_view bytes, const int& value) {
  { C::encode(value) } -> std::convertible_to<std::string>;
  { C::template decode<int>(bytes) } -> std::same_as<int>;
};

/// Can `C` encode a T?
template <class C, class T>
concept Encodes = requires(const T& value) {
  { C::encode(value) } -> std::convertible_to<std::string>;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
