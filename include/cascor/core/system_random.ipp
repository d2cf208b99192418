#pragma once

#include <sys/random.h>

#include <cerrno>
#include <system_error>

#include "cascor/core/system_random.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF void fill_from_system(void* bytes, std::size_t size) {
  while (::getrandom(bytes, size, 0) != static_cast<ssize_t>(size)) {  // up to 256 bytes come as one, or interrupted
    if (errno != EINTR) throw std::system_error{errno, std::generic_category(), "no random bits from the system"};
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
