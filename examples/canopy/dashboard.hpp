// The dashboard server: its routes, and everything behind them, put together.
#pragma once

#include <cascor/cache.hpp>

#include "api/control_api.hpp"
#include "api/health_watch.hpp"
#include "api/server_api.hpp"
#include "api/sessions_api.hpp"
#include "api/stream_api.hpp"
#include "api/training_api.hpp"
#include "http/origin_guard.hpp"
#include "http/page.hpp"
#include "http/routes.hpp"
#include "http/server.hpp"
#include "http/viewers.hpp"
#include "settings.hpp"

namespace canopy {

/// Serves from its construction to its end. Refers to the cache, which must outlive it.
class Dashboard {
 public:
  /// Throws std::system_error where the address is not to be had.
  Dashboard(cascor::CacheManager& cache, const Settings& settings);
  int port() const noexcept { return port_; }

 private:
  // In this order: each is used by those below it.
  Viewers viewers_;
  HealthWatch health_;
  TrainingApi training_;
  SessionsApi sessions_;
  ControlApi control_;
  StreamApi stream_;
  ServerApi server_api_;
  Page page_;
  OriginGuard guard_;
  Routes routes_;
  Server server_{routes_, viewers_};
  int port_ = 0;
};

}  // namespace canopy
