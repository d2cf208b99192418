#pragma once

#include <exception>
#include <new>

#include "cascor/core/errors.hpp"
#include "cascor/core/log.hpp"
#include "cascor/training/message.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

CASCOR_CACHE_DEF cascor::json Message::json() const {
  try {
    return JsonCodec::template decode<detail::Dependent<cascor::json, CascorWhenUsed>>(payload);
  } catch (const CacheError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw DataError{"a message on " + printable(channel) + " is no JSON text: " + error.what(),
                    "Read its payload as it is, or look at who publishes there."};
  }
}

namespace detail {

CASCOR_CACHE_DEF std::string encode_message(const json& message) {
  try {
    return dump_json(message);
  } catch (const CacheError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw DataError{std::string{"a message that has no JSON text: "} + error.what(),
                    "JSON text is UTF-8: convert it, or encode bytes, say as base64."};
  }
}

CASCOR_CACHE_DEF std::string encode_event(std::string_view type, std::string_view timestamp, const json& data) {
  using Json = Dependent<json, CascorWhenUsed>;
  // Written by hand: the members of an object of nlohmann's would be copied to make three out of one.
  std::string text = R"({"data":)";
  text += encode_message(data);
  text += R"(,"timestamp":")";
  text += timestamp;
  text += R"(","type":)";
  text += encode_message(Json(std::string{type}));
  return text += '}';
}

}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI
