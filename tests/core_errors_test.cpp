// Errors: each of its own type through results and rethrows, with a code and a hint.
#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "cascor/core/errors.hpp"

using namespace cascor;

namespace {

template <class Error>
void keeps_its_type(ErrorCode code) {
  const Error error{"what happened", "what to do"};
  CHECK(error.code() == code);
  CHECK(error.what() == std::string{"what happened"});
  CHECK(error.hint() == "what to do");

  const CacheError& base = error;
  CHECK_THROWS_AS(base.raise(), Error);
  const std::shared_ptr<const CacheError> shared = base.share();
  CHECK(dynamic_cast<const Error*>(shared.get()) != nullptr);
  CHECK(shared->code() == code);
  CHECK(shared->hint() == "what to do");
  CHECK_THROWS_AS(shared->raise(), Error);
  CHECK_THROWS_AS(shared->share()->raise(), Error);
  try {
    shared->raise();
  } catch (const std::runtime_error& caught) {
    CHECK(caught.what() == std::string{"what happened"});
    CHECK(typeid(caught) == typeid(Error));
  }
}

}  // namespace

TEST_CASE("every error keeps its type, code and hint when it is shared and raised again") {
  keeps_its_type<ConfigError>(ErrorCode::config);
  keeps_its_type<ConnectionError>(ErrorCode::connection);
  keeps_its_type<TimeoutError>(ErrorCode::timeout);
  keeps_its_type<AuthenticationError>(ErrorCode::authentication);
  keeps_its_type<ResponseError>(ErrorCode::response);
  keeps_its_type<OutOfMemoryError>(ErrorCode::out_of_memory);
  keeps_its_type<DataError>(ErrorCode::data);
}

TEST_CASE("the types stand in one small hierarchy") {
  CHECK(std::is_base_of_v<std::runtime_error, CacheError>);
  CHECK(std::is_base_of_v<CacheError, ConfigError>);
  CHECK(std::is_base_of_v<CacheError, ConnectionError>);
  CHECK(std::is_base_of_v<CacheError, TimeoutError>);
  CHECK(std::is_base_of_v<CacheError, AuthenticationError>);
  CHECK(std::is_base_of_v<CacheError, ResponseError>);
  CHECK(std::is_base_of_v<CacheError, DataError>);
  CHECK(std::is_base_of_v<ResponseError, OutOfMemoryError>);
  CHECK_FALSE(std::is_base_of_v<ResponseError, AuthenticationError>);
  CHECK_FALSE(std::is_base_of_v<ConnectionError, TimeoutError>);
}

TEST_CASE("nobody can give an error the code of another") {
  CHECK_FALSE(std::is_constructible_v<DataError, ErrorCode, std::string, std::string>);
  CHECK_FALSE(std::is_constructible_v<ResponseError, ErrorCode, std::string, std::string>);
}

TEST_CASE("a hint may be left out") {
  CHECK(DataError{"what"}.hint().empty());
  CHECK(CacheError{ErrorCode::timeout, "what"}.hint().empty());
}

TEST_CASE("copying an error never throws, and neither copies nor moves leave one without its hint") {
  CHECK(std::is_nothrow_copy_constructible_v<DataError>);
  CHECK(std::is_nothrow_copy_assignable_v<OutOfMemoryError>);
  DataError error{"what", "a hint"};
  const DataError taken{std::move(error)};
  CHECK(taken.hint() == "a hint");
  CHECK(error.hint() == "a hint");  // NOLINT(bugprone-use-after-move): that it may be used is the promise
  CHECK(error.what() == std::string{"what"});
}

TEST_CASE("each code has a name") {
  CHECK(to_string(ErrorCode::config) == "config");
  CHECK(to_string(ErrorCode::connection) == "connection");
  CHECK(to_string(ErrorCode::timeout) == "timeout");
  CHECK(to_string(ErrorCode::authentication) == "authentication");
  CHECK(to_string(ErrorCode::response) == "response");
  CHECK(to_string(ErrorCode::out_of_memory) == "out_of_memory");
  CHECK(to_string(ErrorCode::data) == "data");
}
