#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "cascor/cache/backend_choice.hpp"
#include "cascor/config/redis_url.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/redis/cluster.hpp"
#include "cascor/redis/cluster_link.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/rights.hpp"
#include "cascor/redis/sentinel.hpp"
#include "cascor/redis/subscriber.hpp"
#include "cascor/redis/tls.hpp"
#include "cascor/redis/tracking.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF RemoteStore<CascorWhenUsed> make_remote_store(const CacheConfig& config,
                                                               const std::shared_ptr<const Clock>& clock) {
  const RedisUrl url = RedisUrl::parse(config.redis_url);

  redis::RedisOptions options;
  if (url.kind == RedisUrl::Kind::unix_socket) {
    options.endpoint.path = url.path;
  } else {
    options.endpoint.host = url.nodes.at(0).host;
    options.endpoint.port = url.nodes.at(0).port;
  }
  const Log log = config.log_sink ? Log{config.log_sink} : Log{};
  if (url.tls) {
    const auto& tls = config.tls;
    options.secure = redis::make_tls({tls.ca_file, tls.cert_file, tls.key_file, tls.verify, tls.server_name});
    if (!tls.verify) {
      log.warning("TLS to " + redis::to_string(options.endpoint) +
                  " is not verified (tls.verify is false): whoever is on the way can read and change what is said");
    }
  }
  options.username = url.username;
  if (config.password_provider) {
    options.password = config.password_provider;
  } else if (std::string password = url.password.empty() ? config.password : url.password; !password.empty()) {
    options.password = [password = std::move(password)] { return password; };
  }
  options.database = url.database;
  options.max_connections = config.connection_pool.max_connections;
  options.timeout = config.connection_pool.timeout;
  options.retry = config.connection_pool.retry_on_timeout;
  options.keepalive = config.connection_pool.socket_keepalive;
  options.max_idle = config.connection_pool.max_idle;
  options.max_lifetime = config.connection_pool.max_lifetime;
  // What it means for the cache is a line of its own; this is for who looks closer.
  options.on_breaker = [log](redis::BreakerState state, std::string_view reason) {
    if (log.wants(LogLevel::debug)) {
      log.debug("Circuit breaker " + std::string{redis::to_string(state)} + ": " + std::string{reason});
    }
  };
  options.on_no_right = [told = std::make_shared<redis::RightsTold<CascorWhenUsed>>(log)](std::string_view words) {
    told->note(words);
  };
  options.clock = clock;
  options.random = config.random;

  RemoteStore<CascorWhenUsed> remote;
  std::vector<redis::Endpoint> nodes;
  for (const auto& node : url.nodes) {
    redis::Endpoint& endpoint = nodes.emplace_back();
    endpoint.host = node.host;
    endpoint.port = node.port;
    remote.server += (remote.server.empty() ? "" : ",") + redis::to_string(endpoint);
  }
  if (!options.endpoint.path.empty()) remote.server = options.endpoint.path;
  if (url.kind == RedisUrl::Kind::sentinel) remote.server = url.master_name + " by Sentinel " + remote.server;
  remote.host = options.endpoint.path.empty() ? options.endpoint.host : options.endpoint.path;
  remote.port = options.endpoint.path.empty() ? options.endpoint.port : 0;

  typename redis::Subscriber<CascorWhenUsed>::Options listening{options, std::min(options.timeout, milliseconds{5000}),
                                                                config.log_sink ? Log{config.log_sink} : Log{}};
  typename redis::TrackingLink<CascorWhenUsed>::Options tracking;
  tracking.redis = options;
  std::unique_ptr<redis::Topology<CascorWhenUsed>> servers;
  redis::Cluster<CascorWhenUsed>* cluster = nullptr;
  if (url.kind == RedisUrl::Kind::cluster) {
    auto all = std::make_unique<redis::Cluster<CascorWhenUsed>>(std::move(options), std::move(nodes), log);
    cluster = all.get();
    servers = std::move(all);
  } else if (url.kind == RedisUrl::Kind::sentinel) {
    servers = std::make_unique<redis::Sentinel<CascorWhenUsed>>(options, std::move(nodes), url.master_name);
  } else {
    servers = std::make_unique<redis::Standalone<CascorWhenUsed>>(std::move(options));
  }
  listening.redis.locate = [at = servers.get()](Deadline by) { return at->where({}, by); };
  if (url.kind == RedisUrl::Kind::sentinel) {
    tracking.redis.locate = listening.redis.locate;
    tracking.redis.must_be_master = true;
  }
  remote.make_link = [tracking, cluster](LinkTerms terms, InvalidationSink& told) -> std::unique_ptr<InvalidationLink> {
    auto wanted = tracking;
    wanted.prefixes = std::move(terms.prefixes);
    wanted.other_channel = std::move(terms.other_channel);
    wanted.may_dial = std::move(terms.may_dial);
    if (cluster != nullptr) {
      return std::make_unique<redis::ClusterLink<CascorWhenUsed>>(std::move(wanted), *cluster, told);
    }
    return std::make_unique<redis::TrackingLink<CascorWhenUsed>>(std::move(wanted), told);
  };
  remote.store = std::make_unique<redis::RedisBackend<CascorWhenUsed>>(std::move(servers));
  remote.events = std::make_unique<redis::Subscriber<CascorWhenUsed>>(std::move(listening), remote.store.get());
  return remote;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
