// Does the server keep what must stay, and can it still?
#pragma once

#include <string>
#include <string_view>

#include "finding.hpp"
#include "info_text.hpp"

namespace tool::doctor {

struct PersistenceFacts {
  std::string peer;
  InfoText info;              ///< of INFO persistence
  std::string write_refused;  ///< what a write was told, where it is about the disk; empty: nothing
};

inline void check_persistence(const PersistenceFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "durability";
  const InfoText& info = facts.info;
  constexpr const char* disk = "free its disk (df -h there; its log says why), then redis-cli BGSAVE";
  if (!facts.write_refused.empty()) {
    const bool replicas = facts.write_refused.starts_with("NOREPLICAS");
    return findings.problem(subject, "writes to " + facts.peer + " are refused: " + facts.write_refused,
                            replicas ? "start its replicas again, or min-replicas-to-write 0 in redis.conf" : disk);
  }
  if (info.empty()) return;
  if (info.text("loading") == "1") {
    return findings.problem(subject, facts.peer + " is reading its data from disk",
                            "wait until it is done: redis-cli INFO persistence");
  }
  if (info.text("aof_last_write_status") == "err" || info.text("aof_last_bgrewrite_status") == "err") {
    return findings.problem(subject, facts.peer + " could not write its append-only file", disk);
  }
  if (info.text("rdb_last_bgsave_status") == "err") {
    return findings.problem(subject, facts.peer + " could not save last time, and may refuse writes", disk);
  }
  if (info.text("aof_enabled") == "1") return findings.ok(subject, "append-only file");
  findings.info(subject, "no append-only file: records of runs since the last save do not survive its crash",
                "appendonly yes in redis.conf, appendfsync always where each must");
}

}  // namespace tool::doctor
