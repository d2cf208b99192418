// A training of the two spirals as its recorder gets it: every epoch with its metrics, and the topology.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <string_view>
#include <utility>

#include "cascade/training.hpp"
#include "cascade/two_spirals.hpp"
#include "topology_json.hpp"

namespace examples {

/// Hands over where the run stands. Epochs are counted on over a reset, as the run's record goes on. For one thread.
class RecordedRun {
 public:
  RecordedRun(cascor::TrainingRecorder& recorder, const cascade::Network& network)
      : recorder_{recorder}, network_{network} {}

  void epoch(const cascade::Progress& progress, bool paused) {
    if (progress.phase == cascade::output_training) validate();  // candidates leave the outputs as they are
    write(progress, progress.phase, true, paused);
  }
  /// Also before the first unit: what an earlier run left is not this one's.
  void unit() { recorder_.topology(topology_of(network_)); }
  void reset(const cascade::Progress& last) { epochs_before_ += last.epoch; }
  void end(const cascade::Progress& progress, cascade::Outcome outcome) {
    unit();  // with the weights of the end
    write(progress, outcome == cascade::Outcome::solved ? "completed" : "stopped", false, false);
    recorder_.flush(std::chrono::seconds{2});
  }
  /// What was handed over last, once more under "latest", where it lives for a second; the record has it already.
  void keep_alive(cascor::CacheManager& cache) const { cache.set("metrics:latest", latest_, {.background = true}); }
  int epochs() const { return latest_.value("epoch", 0); }

 private:
  void validate() { validation_ = cascade::score(network_.outputs(unseen_.inputs), unseen_.targets); }

  void write(const cascade::Progress& progress, std::string_view phase, bool running, bool paused) {
    // First what the record keeps, then what the latest metrics say besides.
    latest_ = {{"epoch", epochs_before_ + progress.epoch},
               {"metrics",
                {{"loss", progress.score.loss},
                 {"accuracy", progress.score.accuracy},
                 {"val_loss", validation_.loss},
                 {"val_accuracy", validation_.accuracy}}},
               {"network_topology",
                {{"input_units", network_.input_units},
                 {"hidden_units", network_.hidden_units()},
                 {"output_units", network_.output_units()}}},
               {"phase", phase},
               {"is_running", running},
               {"is_paused", paused},
               {"current_epoch", progress.epoch},
               {"current_loss", progress.score.loss},
               {"current_accuracy", progress.score.accuracy},
               {"val_loss", validation_.loss},
               {"val_accuracy", validation_.accuracy},
               {"hidden_units", network_.hidden_units()},
               {"metrics_count", epochs_before_ + progress.epoch}};
    // A lost Redis is no reason to stop training: the recorder waits for nothing, and loses nothing.
    recorder_.epoch(latest_);
  }

  cascor::TrainingRecorder& recorder_;
  const cascade::Network& network_;
  const cascade::Dataset unseen_ = cascade::two_spirals(0.5);
  cascade::Score validation_;
  cascor::json latest_;
  int epochs_before_ = 0;
};

}  // namespace examples
