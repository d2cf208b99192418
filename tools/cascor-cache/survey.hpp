// What one look at a cache's server found: what Redis holds for it, not what other processes have counted.
#pragma once

#include <array>
#include <cascor/cache.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server_info.hpp"
#include "session.hpp"

namespace tool {

/// Live keys by prefix, in the order of cascor::Prefix; sessions without the lists of users'.
struct KeyCounts {
  std::array<std::uint64_t, cascor::prefix_count> by_prefix{};
  std::uint64_t total = 0;
  bool more = false;  ///< counting stopped at most_keys
  double took_seconds = 0;
  static constexpr std::size_t most_keys = 2'000'000;
};

struct Survey {
  cascor::Health health;
  ServerInfo info;                          ///< empty: not told; of a cluster, the sum of its masters'
  std::map<std::string, ServerInfo> nodes;  ///< of a cluster's masters, by address
  std::optional<KeyCounts> keys;
  std::optional<std::uint64_t> runs;
  std::vector<std::string> problems;  ///< what could not be found out, and why
  std::chrono::steady_clock::time_point at{};
};

/// Looks. `counted`: what an earlier look has counted, to be taken over; null: the keys are counted, by SCAN. Throws
/// nothing for the server's sake.
Survey survey(Session& session, const KeyCounts* counted);

cascor::json survey_json(Session& session, const Survey& survey);

/// The lines that show it, within so many columns; 0: as wide as they are. `before`, if there is one, gives the rates.
std::vector<std::string> survey_lines(Session& session, const Survey& survey, const Survey* before,
                                      std::size_t columns);

}  // namespace tool
