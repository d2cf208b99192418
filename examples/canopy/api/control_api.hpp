// POST /api/train/…: commands to the trainer, wherever it runs, and what it says to them.
#pragma once

#include <cascor/cache.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "api/sessions_api.hpp"
#include "http/routes.hpp"
#include "http/viewers.hpp"

namespace canopy {

/// Refers to all that it is given, which must outlive it. The mutex guards the commands under way. Safe from any
/// thread.
class ControlApi {
 public:
  ControlApi(cascor::CacheManager& cache, SessionsApi& sessions, Viewers& viewers);
  void add_to(Routes& routes);

 private:
  void send(const std::string& command, const Request& request, Response& response);
  void hear(const cascor::Message& message);

  cascor::CacheManager& cache_;
  SessionsApi& sessions_;
  Viewers& viewers_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::map<std::string, cascor::json> under_way_;  // by request; null until it is acknowledged
  std::uint64_t requests_ = 0;
  cascor::Subscription events_;
};

}  // namespace canopy
