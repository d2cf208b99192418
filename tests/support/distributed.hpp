// The backend that a contract is shown on once more, twice: a Redis Cluster, and a master that Sentinels watch over.
// Each is started once for the whole program, as that takes seconds, and is emptied for every test.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/backends.hpp"
#include "support/redis_cluster.hpp"
#include "support/redis_sentinels.hpp"

namespace support {

/// The cluster that tests share, empty and whole. Who uses it leaves its slots and its nodes as they are.
inline RedisCluster& shared_cluster() {
  static RedisCluster cluster;
  for (std::size_t i = 0; i < cluster.size() / 2; ++i) (void)cluster.node(i).raw("FLUSHALL");
  return cluster;
}

/// The same of Sentinels; server(0) is the master.
inline RedisSentinels& shared_sentinels() {
  static RedisSentinels sentinels;
  (void)sentinels.server(0).raw("FLUSHALL");
  return sentinels;
}

/// Made in a test case, it has that run twice: on each of the two.
class OnDistributed {
 public:
  static constexpr bool remote = true;
  static constexpr cascor::CacheTier tier = cascor::CacheTier::redis;
  static constexpr std::chrono::milliseconds slack = OnRedisTcp::slack;

  cascor::CacheConfig config() const {
    cascor::CacheConfig config;
    config.redis_url = is_cluster_ ? cluster_->url() : sentinels_->url();
    config.connection_pool.timeout = std::chrono::seconds{30};
    config.log_sink = log.sink();
    return config;
  }
  template <class Cache>
  std::optional<cascor::milliseconds> ttl_of(Cache& /*cache*/, const std::string& full_key) {
    return time_left_of(server_of(full_key), full_key);
  }
  /// Whose PUBLISH answers how many it reached on one node, not on all.
  bool is_cluster() const noexcept { return is_cluster_; }
  /// The master that has the key.
  RedisServer& server_of(std::string_view full_key) {
    return is_cluster_ ? cluster_->node(cluster_->master_of(cascor::redis::slot_of(full_key))) : sentinels_->server(0);
  }

  /// All that a process has connections to.
  std::vector<RedisServer*> servers() {
    std::vector<RedisServer*> all;
    for (std::size_t i = 0; i < 3; ++i) {
      all.push_back(is_cluster_ ? &cluster_->node(i) : &sentinels_->server(i));
      if (!is_cluster_) all.push_back(&sentinels_->sentinel(i));
    }
    return all;
  }

  CapturedLog log;

 private:
  const bool is_cluster_ = std::string_view{GENERATE("cluster", "sentinel")} == "cluster";
  RedisCluster* const cluster_ = is_cluster_ ? &shared_cluster() : nullptr;
  RedisSentinels* const sentinels_ = is_cluster_ ? nullptr : &shared_sentinels();
};

/// The server that has the key.
inline RedisServer& server_of(OnDistributed& backend, std::string_view full_key) { return backend.server_of(full_key); }
inline RedisServer& server_of(OnRedisTcp& backend, std::string_view /*full_key*/) { return backend.server; }

/// How many a message reaches as publish() tells it, where so many listen.
template <class Backend>
bool reaches(const Backend& backend, std::size_t told, std::size_t listeners) {
  if constexpr (requires { backend.is_cluster(); }) {
    if (backend.is_cluster()) return told <= listeners;
  }
  return told == listeners;
}

}  // namespace support
