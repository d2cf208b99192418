// One line on the terminal that shows a training run as the cache has it.
#pragma once

#include <unistd.h>

#include <cascor/cache.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace examples {

/// How often a viewer redraws: 15 times a second.
inline constexpr std::chrono::milliseconds redraw_every{66};

inline constexpr std::string_view erase_line = "\r\x1b[K";

/// Reads a run back and shows it. At a terminal it redraws one line; elsewhere it prints a line for each new unit and
/// at the end, so that a log stays readable. One thread at a time.
class LiveLine {
 public:
  /// Reads what the cache has and shows it. Throws what the cache throws, which is nothing unless it is strict.
  void refresh(cascor::CacheManager& cache) {
    const auto metrics = cache.get_cached_metrics("latest");
    const auto topology = cache.get_cached_topology("latest");
    // Between two writes an entry may expire. What was seen last stays on the line, and its status says so.
    if (metrics) metrics_ = metrics.share();
    if (topology) topology_ = topology.share();
    status_ = to_string(metrics.status());
    tier_ = metrics ? to_string(metrics.tier()) : "";
    draw();
  }

  /// Has any state of a run been read?
  bool run_seen() const { return metrics_ != nullptr; }
  /// Has the run said that it is over?
  bool run_over() const {
    return run_seen() && metrics_->contains("is_running") && metrics_->at("is_running") == false;
  }

  /// Leaves the last state on a line of its own.
  void finish() {
    if (at_terminal_) {
      std::puts("");
    } else if (run_seen() && text() != printed_) {
      std::puts(text().c_str());
    }
    std::fflush(stdout);
  }

 private:
  void draw() {
    if (at_terminal_) {
      std::printf("%.*s%s", static_cast<int>(erase_line.size()), erase_line.data(), text().c_str());
    } else if (run_seen() && number(*metrics_, "hidden_units", 0.0) != units_printed_) {
      units_printed_ = number(*metrics_, "hidden_units", 0.0);
      printed_ = text();
      std::puts(printed_.c_str());
    }
    std::fflush(stdout);
  }

  /// Fewer than 80 characters, so that no usual terminal wraps it.
  std::string text() const {
    const std::string cache = std::string{status_} + " " + std::string{tier_};
    if (!run_seen()) return "waiting for a run  " + cache;
    char line[160];
    std::snprintf(line, sizeof line, "epoch %4.0f  loss %.4f  accuracy %5.1f%%  hidden %2.0f (%3.0f links)  %s",
                  number(*metrics_, "current_epoch"), number(*metrics_, "current_loss"),
                  100.0 * number(*metrics_, "current_accuracy"), number(*metrics_, "hidden_units"),
                  topology_ ? number(*topology_, "total_connections") : 0.0, cache.c_str());
    return line;
  }

  /// A member as a number; `otherwise` where it is none, as for the loss of a run that diverged.
  static double number(const cascor::json& object, const char* name, double otherwise = std::nan("")) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
  }

  const bool at_terminal_ = isatty(STDOUT_FILENO) != 0;
  double units_printed_ = -1.0;
  std::string printed_;
  std::shared_ptr<const cascor::json> metrics_;
  std::shared_ptr<const cascor::json> topology_;
  std::string_view status_;
  std::string_view tier_;
};

/// "redis" or "memory"; in other words where the cache is not what was asked for.
inline std::string backend_in_use(cascor::CacheManager& cache) {
  const cascor::Health health = cache.health();
  switch (health.mode) {
    case cascor::HealthMode::live: return health.details.backend;
    case cascor::HealthMode::fallback: return "memory, because Redis is away";
    case cascor::HealthMode::disabled: break;
  }
  return "none, the cache is switched off";
}

/// The library's log lines go above a live line instead of into it.
inline void log_above_live_line() {
  if (isatty(STDOUT_FILENO) == 0 || isatty(STDERR_FILENO) == 0) return;
  cascor::set_log_sink([](cascor::LogLevel level, std::string_view message) {
    const std::string line = std::string{erase_line}.append(to_string(level)).append(": ").append(message).append("\n");
    std::fputs(line.c_str(), stderr);
  });
}

}  // namespace examples
