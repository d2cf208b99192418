// Bytes to and from a server, each call by its deadline. Sockets live here and nowhere else.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cascor/redis/descriptor.hpp"
#include "cascor/redis/options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// What a wait for input has come to: there is some (or the connection's end), `wake_fd` can be read, or neither in
/// time.
enum class Input : unsigned char { there, woken, none };

/// A connected stream. For one thread at a time, but for interrupt(). After a TimeoutError the same send or receive may
/// be gone on with; after any other exception it is of no more use.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Writes all of `bytes`; `written` counts up as they are handed to the system, also when it then throws.
  /// Throws TimeoutError past the deadline, ConnectionError when the connection is gone. Never raises SIGPIPE.
  virtual void send(std::string_view bytes, std::size_t& written, Deadline by) = 0;
  /// Reads what has come, at least one byte, waiting for it until the deadline. Throws as send does.
  virtual std::size_t receive(std::span<char> into, Deadline by) = 0;
  /// Waits until receive() would not wait, `wake_fd` can be read, or the deadline passes. Does not throw.
  virtual Input await_input(Deadline by, int wake_fd) noexcept = 0;
  /// Without waiting: has the peer closed, or sent something that nobody asked for?
  virtual bool disturbed() noexcept = 0;
  /// From any thread: ends the call under way and each later one with a ConnectionError, at once.
  virtual void interrupt() noexcept = 0;
};

/// Makes a secure stream of a socket that has just been connected. Which one an engine has is chosen where the engine
/// is put together, so that nothing else knows of the library that does it. Safe from any thread.
class SecureLayer {
 public:
  SecureLayer() = default;
  SecureLayer(const SecureLayer&) = delete;
  SecureLayer& operator=(const SecureLayer&) = delete;
  virtual ~SecureLayer() = default;

  /// Shakes hands by the deadline, or until `stop_fd` can be read. Throws ConnectionError "Error connecting to Redis on
  /// host:port: TLS: reason", or TimeoutError.
  virtual std::unique_ptr<Transport> over(Descriptor socket, const Endpoint& endpoint, Deadline by,
                                          int stop_fd) const = 0;
};

/// Connects to the endpoint, and makes it secure by `secure` where that is given: every address of its name in turn,
/// under one deadline that bounds the name's look-up too. Throws ConnectionError "Error connecting to Redis on
/// host:port: reason", or TimeoutError; the former also once `stop_fd` can be read.
CASCOR_CACHE_FN cascor::detail::Dependent<std::unique_ptr<Transport>, CascorWhenUsed> dial(
    const Endpoint& endpoint, bool keepalive, Deadline by, int stop_fd = -1, const SecureLayer* secure = nullptr);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/transport.ipp"
#endif
