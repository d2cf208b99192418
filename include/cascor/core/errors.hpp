// What can go wrong, as types. Each error carries a code and a hint: one sentence that tells what to do about it.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// What kind of error it is, for a switch where a chain of catch clauses does not fit.
enum class ErrorCode { config, connection, timeout, authentication, response, out_of_memory, data };

/// "config", "connection", … O(1); never throws.
constexpr std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::config: return "config";
    case ErrorCode::connection: return "connection";
    case ErrorCode::timeout: return "timeout";
    case ErrorCode::authentication: return "authentication";
    case ErrorCode::response: return "response";
    case ErrorCode::out_of_memory: return "out_of_memory";
    case ErrorCode::data: return "data";
  }
  return "unknown";
}

/// The base of everything this library throws on its own account. `what()` says what happened, `hint()` what to do;
/// neither ever holds a password.
class CacheError : public std::runtime_error {
 public:
  CacheError(ErrorCode code, const std::string& what, const std::string& hint = {})
      : std::runtime_error{what}, code_{code}, hint_{hint} {}
  // Said, so that there is no move: what was moved from would have lost its texts.
  CacheError(const CacheError&) noexcept = default;
  CacheError& operator=(const CacheError&) noexcept = default;
  ~CacheError() override = default;

  ErrorCode code() const noexcept { return code_; }
  /// What to do about it, in a sentence; may be empty.
  std::string hint() const { return hint_.what(); }

  /// Throws a copy of this error as its own type, for an error that was kept in a result.
  [[noreturn]] virtual void raise() const { throw *this; }
  /// A shared copy of this error as its own type.
  template <class CascorWhenUsed = void>
  detail::Dependent<std::shared_ptr<const CacheError>, CascorWhenUsed> share() const {
    return detail::Dependent<std::shared_ptr<const CacheError>, CascorWhenUsed>{copy()};
  }

 protected:
  /// A copy of its own type, made by `new`.
  virtual const CacheError* copy() const { return new CacheError{*this}; }

 private:
  ErrorCode code_;
  std::runtime_error hint_;  // a text whose copies share it: copying an exception must not throw
};

namespace detail {
/// Gives each error type its own raise() and copy(), so that none is sliced on its way through a result.
template <class Self, class Base, ErrorCode Code>
class ErrorType : public Base {
 public:
  explicit ErrorType(const std::string& what, const std::string& hint = {}) : Base{Code, what, hint} {}
  [[noreturn]] void raise() const override { throw static_cast<const Self&>(*this); }

 protected:
  const CacheError* copy() const override { return new Self{static_cast<const Self&>(*this)}; }
  /// For a type below: its code instead of this one's.
  ErrorType(ErrorCode code, const std::string& what, const std::string& hint) : Base{code, what, hint} {}
};
}  // namespace detail

/// A configuration that cannot be used: `file:line:column` or the environment variable's name, what was found, what
/// is accepted. Always thrown, whatever `strict` says.
class ConfigError final : public detail::ErrorType<ConfigError, CacheError, ErrorCode::config> {
 public:
  using ErrorType::ErrorType;
};

/// No connection to the server, or it was lost: "Error connecting to Redis on localhost:6379: Connection refused".
class ConnectionError final : public detail::ErrorType<ConnectionError, CacheError, ErrorCode::connection> {
 public:
  using ErrorType::ErrorType;
};

/// The call's deadline passed. What was asked may have happened.
class TimeoutError final : public detail::ErrorType<TimeoutError, CacheError, ErrorCode::timeout> {
 public:
  using ErrorType::ErrorType;
};

/// The server refuses this account: NOAUTH, WRONGPASS, NOPERM.
class AuthenticationError final : public detail::ErrorType<AuthenticationError, CacheError, ErrorCode::authentication> {
 public:
  using ErrorType::ErrorType;
};

/// The server answered with an error; `what()` is in its own words.
class ResponseError : public detail::ErrorType<ResponseError, CacheError, ErrorCode::response> {
 public:
  using ErrorType::ErrorType;
};

/// The server's memory is full: "OOM command not allowed when used memory > 'maxmemory'".
class OutOfMemoryError final : public detail::ErrorType<OutOfMemoryError, ResponseError, ErrorCode::out_of_memory> {
 public:
  using ErrorType::ErrorType;
};

/// A key, TTL or value that cannot be used: an empty key, a negative TTL, bytes that do not decode as the type asked.
class DataError final : public detail::ErrorType<DataError, CacheError, ErrorCode::data> {
 public:
  using ErrorType::ErrorType;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
