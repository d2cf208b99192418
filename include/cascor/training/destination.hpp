// Where records that wait are meant to go: to one Redis, and there to one namespace. A decision object, without I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/config/cache_config.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Known by what the configuration says, as a server that is away cannot be asked: its address, the database and the
/// namespace; no account, password or option of TLS. Of Sentinels and of a cluster the nodes that are named may change:
/// two lists that share one mean the same, if they agree in everything else.
template <class CascorWhenUsed = void>
struct Destination {
  std::string kind;                                           ///< "memory", "server", "socket", "sentinel", "cluster"
  std::string name;                                           ///< the master's, or the socket's path
  Dependent<std::vector<std::string>, CascorWhenUsed> nodes;  ///< "host:port", sorted, no two alike
  int database = 0;
  std::string key_namespace;

  static Destination of(const CacheConfig& config, std::string_view key_namespace);
  /// Of what text() made, or a person wrote; nothing where that is something else.
  static Dependent<std::optional<Destination>, CascorWhenUsed> parse(std::string_view text);
  /// JSON in one line, ASCII.
  std::string text() const;
  /// For people: "localhost:6379/0, cascor:".
  std::string shown() const;
  /// A folder's name, different for each text(): what it is about, and a hash.
  std::string folder() const;
  bool is_same(const Destination& other) const;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/destination.ipp"
#endif
