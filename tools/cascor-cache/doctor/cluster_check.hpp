// Is the cluster whole: every slot served, every node there?
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dial_check.hpp"
#include "finding.hpp"

namespace tool::doctor {

struct ClusterFacts {
  struct Node {
    DialFacts dial;
    bool master = true;
    std::uint64_t replicas = 0;
  };
  bool wanted = false;
  std::string asked;                                           ///< which node told all this; empty: none did
  std::string error;                                           ///< why it told nothing
  std::string state;                                           ///< "ok", "fail"
  std::uint64_t failed_slots = 0;                              ///< of masters that are away
  std::vector<std::pair<std::size_t, std::size_t>> uncovered;  ///< ranges of slots that nobody has
  std::vector<Node> nodes;                                     ///< what the map of slots names
  std::vector<DialFacts> seeds_away;
};

/// The ranges of 0 to 16383 that none of `covered` has.
inline std::vector<std::pair<std::size_t, std::size_t>> gaps_between(
    std::vector<std::pair<std::size_t, std::size_t>> covered) {
  constexpr std::size_t slots = 16'384;
  std::sort(covered.begin(), covered.end());
  std::vector<std::pair<std::size_t, std::size_t>> gaps;
  std::size_t next = 0;
  for (const auto& [from, to] : covered) {
    if (from > next && next < slots) gaps.emplace_back(next, std::min(from, slots) - 1);
    next = std::max(next, to + 1);
  }
  if (next < slots) gaps.emplace_back(next, slots - 1);
  return gaps;
}

inline void check_cluster(const ClusterFacts& facts, const DialPlaces& places, Findings& findings) {
  constexpr std::string_view subject = "cluster";
  if (!facts.wanted) return;
  for (const auto& seed : facts.seeds_away) {
    if (facts.asked.empty())
      findings.problem(subject, seed.error, cure_of_dial(seed, places));
    else
      findings.warning(subject, seed.error, cure_of_dial(seed, places));
  }
  if (facts.asked.empty()) return;
  if (!facts.error.empty()) {
    return findings.problem(subject, facts.asked + ": " + facts.error,
                            "name nodes of one cluster in " + places.url + ", or one server alone");
  }
  std::size_t masters = 0;
  std::size_t away = 0;
  std::string alone;
  for (const auto& node : facts.nodes) {
    if (node.master) ++masters;
    if (node.master && node.replicas == 0) alone += (alone.empty() ? "" : ", ") + node.dial.peer;
    if (node.dial.reached) continue;
    ++away;
    if (node.master)
      findings.problem(subject, "a master: " + node.dial.error, cure_of_dial(node.dial, places));
    else
      findings.warning(subject, "a replica: " + node.dial.error, cure_of_dial(node.dial, places));
  }
  const std::string any = facts.asked;
  if (!facts.uncovered.empty()) {
    std::string slots;
    std::size_t count = 0;
    for (std::size_t i = 0; i < facts.uncovered.size(); ++i) {
      const auto& [from, to] = facts.uncovered[i];
      count += to - from + 1;
      if (i >= 4) continue;
      slots += (i == 0 ? "" : ", ") + std::to_string(from) + (to > from ? "-" + std::to_string(to) : "");
    }
    if (facts.uncovered.size() > 4) slots += ", ...";
    findings.problem(
        subject, counted(count, "slot is", "slots are") + " of no node: " + slots + "; cluster_state " + facts.state,
        "redis-cli --cluster fix " + any);
  } else if (facts.failed_slots > 0) {
    findings.problem(subject, counted(facts.failed_slots, "slot is", "slots are") + " of a master that is away",
                     "start that master or its replica again; redis-cli --cluster check " + any);
  } else if (facts.state != "ok") {
    findings.problem(subject, "cluster_state is " + facts.state, "redis-cli --cluster check " + any);
  }
  if (!alone.empty()) {
    findings.info(subject, "no replica stands by for " + alone,
                  "redis-cli --cluster add-node HOST:PORT " + any + " --cluster-slave");
  }
  if (away == 0 && facts.uncovered.empty() && facts.failed_slots == 0 && facts.state == "ok") {
    findings.ok(subject, "whole: 16384 slots on " + counted(masters, "master", "masters") + ", " +
                             counted(facts.nodes.size() - masters, "replica", "replicas"));
  }
}

}  // namespace tool::doctor
