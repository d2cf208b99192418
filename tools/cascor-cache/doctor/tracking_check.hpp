// Can the near cache be served: does the server agree to tell of changes?
#pragma once

#include <string>
#include <string_view>

#include "finding.hpp"

namespace tool::doctor {

struct TrackingFacts {
  bool wanted = false;  ///< near_cache.enabled
  bool tried = false;
  bool granted = false;
  std::string words;  ///< the server's
  std::string user;
  std::string place;          ///< "near_cache.enabled (app.yaml:5:7)"
  std::string key_namespace;  ///< "cascor:"
};

inline void check_tracking(const TrackingFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "near cache";
  if (!facts.wanted) return findings.ok(subject, "switched off by " + facts.place);
  if (!facts.tried) return;
  if (facts.granted) return findings.ok(subject, "the server tells of changes (CLIENT TRACKING)");
  const bool right = facts.words.starts_with("NOPERM");
  findings.warning(subject, "not used, each read is a round trip: " + facts.words,
                   right ? "ACL SETUSER " + facts.user + " +client|tracking +client|id +subscribe &" +
                               facts.key_namespace + "*, or " + "near_cache: { enabled: false }"
                         : "a server of Redis 6 or later, or near_cache: { enabled: false }");
}

}  // namespace tool::doctor
