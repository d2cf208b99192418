// GET /api/stream: what the trainer publishes, to all viewers, and to one that was away what it has missed.
#pragma once

#include <cascor/cache.hpp>
#include <string>

#include "api/training_api.hpp"
#include "http/routes.hpp"
#include "http/viewers.hpp"

namespace canopy {

/// Events: `metrics` (those of /api/metrics, epoch and run; its id is "run:epoch"), `topology` (its size: ask for the
/// rest), `status` (of the cache), `command` (acknowledged by the trainer), `history` (what was missed since
/// Last-Event-ID). Refers to all that it is given, which must outlive it. Safe from any thread.
class StreamApi {
 public:
  StreamApi(cascor::CacheManager& cache, TrainingApi& training, Viewers& viewers);
  void add_to(Routes& routes);

 private:
  void open(const Request& request, Response& response);
  void hear(const cascor::Message& message);
  void tell_metrics(const cascor::json& latest);
  void tell_what_is();
  std::string missed_since(const std::string& last_event);

  cascor::CacheManager& cache_;
  TrainingApi& training_;
  Viewers& viewers_;
  const std::string training_channel_;
  cascor::Subscription subscription_;
};

}  // namespace canopy
