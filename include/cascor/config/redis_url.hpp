// Where Redis is, as text: the one place that knows what a Redis URL may look like.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// A Redis URL, taken apart. Percent-encoding is decoded in every part.
struct RedisUrl {
  enum class Kind {
    standalone,   ///< `redis://host`, `rediss://host`: one server.
    unix_socket,  ///< `unix:///path`, `redis+unix:///path`: one server of this machine; `nodes` is empty.
    sentinel,     ///< `redis+sentinel://a,b/master`: `nodes` are the Sentinels.
    cluster       ///< `redis://a,b`: `nodes` are the seeds.
  };

  struct Node {
    std::string host{};  ///< A name, an IPv4 address, or an IPv6 address without its brackets.
    std::uint16_t port = 6379;
    friend bool operator==(const Node&, const Node&) = default;
  };

  Kind kind = Kind::standalone;
  std::vector<Node> nodes{};
  std::string username{};     ///< Empty: none given.
  std::string password{};     ///< Empty: none given. Never in a message: show a URL with to_string().
  int database = 0;           ///< Always 0 for a cluster.
  std::string master_name{};  ///< Of a sentinel URL.
  std::string path{};         ///< Of a unix socket.
  bool tls = false;

  /// Takes a URL apart. The forms are those of docs/configuration.md; ports default to 6379, those of Sentinels to
  /// 26379. User name and password end at the last '@' before the first '/', '?' or '#'. No name is looked up.
  /// Throws ConfigError, which says what was found and what is accepted and shows neither user name nor password.
  /// O(length); thread-safe.
  CASCOR_CACHE_FN static RedisUrl parse(std::string_view text);

  friend bool operator==(const RedisUrl&, const RedisUrl&) = default;
};

/// The URL as text that parse() takes again, with `***` for the password. O(length); thread-safe.
CASCOR_CACHE_FN std::string to_string(const RedisUrl& shown);

namespace detail {
/// A URL's text as it may be shown, whether it parses or not: nothing that could be a part of a password is in it.
CASCOR_CACHE_FN std::string shown_url(std::string_view text);
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/redis_url.ipp"
#endif
