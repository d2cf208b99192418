// Names to addresses, by a deadline that the system's own look-up does not have.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// A socket address of any family.
struct Address {
  Address(const void* from, std::size_t bytes) noexcept : size{static_cast<socklen_t>(bytes)} {
    std::memcpy(&storage, from, bytes);
  }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size;
};

/// The addresses of `host`, in the system's order of preference. Numeric ones need no look-up, nor does "localhost",
/// which need not be known on a minimal machine (RFC 6761): 127.0.0.1, then ::1. Any other name is looked up on a
/// thread that is left behind if the deadline passes first. Throws ConnectionError for a name that is not known,
/// TimeoutError past the deadline; `peer` names the endpoint in their messages. Ends with ConnectionError once
/// `stop_fd` can be read.
CASCOR_CACHE_FN std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>> resolve(const std::string& host,
                                                                                        std::uint16_t port,
                                                                                        const std::string& peer,
                                                                                        Deadline by, int stop_fd = -1);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/resolver.ipp"
#endif
