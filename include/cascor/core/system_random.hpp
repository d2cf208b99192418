// Random bits from the operating system: for secrets, for what must differ between processes, and to seed with.
#pragma once

#include <cstddef>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Fills `size` bytes, 256 at most, with bits that nobody can guess, by getrandom(2). Throws std::system_error where
/// the system has none to give. One system call; safe from any thread.
CASCOR_CACHE_FN void fill_from_system(void* bytes, std::size_t size);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/system_random.ipp"
#endif
