// Answers: JSON, errors, and what a client may keep of them.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "http/routes.hpp"

namespace canopy {

/// A request that cannot be answered; becomes a JSON error with this status.
struct BadRequest : std::runtime_error {
  explicit BadRequest(const std::string& message, int with_status = 400)
      : std::runtime_error{message}, status{with_status} {}
  int status;
};

/// Where an answer's value came from.
struct CacheFacts {
  cascor::CacheStatus status = cascor::CacheStatus::miss;
  cascor::CacheTier tier = cascor::CacheTier::none;
  std::optional<std::chrono::milliseconds> age;

  template <class T>
  static CacheFacts of(const cascor::CacheResult<T>& result) {
    return {result.status(), result.tier(), result.age()};
  }
};

/// A text, and what tells it from any other.
struct TaggedText {
  std::string text;
  std::string etag;
};
TaggedText tagged(std::string text);

/// Never fails for a text that is not UTF-8.
std::string text_of(const cascor::json& value);

/// {"error": message, "status": status}
void send_error(Response& response, int status, std::string_view message);
/// An answer that is true at this moment only.
void send_json(Response& response, const cascor::json& value, int status = 200);
/// An answer that a client may keep, and asks about by its ETag: 304 where it has the newest.
void send_tagged(const Request& request, Response& response, const TaggedText& text, std::string_view content_type);
/// The same of a value that went through the cache, as JSON, with X-Cache-Status, X-Cache-Tier and Age.
void send_cached(const Request& request, Response& response, const TaggedText& text, const CacheFacts& facts);

/// A parameter of the query: a whole number from `least` to `most`; nothing where it is not given. Throws BadRequest.
std::optional<std::size_t> number_in(const Request& request, const char* name, std::size_t least, std::size_t most);

}  // namespace canopy
