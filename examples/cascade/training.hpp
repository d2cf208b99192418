// Cascade-Correlation: S. E. Fahlman and C. Lebiere, "The Cascade-Correlation Learning Architecture", Advances in
// Neural Information Processing Systems 2, 1990. Train the outputs; when that gets no further, train a pool of
// candidates to follow the error that is left, freeze the best one in as a new hidden unit, and begin again.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <random>
#include <string_view>
#include <utility>

#include "candidate_pool.hpp"
#include "dataset.hpp"
#include "network.hpp"
#include "output_error.hpp"
#include "patience.hpp"
#include "quickprop.hpp"

namespace cascade {

struct TrainingOptions {
  std::uint64_t seed = 1;  ///< the same seed gives the same run
  Eigen::Index candidates = 8;
  Eigen::Index max_hidden_units = 40;
  double candidate_weight_range = 1.0;  ///< candidates start with weights in [-range, range)
  double output_slope_offset = 0.1;
  QuickpropOptions output_quickprop{.epsilon = 1.0, .decay = 0.0001};
  QuickpropOptions candidate_quickprop{.epsilon = 100.0, .split_by_fan_in = true};
  PatienceOptions output_patience{.threshold = 0.01, .epochs = 8, .at_most = 100};
  PatienceOptions candidate_patience{.threshold = 0.03, .epochs = 8, .at_most = 100};
};

inline constexpr std::string_view output_training = "output_training";
inline constexpr std::string_view candidate_training = "candidate_training";

/// Where a run stands. The score is that of the network as it is; it does not move while candidates train.
struct Progress {
  std::string_view phase = output_training;
  int epoch = 0;  ///< counted from 1 over both phases
  Score score;
};

struct TrainingCallbacks {
  std::function<bool(const Progress&)> on_epoch;  ///< false stops the run
  std::function<void()> on_unit;                  ///< a hidden unit has been installed
};

enum class Outcome { solved, stopped, out_of_units };

struct TrainingResult {
  Outcome outcome;
  Progress progress;
};

/// One run. Refers to all it is given, which must outlive it; grows the network in place.
class Training {
 public:
  Training(Network& network, const Dataset& data, const TrainingOptions& options, const TrainingCallbacks& callbacks)
      : network_{network}, data_{data}, options_{options}, callbacks_{callbacks}, random_{options.seed} {}

  TrainingResult run() {
    for (;;) {
      features_ = network_.features(data_.inputs);
      const Eigen::MatrixXd errors = train_outputs();
      if (solved()) return {Outcome::solved, progress_};
      if (stopped_) return {Outcome::stopped, progress_};
      if (network_.hidden_units() >= options_.max_hidden_units) return {Outcome::out_of_units, progress_};

      Eigen::VectorXd best = train_candidates(centred(errors));
      if (stopped_) return {Outcome::stopped, progress_};
      network_.install(std::move(best));
      if (callbacks_.on_unit) callbacks_.on_unit();
    }
  }

 private:
  /// Returns the errors that are left.
  Eigen::MatrixXd train_outputs() {
    Eigen::MatrixXd& weights = network_.output_weights;
    Quickprop quickprop{options_.output_quickprop, weights.rows(), weights.cols(), features_.rows()};
    Patience patience{options_.output_patience};
    for (;;) {
      OutputError now = output_error(features_, weights, data_.targets, options_.output_slope_offset);
      progress_.score = score(now.outputs, data_.targets);
      count_epoch(output_training);
      if (stopped_ || solved() || patience.lost(progress_.score.loss)) return now.errors;
      quickprop.descend(weights, now.slopes);
    }
  }

  /// Returns the incoming weights of the best candidate.
  Eigen::VectorXd train_candidates(const Eigen::MatrixXd& errors) {
    Eigen::MatrixXd weights =
        random_weights(random_, features_.cols(), options_.candidates, options_.candidate_weight_range);
    Quickprop quickprop{options_.candidate_quickprop, weights.rows(), weights.cols(), features_.rows()};
    Patience patience{options_.candidate_patience};
    for (;;) {
      const Correlation now = correlate(features_, errors, weights);
      Eigen::Index best = 0;
      const double best_score = now.scores.maxCoeff(&best);
      count_epoch(candidate_training);
      if (stopped_ || patience.lost(best_score)) return weights.col(best);
      quickprop.descend(weights, -now.slopes);
    }
  }

  bool solved() const { return progress_.score.accuracy >= 1.0; }

  void count_epoch(std::string_view phase) {
    progress_.phase = phase;
    ++progress_.epoch;
    if (callbacks_.on_epoch && !callbacks_.on_epoch(progress_)) stopped_ = true;
  }

  Network& network_;
  const Dataset& data_;
  const TrainingOptions& options_;
  const TrainingCallbacks& callbacks_;
  std::mt19937_64 random_;
  Eigen::MatrixXd features_;
  Progress progress_;
  bool stopped_ = false;
};

/// Trains until every point is answered right, a callback says stop, or there are as many hidden units as may be.
inline TrainingResult train(Network& network, const Dataset& data, const TrainingOptions& options = {},
                            const TrainingCallbacks& callbacks = {}) {
  return Training{network, data, options, callbacks}.run();
}

}  // namespace cascade
