// Do the Sentinels answer, agree on one master, and are they enough to replace it?
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dial_check.hpp"
#include "finding.hpp"

namespace tool::doctor {

struct SentinelFacts {
  struct One {
    DialFacts dial;
    bool knows_master = false;
    std::string master;        ///< "127.0.0.1:6379"
    std::string quorum_words;  ///< what SENTINEL CKQUORUM says against it; empty: nothing
    std::uint64_t replicas = 0;
    std::uint64_t others = 0;  ///< Sentinels that it knows beside itself
  };
  std::string master_name;
  std::vector<One> all;  ///< those of the URL
};

inline void check_sentinels(const SentinelFacts& facts, const DialPlaces& places, Findings& findings) {
  constexpr std::string_view subject = "sentinels";
  if (facts.all.empty()) return;
  std::size_t answer = 0;
  std::string masters;
  std::vector<std::string> named;
  const SentinelFacts::One* first = nullptr;
  std::string no_quorum;
  for (const auto& one : facts.all) {
    if (!one.dial.reached) continue;
    ++answer;
    if (!one.knows_master) continue;
    if (first == nullptr) first = &one;
    if (no_quorum.empty()) no_quorum = one.quorum_words;
    if (std::find(named.begin(), named.end(), one.master) == named.end()) {
      named.push_back(one.master);
      masters += (masters.empty() ? "" : ", ") + one.dial.peer + " names " + one.master;
    }
  }
  for (const auto& one : facts.all) {
    if (one.dial.reached) continue;
    if (answer > 0)
      findings.warning(subject, one.dial.error, cure_of_dial(one.dial, places));
    else
      findings.problem(subject, one.dial.error, cure_of_dial(one.dial, places));
  }
  if (answer == 0) return;
  if (first == nullptr) {
    return findings.problem(subject, "they know no master named " + facts.master_name,
                            "the name that sentinel.conf has (sentinel monitor <name> ...) in " + places.url +
                                "; redis-cli -p 26379 SENTINEL MASTERS lists them");
  }
  if (named.size() > 1) {
    findings.problem(
        subject, "they disagree on the master: " + masters,
        "those cut off from the others are wrong: see their logs; SENTINEL RESET " + facts.master_name + " on them");
  }
  if (!no_quorum.empty()) {
    return findings.problem(
        subject, "no failover is possible: " + no_quorum,
        "start the Sentinels that are away, or lower the quorum: SENTINEL SET " + facts.master_name + " quorum N");
  }
  if (first->replicas == 0) {
    findings.warning(subject, "the master " + first->master + " has no replica to take its place",
                     "replicaof " + first->master.substr(0, first->master.rfind(':')) + ' ' +
                         first->master.substr(first->master.rfind(':') + 1) + " in redis.conf of another server");
  }
  if (named.size() == 1) {
    findings.ok(subject, std::to_string(answer) + " of " + std::to_string(facts.all.size()) + " answer, agree on " +
                             first->master + " with " + std::to_string(first->replicas) + " replicas, quorum is there");
  }
}

}  // namespace tool::doctor
