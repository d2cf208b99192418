#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <new>
#include <system_error>
#include <utility>

#include "cascor/cache/report.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/training/message.hpp"
#include "cascor/training/session_record.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF std::string encode_session(const Session& session) {
  std::string text = R"({"created":")" + iso8601(session.created) + R"(","data":)";
  text += encode_message(session.data);
  text += R"(,"last_seen":")" + iso8601(session.last_seen) + R"(","user":)";
  text += encode_message(Dependent<json, CascorWhenUsed>(session.user));
  return text += '}';
}

// The number at `at`, of `digits` digits; -1 where there is none.
CASCOR_CACHE_FN int number_at(std::string_view text, std::size_t at, std::size_t digits) noexcept {
  int number = 0;
  if (text.size() < at + digits) return -1;
  const char* const end = text.data() + at + digits;
  const auto [parsed, error] = std::from_chars(text.data() + at, end, number);
  return error == std::errc{} && parsed == end ? number : -1;
}

// "2026-01-02T03:04:05.678Z", or with an offset such as +01:00, or without a fraction; the epoch for anything else.
CASCOR_CACHE_FN WallTime time_in(std::string_view text) noexcept {
  std::tm utc{};
  utc.tm_year = number_at(text, 0, 4) - 1900;
  utc.tm_mon = number_at(text, 5, 2) - 1;
  utc.tm_mday = number_at(text, 8, 2);
  utc.tm_hour = number_at(text, 11, 2);
  utc.tm_min = number_at(text, 14, 2);
  utc.tm_sec = number_at(text, 17, 2);
  if (utc.tm_year < 0 || utc.tm_mon < 0 || utc.tm_mday < 1 || utc.tm_hour < 0 || utc.tm_min < 0 || utc.tm_sec < 0) {
    return {};
  }
  const auto seconds = std::chrono::seconds{::timegm(&utc)};
  std::string_view rest = text.substr(19);
  int thousandths = 0;
  if (rest.starts_with('.')) {
    const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    for (std::size_t i = 1; i < 4; ++i) thousandths = thousandths * 10 + (i < end ? rest[i] - '0' : 0);
    rest.remove_prefix(end);
  }
  std::chrono::minutes offset{0};
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-')) {
    offset = std::chrono::minutes{60 * number_at(rest, 1, 2) + number_at(rest, 4, 2)};
    if (rest[0] == '-') offset = -offset;
  }
  return WallTime{seconds - offset + std::chrono::milliseconds{thousandths}};
}

// A member that holds a time: a text, or seconds since the epoch.
CASCOR_CACHE_FN WallTime time_member(const Dependent<json, CascorWhenUsed>& session, const char* name) {
  const auto at = session.find(name);
  if (at == session.end()) return {};
  if (at->is_string()) return time_in(at->template get_ref<const std::string&>());
  constexpr double most = 253'402'300'799;  // the year 9999
  if (!at->is_number() || !(std::fabs(at->template get<double>()) <= most)) return {};
  return WallTime{std::chrono::round<WallTime::duration>(std::chrono::duration<double>{at->template get<double>()})};
}

CASCOR_CACHE_DEF Session decode_session(std::string_view text) {
  using Json = Dependent<json, CascorWhenUsed>;
  try {
    Json all = JsonCodec::template decode<Json>(text);
    Session session;
    session.user = all.at("user").template get<std::string>();
    session.created = time_member(all, "created");
    session.last_seen = time_member(all, "last_seen");
    if (const auto data = all.find("data"); data != all.end()) session.data = std::move(*data);
    return session;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {  // its words could show what is in it
    throw DataError{"what stands under a session's key is no session",
                    "A session is a JSON object {user, data, created, last_seen}: see who else writes there."};
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
