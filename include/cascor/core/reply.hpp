// A server's answer as a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// An owned reply: what it is, and the member that goes with it.
struct Reply {
  enum class Kind : unsigned char { nil, status, string, integer, error, array };
  Kind kind = Kind::nil;
  std::int64_t integer = 0;     ///< of an integer
  std::string text;             ///< of a status, a string or an error
  std::vector<Reply> elements;  ///< of an array

  bool is_nil() const noexcept { return kind == Kind::nil; }
  bool is_error() const noexcept { return kind == Kind::error; }
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
