// Which Redis it is, and as what it runs.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "finding.hpp"
#include "info_text.hpp"
#include "words.hpp"

namespace tool::doctor {

struct VersionFacts {
  std::string peer;
  InfoText info;           ///< of INFO server and replication
  std::string info_error;  ///< why there is none; empty: there is
  bool cluster = false;    ///< does the configuration name a cluster?
  std::string url_place;   ///< "redis_url (app.yaml:3:16)"
  std::string user;
};

inline void check_version(const VersionFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "server";
  constexpr int oldest = 6;
  if (!facts.info_error.empty()) {
    return findings.warning(
        subject, "INFO is refused: version, memory, clients and durability are not known: " + facts.info_error,
        "ACL SETUSER " + facts.user + " +info");
  }
  const std::string version = facts.info.text("redis_version");
  int major = 0;
  (void)std::from_chars(version.data(), version.data() + version.size(), major);
  if (major < oldest) {
    return findings.problem(subject, facts.peer + " is Redis " + version + ", which is too old",
                            "Redis 6 or later (Debian 12 has 7.0: apt install redis-server)");
  }
  const std::string mode = facts.info.text("redis_mode");
  if (!facts.cluster && mode == "cluster") {
    return findings.problem(subject, facts.peer + " is a node of a Redis Cluster",
                            "name several of its nodes in " + facts.url_place + ": redis://node1:6379,node2:6379/0");
  }
  if (facts.info.text("role") == "slave") {
    return findings.problem(subject, facts.peer + " is a replica, which takes no writes",
                            "name its master in " + facts.url_place + ": " + facts.info.text("master_host") + ':' +
                                facts.info.text("master_port"));
  }
  const auto up = facts.info.number("uptime_in_seconds").value_or(0);
  findings.ok(subject,
              "Redis " + version + (mode.empty() ? "" : ", " + mode) + ", up " + time_text(static_cast<double>(up)));
}

}  // namespace tool::doctor
