#pragma once

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/descriptor.hpp"
#include "cascor/redis/resolver.hpp"
#include "cascor/redis/stopper.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// Appends what getaddrinfo() says; returns its error.
CASCOR_CACHE_FN int look_up(const std::string& host, std::uint16_t port, int flags,
                            std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>>& found) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) return error;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{list, &::freeaddrinfo};
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next)
    found.emplace_back(one->ai_addr, one->ai_addrlen);
  return 0;
}

CASCOR_CACHE_FN bool is_localhost(std::string_view host) noexcept {
  constexpr std::string_view name = "localhost";
  return std::equal(host.begin(), host.end(), name.begin(), name.end(),
                    [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

// Shared with the thread that looks the name up, which may outlive the call. The mutex guards `error` and `found`.
template <class CascorWhenUsed>
struct LookUp {
  void run(const std::string& host, std::uint16_t port) noexcept {
    std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>> addresses;
    int failed = 0;
    try {
      failed = look_up(host, port, AI_ADDRCONFIG, addresses);
    } catch (const std::bad_alloc&) {
      failed = EAI_MEMORY;
    }
    const std::lock_guard lock{mutex};
    found = std::move(addresses);
    error = failed;
    raise_event(ended);
  }

  const Descriptor ended = make_event();
  std::mutex mutex;
  int error = 0;
  std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>> found;
};

}  // namespace detail

CASCOR_CACHE_DEF std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>> resolve(const std::string& host,
                                                                                         std::uint16_t port,
                                                                                         const std::string& peer,
                                                                                         Deadline by, int stop_fd) {
  std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>> found;
  if (detail::is_localhost(host)) {
    (void)detail::look_up("127.0.0.1", port, AI_NUMERICHOST, found);
    (void)detail::look_up("::1", port, AI_NUMERICHOST, found);
    return found;
  }
  if (detail::look_up(host, port, AI_NUMERICHOST, found) == 0) return found;

  const auto state = std::make_shared<detail::LookUp<CascorWhenUsed>>();
  if (state->ended.fd() < 0) {
    throw ConnectionError{"Error connecting to Redis on " + peer + ": Too many open files",
                          "Raise the limit of open files, or give an address instead of a name."};
  }
  try {
    std::thread{[state, host, port] { state->run(host, port); }}.detach();
  } catch (const std::system_error& error) {
    throw ConnectionError{
        "Error connecting to Redis on " + peer + ": no thread to resolve the name on: " + error.what(),
        "Raise the limit of threads, or give an address instead of a name."};
  }

  switch (const int failed = wait_until_ready(state->ended.fd(), POLLIN, by, stop_fd)) {
    case 0: break;
    case ECANCELED: Stopper<CascorWhenUsed>::raise();
    case ETIMEDOUT:
      throw TimeoutError{"Error connecting to Redis on " + peer + ": the name was not resolved in time",
                         "See whether the name server answers, or give an address instead of a name."};
    default:
      throw ConnectionError{"Error connecting to Redis on " + peer + ": " + std::generic_category().message(failed),
                            "Raise the limit of open files, or give an address instead of a name."};
  }
  const std::lock_guard lock{state->mutex};
  if (state->error != 0 || state->found.empty()) {
    throw ConnectionError{"Error connecting to Redis on " + peer + ": " + ::gai_strerror(state->error),
                          "Correct the host in redis_url; `getent hosts NAME` shows what the system knows."};
  }
  return std::move(state->found);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
