// How trainer and server find each other's run: its names, and the keys beside the run's own record.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <string>
#include <string_view>

namespace canopy {

inline constexpr std::string_view run_prefix = "two-spirals-";

// Read by the server, written by the trainer while it lives. Under a prefix that is kept near: they are read often.
inline constexpr std::string_view run_key = "topology:run";            ///< {run, started}
inline constexpr std::string_view boundary_key = "topology:boundary";  ///< boundary_of()
inline constexpr std::string_view units_key = "topology:units";        ///< {run, units: [{unit, epoch, timestamp}]}

/// "two-spirals-1732450000123": each run has a name of its own, and they sort by their start.
inline std::string new_run_name() {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());
  return std::string{run_prefix} + std::to_string(now.count());
}

}  // namespace canopy
