// How the server and its cache are: health, status, statistics, the Redis panel, and /metrics for Prometheus.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "api/health_watch.hpp"
#include "api/training_api.hpp"
#include "http/routes.hpp"
#include "http/viewers.hpp"

namespace canopy {

/// Refers to all that it is given, which must outlive it. Safe from any thread.
class ServerApi {
 public:
  ServerApi(cascor::CacheManager& cache, TrainingApi& training, const HealthWatch& health, const Viewers& viewers)
      : cache_{cache}, training_{training}, health_{health}, viewers_{viewers} {}
  void add_to(Routes& routes);

 private:
  cascor::json health() const;
  cascor::json status();
  cascor::json statistics() const;
  std::int64_t uptime_seconds() const;

  cascor::CacheManager& cache_;
  TrainingApi& training_;
  const HealthWatch& health_;
  const Viewers& viewers_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace canopy
