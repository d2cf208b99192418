// On which condition a write is carried out.
#pragma once

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Whether a write asks what is under the key first. Decided by the backend in the same step as the write.
enum class OnlyIf : unsigned char {
  always,
  absent,  ///< only where there is no live entry: the first of several writers wins
  present  ///< only where there is one
};

/// For SetOptions{.only_if = cascor::absent}.
inline constexpr OnlyIf absent = OnlyIf::absent;
inline constexpr OnlyIf present = OnlyIf::present;

}  // namespace cascor::inline CASCOR_CACHE_ABI
