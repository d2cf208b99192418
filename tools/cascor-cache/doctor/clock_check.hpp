// Do this machine and the server agree on the time? Records, sessions and ids of streams carry it.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "finding.hpp"
#include "words.hpp"

namespace tool::doctor {

struct ClockFacts {
  std::string peer;
  std::optional<double> ahead_seconds;  ///< the server's clock less ours; negative: it is behind
  double within_seconds = 0;            ///< half a round trip: it cannot be told more exactly
};

inline void check_clock(const ClockFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "clock";
  constexpr double noticed = 1;
  constexpr double wrong = 30;
  if (!facts.ahead_seconds) return;
  const double skew = std::max(0.0, std::abs(*facts.ahead_seconds) - facts.within_seconds);
  if (skew < noticed) return findings.ok(subject, "in step with " + facts.peer + " to within a second");
  const std::string what = "the clock of " + facts.peer + " is " + time_text(*facts.ahead_seconds) +
                           (*facts.ahead_seconds > 0 ? " ahead of" : " behind") + " this machine's";
  const char* const cure = "timedatectl set-ntp true on the machine that is wrong; timedatectl there tells which it is";
  if (skew >= wrong)
    findings.problem(subject, what + ": sessions and records get wrong times", cure);
  else
    findings.warning(subject, what, cure);
}

}  // namespace tool::doctor
