#include "node_info.hpp"

#include <cascor/core/clock.hpp>
#include <cascor/redis/connection.hpp>
#include <cascor/redis/server_error.hpp>
#include <cascor/redis/tls.hpp>
#include <utility>

namespace tool {

NodeInfo::NodeInfo(const cascor::CacheConfig& config) {
  const auto url = cascor::RedisUrl::parse(config.redis_url);
  if (url.tls) {
    const auto& tls = config.tls;
    options_.secure = cascor::redis::make_tls({tls.ca_file, tls.cert_file, tls.key_file, tls.verify, tls.server_name});
  }
  options_.username = url.username;
  std::string password = url.password.empty() ? config.password : url.password;
  if (!password.empty()) options_.password = [password = std::move(password)] { return password; };
  options_.timeout = config.connection_pool.timeout;
  options_.keepalive = config.connection_pool.socket_keepalive;
}

ServerInfo NodeInfo::of(const std::string& address) const {
  // An IPv6 address has colons of its own.
  const auto node = cascor::RedisUrl::parse("redis://" + address).nodes.at(0);
  cascor::redis::RedisOptions options = options_;
  options.endpoint.host = node.host;
  options.endpoint.port = node.port;
  const cascor::Deadline by{*cascor::SystemClock::shared(), options.timeout};
  cascor::redis::Connection<> connection{options, by};
  cascor::redis::Batch<> batch;
  batch.add({cascor::redis::Answer::any}, "INFO");
  const cascor::Reply reply = connection.execute(batch, by).front();
  if (reply.is_error()) cascor::redis::server_error(reply.text)->raise();
  return ServerInfo{reply.text};
}

}  // namespace tool
