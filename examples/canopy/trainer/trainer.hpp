// Trains the two spirals, run after run, and puts all that a dashboard shows into the cache.
#pragma once

#include <cascor/cache.hpp>
#include <memory>
#include <mutex>
#include <thread>

#include "commands.hpp"
#include "trainer/trainer_options.hpp"

namespace canopy {

/// Begins a run at once, on a thread of its own; start, pause, resume, stop and reset on `cascor:control` are obeyed
/// and acknowledged. Refers to the cache, which must outlive it. The mutex guards
/// the last request.
class Trainer {
 public:
  Trainer(cascor::CacheManager& cache, const TrainerOptions& options);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  /// Ends the run, and waits until its record is in the backend, for two seconds at most.
  ~Trainer();

 private:
  class Run;

  void obey(const cascor::Command& command);
  void work(const std::stop_token& stop);
  void train(const std::stop_token& stop, Run& run);
  std::unique_ptr<Run> next_run();
  void forget_old_runs();

  cascor::CacheManager& cache_;
  const TrainerOptions options_;
  examples::Commands commands_;
  std::mutex mutex_;
  cascor::json last_request_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace canopy
