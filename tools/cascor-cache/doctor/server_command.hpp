// How somebody asks a server by hand.
#pragma once

#include <string>

namespace tool::doctor {

/// "redis-cli -h 127.0.0.1 -p 6379" for "127.0.0.1:6379", "redis-cli -s /run/redis.sock" for a socket's path.
inline std::string command_for(const std::string& peer) {
  if (peer.starts_with('/')) return "redis-cli -s " + peer;
  const auto colon = peer.rfind(':');
  std::string host = peer.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return "redis-cli -h " + host + " -p " + peer.substr(colon + 1);
}

}  // namespace tool::doctor
