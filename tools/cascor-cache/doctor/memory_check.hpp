// Memory of a server: is there room, and what happens when there is none?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "finding.hpp"
#include "server_command.hpp"
#include "words.hpp"

namespace tool::doctor {

struct MemoryFacts {
  std::string peer;
  std::optional<std::uint64_t> used;
  std::optional<std::uint64_t> limit;  ///< maxmemory; 0: none
  std::optional<std::uint64_t> machine;
  std::string policy;         ///< "noeviction"
  std::uint64_t evicted = 0;  ///< keys, since the server's start
  std::uint64_t runs = 0;     ///< recorded there, which nothing may evict
  std::string write_refused;  ///< what a write was told, where it is about memory; empty: nothing
};

inline void check_memory(const MemoryFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "memory";
  const std::string now = "now: " + command_for(facts.peer) + " CONFIG SET maxmemory-policy volatile-lru";
  const std::string more_room =
      "maxmemory-policy volatile-lru in redis.conf (allkeys-lru if nothing but a cache is there), or a larger "
      "maxmemory; " +
      now;
  if (!facts.used || !facts.limit) {
    if (!facts.write_refused.empty())
      findings.problem(subject, "writes to " + facts.peer + " are refused: " + facts.write_refused, more_room);
    return;
  }
  const auto used = static_cast<double>(*facts.used);
  const auto limit = static_cast<double>(*facts.limit);
  const std::string evicted =
      facts.evicted == 0 ? "" : ", " + counted(facts.evicted, "key was evicted", "keys were evicted");
  if (*facts.limit == 0) {
    const bool tight = facts.machine && used > 0.7 * static_cast<double>(*facts.machine);
    const std::string what =
        size_text(used) + " used, and no bound (maxmemory 0)" +
        (facts.machine ? " on a machine of " + size_text(static_cast<double>(*facts.machine)) : "");
    if (!facts.write_refused.empty()) return findings.problem(subject, what + ": " + facts.write_refused, more_room);
    if (tight) return findings.warning(subject, what, "maxmemory and maxmemory-policy in redis.conf");
    return findings.info(subject, what, "maxmemory 2gb and maxmemory-policy volatile-lru in redis.conf bound it");
  }
  const double share = used / limit;
  const std::string what = size_text(used) + " of " + size_text(limit) + " used (" +
                           std::to_string(static_cast<int>(share * 100)) + " %), " + facts.policy + evicted;
  const bool evicts = facts.policy != "noeviction";
  if (!facts.write_refused.empty()) {
    return findings.problem(subject, what + ": writes to " + facts.peer + " are refused: " + facts.write_refused,
                            more_room);
  }
  if (!evicts && share >= 0.9) {
    return findings.problem(subject, what + ": writes to " + facts.peer + " fail once it is full", more_room);
  }
  if (!evicts && share >= 0.75)
    return findings.warning(subject, what + ": writes to " + facts.peer + " fail once it is full", more_room);
  if (facts.policy.starts_with("allkeys") && facts.runs > 0) {
    return findings.warning(subject,
                            what + ": it may evict the record of " + counted(facts.runs, "run", "runs") + " too",
                            "maxmemory-policy volatile-lru in redis.conf evicts only what has a TTL; " + now);
  }
  findings.ok(subject, what);
}

}  // namespace tool::doctor
