// How long a server takes to answer PING.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"
#include "server_command.hpp"
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
  /// Did more than a third of them take so long? What holds the server up now and then meets some of them only.
  bool often_over(double ms) const {
    const auto over = std::count_if(ping_ms.begin(), ping_ms.end(), [ms](double one) { return one >= ms; });
    return static_cast<std::size_t>(over) * 3 > ping_ms.size();
  }
  double most() const { return *std::max_element(ping_ms.begin(), ping_ms.end()); }
};

inline void check_round_trips(const RoundTripFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "round trips";
  constexpr double slow = 20;  // a cache is to be faster than what it caches
  if (facts.ping_ms.empty()) return;
  const std::string what = "median " + milliseconds_text(facts.median()) + ", max " + milliseconds_text(facts.most()) +
                           " of " + std::to_string(facts.ping_ms.size()) + " PINGs";
  if (!facts.often_over(slow) && facts.most() < facts.timeout_ms / 2) return findings.ok(subject, what);
  const std::string ask = command_for(facts.peer);
  findings.warning(
      subject, what + " to " + facts.peer + " (connection_pool.timeout is " + milliseconds_text(facts.timeout_ms) + ")",
      ask + " SLOWLOG GET 10 shows what keeps it busy; " + ask +
          " --latency, from here and from its own machine, tells network from server");
}

}  // namespace tool::doctor
