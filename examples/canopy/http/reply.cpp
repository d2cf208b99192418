#include "http/reply.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace canopy {
namespace {

constexpr const char* json_type = "application/json";

/// FNV-1a of 64 bits: tells two answers apart; nobody gains by making two alike.
std::string etag_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  std::array<char, 24> tag{};
  std::snprintf(tag.data(), tag.size(), "\"%016jx\"", std::uintmax_t{hash});
  return tag.data();
}

/// Does If-None-Match name it? A list of tags, some perhaps weak, or "*".
bool names(std::string_view header, std::string_view tag) {
  return header == "*" || header.find(tag) != std::string_view::npos;
}

}  // namespace

std::string text_of(const cascor::json& value) {
  return value.dump(-1, ' ', false, cascor::json::error_handler_t::replace);
}

void send_error(Response& response, int status, std::string_view message) {
  send_json(response, {{"error", message}, {"status", status}}, status);
}

void send_json(Response& response, const cascor::json& value, int status) {
  response.status = status;
  response.set_header("Cache-Control", "no-store");
  response.set_content(text_of(value), json_type);
}

TaggedText tagged(std::string text) {
  std::string etag = etag_of(text);
  return {std::move(text), std::move(etag)};
}

void send_tagged(const Request& request, Response& response, const TaggedText& text, std::string_view content_type) {
  response.set_header("ETag", text.etag);
  response.set_header("Cache-Control", "private, no-cache");  // kept, but asked about each time
  if (request.has_header("If-None-Match") && names(request.get_header_value("If-None-Match"), text.etag)) {
    response.status = 304;
    return;
  }
  response.status = 200;
  response.set_content(text.text, std::string{content_type});
}

void send_cached(const Request& request, Response& response, const TaggedText& text, const CacheFacts& facts) {
  response.set_header("X-Cache-Status", std::string{to_string(facts.status)});
  response.set_header("X-Cache-Tier", std::string{to_string(facts.tier)});
  if (facts.age) response.set_header("Age", std::to_string(facts.age->count() / 1000));
  send_tagged(request, response, text, json_type);
}

std::optional<std::size_t> number_in(const Request& request, const char* name, std::size_t least, std::size_t most) {
  if (!request.has_param(name)) return std::nullopt;
  const std::string written = request.get_param_value(name);
  std::size_t value = 0;
  const char* const end = written.data() + written.size();
  const auto [stop, problem] = std::from_chars(written.data(), end, value);
  if (problem != std::errc{} || stop != end || value < least || value > most) {
    throw BadRequest{std::string{name} + " is to be a whole number from " + std::to_string(least) + " to " +
                     std::to_string(most)};
  }
  return value;
}

}  // namespace canopy
