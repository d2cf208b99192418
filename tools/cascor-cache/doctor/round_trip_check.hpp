// How long a server takes to answer PING.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"
#include "words.hpp"

namespace tool::doctor {

struct RoundTripFacts {
  std::string peer;
  std::vector<double> ping_ms;
  double timeout_ms = 5000;  ///< connection_pool.timeout

  double median() const {
    auto sorted = ping_ms;
    std::sort(sorted.begin(), sorted.end());
    return sorted.at(sorted.size() / 2);
  }
  double most() const { return *std::max_element(ping_ms.begin(), ping_ms.end()); }
};

inline void check_round_trips(const RoundTripFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "round trips";
  constexpr double slow = 20;  // a cache is to be faster than what it caches
  if (facts.ping_ms.empty()) return;
  const std::string what = "median " + milliseconds_text(facts.median()) + ", max " + milliseconds_text(facts.most()) +
                           " of " + std::to_string(facts.ping_ms.size()) + " PINGs";
  if (facts.median() < slow && facts.most() < facts.timeout_ms / 2) return findings.ok(subject, what);
  findings.warning(
      subject, what + " to " + facts.peer + " (connection_pool.timeout is " + milliseconds_text(facts.timeout_ms) + ")",
      "redis-cli SLOWLOG GET 10; redis-cli --latency from this machine tells network from server; "
      "redis-cli LATENCY DOCTOR");
}

}  // namespace tool::doctor
