// What is handed to a run's history.
#pragma once

#include <cstdint>
#include <string>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// A record to append: its epoch, and its JSON text.
struct NewRecord {
  std::uint64_t epoch = 0;
  std::string text;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
