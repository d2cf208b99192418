// Is there room on the server for as many connections as this configuration may open?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "finding.hpp"

namespace tool::doctor {

struct ClientsFacts {
  std::string peer;
  std::optional<std::uint64_t> most;       ///< maxclients
  std::optional<std::uint64_t> connected;  ///< now, ours among them
  std::uint64_t pool = 0;                  ///< connection_pool.max_connections
  std::string pool_place;                  ///< "connection_pool.max_connections (app.yaml:4:7)"
};

inline void check_clients(const ClientsFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "clients";
  if (!facts.most || !facts.connected) return;
  // Beside the pool a process has a link for invalidations and one for messages.
  const std::uint64_t wanted = facts.pool + 2;
  const std::string most = std::to_string(*facts.most);
  const std::string raise = "maxclients " + std::to_string(2 * wanted + *facts.connected) + " in redis.conf";
  const std::string lower =
      "connection_pool: { max_connections: " + std::to_string(std::max<std::uint64_t>(1, *facts.most / 4)) + " }";
  if (wanted > *facts.most) {
    return findings.problem(subject,
                            facts.pool_place + " is " + std::to_string(facts.pool) +
                                ", and with 2 links that is more than maxclients " + most + " of " + facts.peer,
                            lower + ", or " + raise);
  }
  const std::string what =
      std::to_string(*facts.connected) + " of " + most + " connected, the pool may take " + std::to_string(facts.pool);
  if (*facts.connected + wanted > *facts.most) {
    return findings.warning(subject, what + " more: " + facts.peer + " will refuse some", raise + ", or " + lower);
  }
  findings.ok(subject, what);
}

}  // namespace tool::doctor
