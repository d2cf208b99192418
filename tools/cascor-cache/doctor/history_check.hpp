// The folder where journals are, and where records wait while Redis is away.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"
#include "words.hpp"

namespace tool::doctor {

struct HistoryFacts {
  std::string directory;
  std::string place;       ///< "history.directory (app.yaml:9:16)"
  std::string not_usable;  ///< why nothing can be written there, in the system's words; empty: it can
  std::string user;        ///< who asks: "canopy"
  double free_bytes = 0;   ///< where not_usable is empty
  bool redis = true;       ///< is it a waiting room, or the place itself?
  std::uint64_t runs = 0;  ///< journals in it; of type: memory
  /// Folders of records that wait.
  struct Waiting {
    std::string folder;
    std::string whom;  ///< "localhost:6379/0, cascor:"; empty: it does not say
    bool ours = false;
    std::uint64_t runs = 0;
    double bytes = 0;
  };
  std::vector<Waiting> waiting;
  std::uint64_t refused = 0;  ///< files of records that a run would not take
  std::string refused_example;
  std::string our_folder;
};

inline void check_history(const HistoryFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "history";
  constexpr double tight = 256.0 * 1024 * 1024;
  constexpr double full = 16.0 * 1024 * 1024;
  if (!facts.not_usable.empty()) {
    findings.problem(subject,
                     "nothing can be written to " + facts.place + ' ' + facts.directory + ": " + facts.not_usable,
                     "install -d -o " + facts.user + ' ' + facts.directory + ", or history: { directory: ... }");
  } else if (facts.free_bytes < tight) {
    const std::string what = "only " + size_text(facts.free_bytes) + " free for " + facts.place + ' ' + facts.directory;
    const std::string cure = "df -h " + facts.directory + "; make room, or history: { directory: ... } elsewhere";
    if (facts.free_bytes < full)
      findings.problem(subject, what, cure);
    else
      findings.warning(subject, what, cure);
  }
  std::string ours;
  bool others = facts.refused > 0;
  for (const auto& one : facts.waiting) {
    const std::string what = counted(one.runs, "run", "runs") + " (" + size_text(one.bytes) + ") in " + one.folder;
    if (one.ours) {
      ours += ", records of " + what + " wait to be sent";
    } else {
      others = true;
      findings.warning(
          subject,
          "records of " + what +
              (one.whom.empty() ? " do not say for which Redis they wait" : " wait for another Redis, " + one.whom),
          "if they are for this one: mv " + one.folder + "/*.jsonl " + facts.our_folder + "/");
    }
  }
  if (facts.refused > 0) {
    findings.warning(
        subject,
        counted(facts.refused, "file", "files") + " of records that a run would not take: " + facts.refused_example,
        "look at it, then cascor-cache import it as a run of another name, or remove it");
  }
  if (!facts.not_usable.empty() || facts.free_bytes < tight) return;
  if (!ours.empty()) {
    return findings.info(subject, facts.directory + ours,
                         "the next program that uses this history.directory sends them");
  }
  if (others) return;
  findings.ok(subject, facts.directory +
                           (facts.redis ? ", nothing waits, " : ", " + counted(facts.runs, "run", "runs") + ", ") +
                           size_text(facts.free_bytes) + " free");
}

}  // namespace tool::doctor
