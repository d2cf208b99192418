// What a training run shows: its metrics, history, network and decision boundary, each through the cache.
#pragma once

#include <cascor/cache.hpp>
#include <string>

#include "http/reply.hpp"
#include "http/routes.hpp"

namespace canopy {

/// Refers to the cache, which must outlive it. Safe from any thread.
class TrainingApi {
 public:
  explicit TrainingApi(cascor::CacheManager& cache) : cache_{cache} {}
  void add_to(Routes& routes);

  /// The run that is trained now, or was last; empty where there is none.
  std::string current_run();
  /// What /api/metrics answers.
  cascor::json metrics(CacheFacts& facts);

 private:
  void history(const Request& request, Response& response);
  void picture(const Request& request, Response& response, std::string_view key, const cascor::json& otherwise);

  cascor::CacheManager& cache_;
};

}  // namespace canopy
