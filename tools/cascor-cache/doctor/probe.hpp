// One server, looked at from all sides by the library's own connections.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <cascor/config/redis_url.hpp>
#include <cascor/redis/connection.hpp>
#include <memory>
#include <string>
#include <vector>

#include "clients_check.hpp"
#include "clock_check.hpp"
#include "configuration_check.hpp"
#include "dial_check.hpp"
#include "memory_check.hpp"
#include "persistence_check.hpp"
#include "rights_check.hpp"
#include "round_trip_check.hpp"
#include "tls_check.hpp"
#include "tracking_check.hpp"
#include "version_check.hpp"

namespace tool::doctor {

struct ServerFacts {
  DialFacts dial;
  TlsFacts tls;
  RightsFacts rights;
  RoundTripFacts round_trips;
  TrackingFacts tracking;
  MemoryFacts memory;
  ClockFacts clock;
  ClientsFacts clients;
  PersistenceFacts persistence;
  VersionFacts version;
};

/// How the configuration's servers are talked to. Nothing that it sends changes a key.
class Prober {
 public:
  using Connection = cascor::redis::Connection<>;

  /// Throws ConfigError for a file of `tls` that is not what it should be.
  Prober(const cascor::CacheConfig& config, const ConfigurationFacts& configuration);

  const cascor::RedisUrl& url() const noexcept { return url_; }
  const DialPlaces& places() const noexcept { return places_; }
  cascor::Deadline patience() const;

  /// Dials; null, and why in `facts`, where that did not succeed. A Sentinel gets no credentials unless it asks.
  std::unique_ptr<Connection> dial(const cascor::redis::Endpoint& endpoint, DialFacts& facts,
                                   bool sentinel = false) const;
  /// All that can be found out about it. A connection that is lost on the way counts as one that was not had.
  ServerFacts look_at(const cascor::redis::Endpoint& endpoint) const;
  /// What TLS with it is like; with a `facts.wanted` that is false where there is none.
  TlsFacts tls_of(const cascor::redis::Endpoint& endpoint) const;

 private:
  void look_closer(Connection& connection, const cascor::redis::Endpoint& endpoint, ServerFacts& facts) const;
  void try_rights(Connection& connection, Connection& second, ServerFacts& facts) const;
  void try_tracking(Connection& second, ServerFacts& facts) const;
  void ask_itself(Connection& connection, ServerFacts& facts) const;

  const cascor::CacheConfig& config_;
  const ConfigurationFacts& configuration_;
  cascor::RedisUrl url_;
  cascor::redis::RedisOptions options_;
  DialPlaces places_;
};

/// The answers to some commands, sent as one.
using Commands = std::vector<std::vector<std::string>>;
std::vector<cascor::Reply> answers_of(Prober::Connection& connection, const Commands& commands, cascor::Deadline by);

}  // namespace tool::doctor
