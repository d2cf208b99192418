// Looks once a second how the cache's backend is, so that a thousand viewers who ask do not make a thousand PINGs.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace canopy {

/// How the backend was when somebody looked last.
struct BackendState {
  cascor::Health health;
  std::string info;         ///< Redis's INFO; empty where it is not up, or tells nothing
  double latency_ms = 0.0;  ///< the median of the last PINGs
};

/// The mutex guards the newest state, which is immutable once it is there. Safe from any thread.
class HealthWatch {
 public:
  using OnChange = std::function<void(const BackendState&)>;

  /// Looks before it returns, then once a second; `on_change` is told when status or mode are not what they were.
  HealthWatch(cascor::CacheManager& cache, OnChange on_change);
  ~HealthWatch();
  std::shared_ptr<const BackendState> now() const;

 private:
  void work(const std::stop_token& stop);
  void look();

  cascor::CacheManager& cache_;
  const OnChange on_change_;
  std::vector<double> pings_;  // the thread's
  mutable std::mutex mutex_;
  std::condition_variable_any tick_;  // only the stop token wakes it early
  std::shared_ptr<const BackendState> state_;
  std::jthread thread_;
};

}  // namespace canopy
