// What the tests of redis/ share: options for a server, deadlines, what an error says.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>

#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/redis/options.hpp"
#include "support/redis_server.hpp"
#include "support/scripted_server.hpp"

namespace support {

/// What a call may take that has to end within a fraction of a second, on a machine that is busy. What does not end by
/// its deadline takes minutes in these tests.
constexpr std::chrono::seconds soon{10};

inline cascor::Deadline in(cascor::milliseconds time) { return {*cascor::SystemClock::shared(), time}; }

inline cascor::redis::Endpoint endpoint_of(int port, const std::string& host = "127.0.0.1") {
  return {.host = host, .port = static_cast<std::uint16_t>(port), .path = {}};
}
inline cascor::redis::RedisOptions options_for(const ScriptedServer& server) {
  cascor::redis::RedisOptions options;
  options.endpoint = endpoint_of(server.port());
  return options;
}
inline cascor::redis::RedisOptions options_for(const RedisServer& server) {
  cascor::redis::RedisOptions options;
  options.endpoint = endpoint_of(server.port(), server.host());
  if (server.port() == 0) options.endpoint.path = server.socket_path();
  return options;
}

/// An error's type, what it says, and its hint: what an application would see.
struct Seen {
  std::string what = "nothing was thrown";
  std::string hint;
};

/// What the Error says that `call` throws.
template <class Error, class Call>
Seen error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.what(), error.hint()};
  } catch (const std::exception& error) {
    return {std::string{"another error: "} + error.what(), {}};
  }
  return {};
}
template <class Error, class Call>
std::string what_of(Call&& call) {
  return error_of<Error>(call).what;
}

}  // namespace support
