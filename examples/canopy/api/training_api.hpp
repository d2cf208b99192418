// What a training run shows: its metrics, history, network and decision boundary, each through the cache.
#pragma once

#include <cascor/cache.hpp>
#include <string>
#include <string_view>

#include "http/rendered.hpp"
#include "http/reply.hpp"
#include "http/routes.hpp"

namespace canopy {

/// Refers to the cache, which must outlive it. `use_cache`: false to see what it is worth; then each answer is read
/// from the run's record, and made anew. Safe from any thread.
class TrainingApi {
 public:
  TrainingApi(cascor::CacheManager& cache, bool use_cache) : cache_{cache}, use_cache_{use_cache} {}
  void add_to(Routes& routes);

  /// The run that is trained now, or was last; empty where there is none.
  std::string current_run();
  /// What /api/metrics answers.
  cascor::json metrics(CacheFacts& facts);

 private:
  void history(const Request& request, Response& response);
  void picture(const Request& request, Response& response, std::string_view key, const cascor::json& otherwise);

  void send(const Request& request, Response& response, std::string_view key,
            const cascor::CacheResult<cascor::json>& found, const cascor::json& otherwise);
  template <class Compute>
  cascor::CacheResult<cascor::json> computed(std::string_view key, const Compute& compute,
                                             const cascor::ComputeOptions& options);

  cascor::CacheManager& cache_;
  const bool use_cache_;
  Rendered rendered_;
};

}  // namespace canopy
