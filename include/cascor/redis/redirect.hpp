// What a node of a cluster says instead of answering, and where to go then: decisions without sockets.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cascor/redis/options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// May a server be told of by this name? It comes from the network, and goes into messages.
constexpr bool is_host(std::string_view name) noexcept {
  constexpr std::size_t most = 255;
  for (const char byte : name) {
    if (byte <= ' ' || byte > '~') return false;
  }
  return !name.empty() && name.size() <= most && name != "?";
}

/// `moved`: another node has the slot from now on; `ask`: another node has this key already, for this once.
struct Redirect {
  enum class Kind : unsigned char { moved, ask };
  Kind kind = Kind::moved;
  Endpoint to;
};

/// A node's address as the cluster names it: "host:port", "[::1]:port" or "::1:port", and ":port" for another port of
/// the host that said so. Nothing for "?" or what is no address.
template <class CascorWhenUsed = void>
std::optional<cascor::detail::Dependent<Endpoint, CascorWhenUsed>> node_address(std::string_view text,
                                                                                const Endpoint& said_by) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  Endpoint endpoint;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc{} || end != port.data() + port.size() || endpoint.port == 0 ||
      !(host.empty() || is_host(host))) {
    return std::nullopt;
  }
  endpoint.host = host.empty() ? said_by.host : std::string{host};
  return endpoint;
}

/// "MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381"; nothing for other words.
template <class CascorWhenUsed = void>
std::optional<cascor::detail::Dependent<Redirect, CascorWhenUsed>> redirect_in(std::string_view words,
                                                                               const Endpoint& said_by) {
  const bool moved = words.starts_with("MOVED ");
  if (!moved && !words.starts_with("ASK ")) return std::nullopt;
  const auto space = words.rfind(' ');
  if (auto to = node_address<CascorWhenUsed>(words.substr(space + 1), said_by)) {
    return Redirect{moved ? Redirect::Kind::moved : Redirect::Kind::ask, *std::move(to)};
  }
  return std::nullopt;
}

/// Does an error reply say that the command was not run because the cluster is changing? Then its map may be old.
constexpr bool says_changing(std::string_view words) noexcept {
  const std::string_view first = words.substr(0, words.find(' '));
  for (const std::string_view one : {"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "MOVED", "ASK"}) {
    if (first == one) return true;
  }
  return false;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
