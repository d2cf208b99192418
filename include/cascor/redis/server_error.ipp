#pragma once

#include <array>

#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

struct KnownError {
  const char* starts_with;  // views would be measured wherever this is included
  ErrorCode code;
  const char* hint;
};

inline constexpr std::array known_errors{
    KnownError{"NOAUTH", ErrorCode::authentication,
               "The server wants a password: give it in redis_url, in `password` or in REDIS_PASSWORD."},
    KnownError{"WRONGPASS", ErrorCode::authentication,
               "Correct the user name or password in redis_url, in `password` or in REDIS_PASSWORD."},
    KnownError{"ERR invalid password", ErrorCode::authentication,
               "Correct the password in redis_url, in `password` or in REDIS_PASSWORD."},
    KnownError{
        "ERR AUTH", ErrorCode::authentication,
        "The server has no password for this user: take the password out of the configuration, or set one there."},
    KnownError{"ERR Client sent AUTH", ErrorCode::authentication,
               "The server has no password: take it out of the configuration, or set requirepass there."},
    KnownError{"NOPERM", ErrorCode::authentication,
               "Grant the account what it lacks: ACL SETUSER name ~cascor:* &cascor:* +@all -@dangerous +info +role."},
    KnownError{"ERR The user executing the script can't", ErrorCode::response,
               "Grant the account the commands that the scripts run: ACL SETUSER name +@all -@dangerous +info +role."},
    KnownError{"DENIED", ErrorCode::authentication,
               "The server is in protected mode: set a password there, or bind it to the interface meant."},
    KnownError{"OOM", ErrorCode::out_of_memory,
               "The server's memory is full: raise maxmemory, or set maxmemory-policy to one that evicts "
               "(allkeys-lru)."},
    KnownError{"LOADING", ErrorCode::response, "The server is reading its data from disk: wait until it is done."},
    KnownError{"MASTERDOWN", ErrorCode::response, "The replica has lost its master: connect to a master."},
    KnownError{"CLUSTERDOWN", ErrorCode::response, "The cluster is not whole: see CLUSTER INFO on a node."},
    KnownError{"READONLY", ErrorCode::response, "The server is a replica: point redis_url at the master."},
    KnownError{"MOVED", ErrorCode::response,
               "The server is a node of a Redis Cluster: list several nodes in redis_url, separated by commas."},
    KnownError{"CROSSSLOT", ErrorCode::response,
               "The server is a node of a Redis Cluster: list its nodes in redis_url."},
    KnownError{"MISCONF", ErrorCode::response, "The server cannot save its data: see its log and its disk."},
    KnownError{"NOREPLICAS", ErrorCode::response, "Too few replicas are connected: see min-replicas-to-write."},
    KnownError{"BUSY", ErrorCode::response, "A script is running too long on the server: SCRIPT KILL ends it."},
    KnownError{
        "WRONGTYPE", ErrorCode::response,
        "The key holds something other than a string: another program uses it; choose another key or namespace."},
    KnownError{"ERR value is not an integer", ErrorCode::response,
               "Count under a key that holds nothing else than the counter."},
    KnownError{"ERR increment or decrement would overflow", ErrorCode::response, "Set the counter back."},
    KnownError{"ERR max number of clients", ErrorCode::response,
               "Raise maxclients on the server, or lower connection_pool.max_connections."},
    KnownError{"ERR DB index", ErrorCode::response,
               "Give a database that the server has (`databases` in redis.conf) at the end of redis_url."},
    KnownError{"ERR SELECT", ErrorCode::response, "Give database 0: a Redis Cluster has no other."},
    KnownError{"ERR This instance has cluster support disabled", ErrorCode::response,
               "The server is no Redis Cluster: name it alone in redis_url."},
    KnownError{"ERR unknown command", ErrorCode::response,
               "The server does not know the command: it needs Redis 6 or later."},
};

}  // namespace detail

CASCOR_CACHE_DEF std::shared_ptr<const CacheError> server_error(std::string_view words, std::string_view before) {
  ErrorCode code = ErrorCode::response;
  std::string hint{"The server refused the command; its documentation explains the words."};
  for (const auto& known : detail::known_errors) {
    if (!words.starts_with(known.starts_with)) continue;
    code = known.code;
    hint = known.hint;
    break;
  }
  // What an unknown command was given may be a session's id, or a value.
  words = words.substr(0, words.find(", with args beginning with"));
  words = words.substr(0, words.find(" script: "));  // Redis 7 adds which of ours it was
  const std::string what = std::string{before}.append(words.empty() ? "an error without words" : readable(words));
  switch (code) {
    case ErrorCode::authentication:
      return std::make_shared<cascor::detail::Dependent<AuthenticationError, CascorWhenUsed>>(what, hint);
    case ErrorCode::out_of_memory:
      return std::make_shared<cascor::detail::Dependent<OutOfMemoryError, CascorWhenUsed>>(what, hint);
    default: return std::make_shared<cascor::detail::Dependent<ResponseError, CascorWhenUsed>>(what, hint);
  }
}

CASCOR_CACHE_DEF bool says_unavailable(std::string_view words) noexcept {
  return words.starts_with("LOADING") || words.starts_with("MASTERDOWN") || words.starts_with("CLUSTERDOWN") ||
         words.starts_with("ERR max number of clients");
}

CASCOR_CACHE_DEF std::string readable(std::string_view text) {
  constexpr std::size_t most = 400;
  std::string shown{text.substr(0, most)};
  for (char& byte : shown) {
    if (byte < ' ' || byte > '~') byte = '?';
  }
  return text.size() > most ? shown + "..." : shown;
}

CASCOR_CACHE_DEF std::string without_secret(std::string text, std::string_view secret) {
  if (secret.empty()) return text;
  constexpr std::string_view mask = "***";
  const std::string_view beginning = secret.substr(0, 8);
  for (std::size_t at = text.find(beginning); at != std::string::npos; at = text.find(beginning, at + mask.size())) {
    std::size_t size = beginning.size();
    while (size < secret.size() && at + size < text.size() && text[at + size] == secret[size]) ++size;
    text.replace(at, size, mask);
  }
  return text;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
