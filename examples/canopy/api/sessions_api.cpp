#include "api/sessions_api.hpp"

#include <array>
#include <random>
#include <string_view>

namespace canopy {

using cascor::json;

namespace {

constexpr std::string_view cookie = "canopy_session";
constexpr std::size_t longest_settings = 4'096;  // bytes

/// The value of our cookie, as "a=1; canopy_session=…; b=2" has it.
std::string session_id(const Request& request) {
  const std::string header = request.get_header_value("Cookie");
  std::string_view left = header;
  while (!left.empty()) {
    const std::string_view pair = left.substr(0, left.find(';'));
    left.remove_prefix(std::min(pair.size() + 1, left.size()));
    const auto begin = pair.find_first_not_of(' ');
    if (begin == std::string_view::npos) continue;
    const std::string_view named = pair.substr(begin);
    if (named.starts_with(cookie) && named.substr(cookie.size()).starts_with('=')) {
      return std::string{named.substr(cookie.size() + 1)};
    }
  }
  return {};
}

/// 128 bits from the system, as hexadecimal digits.
std::string new_token() {
  std::random_device system;
  std::string token;
  for (int word = 0; word < 4; ++word) {
    std::uint32_t bits = system();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4U) token += "0123456789abcdef"[bits & 15U];
  }
  return token;
}

/// In a time that does not tell how much of it was right.
bool same(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

}  // namespace

void SessionsApi::add_to(Routes& routes) {
  routes.on("GET", "/api/session", [this](const Request& request, Response& response) { show(request, response); });
  routes.on("PUT", "/api/session", [this](const Request& request, Response& response) { change(request, response); });
}

void SessionsApi::check(const Request& request) {
  const auto session = sessions_.get(session_id(request));
  if (!session) throw BadRequest{"this needs a session: GET /api/session makes one", 401};
  const std::string token = session->data.value("csrf_token", "");
  if (token.empty() || !same(token, request.get_header_value("X-CSRF-Token"))) {
    throw BadRequest{"this needs the session's csrf_token in the header X-CSRF-Token", 403};
  }
}

void SessionsApi::show(const Request& request, Response& response) {
  json data;
  if (const auto session = sessions_.get(session_id(request))) {
    data = session->data;
  } else {
    data = {{"csrf_token", new_token()}, {"settings", json::object()}};
    const std::string id = sessions_.create("viewer", data);
    if (id.empty()) throw BadRequest{"no session can be kept at the moment", 503};
    response.set_header("Set-Cookie", std::string{cookie} + "=" + id + "; Path=/; HttpOnly; SameSite=Lax");
  }
  send_json(response,
            {{"csrf_token", data.value("csrf_token", "")}, {"settings", data.value("settings", json::object())}});
}

void SessionsApi::change(const Request& request, Response& response) {
  check(request);
  if (request.body.size() > longest_settings) throw BadRequest{"settings may have 4,096 bytes", 413};
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.value("settings", json{}).is_object()) {
    throw BadRequest{"the body is to be {\"settings\": {…}}"};
  }
  const std::string token = request.get_header_value("X-CSRF-Token");
  const json data{{"csrf_token", token}, {"settings", body.at("settings")}};
  if (!sessions_.update(session_id(request), data)) throw BadRequest{"the session has ended", 401};
  send_json(response, {{"csrf_token", token}, {"settings", body.at("settings")}});
}

}  // namespace canopy
