// When to stop a phase of training: when its measure has stopped moving.
#pragma once

#include <cmath>

namespace cascade {

struct PatienceOptions {
  double threshold;  ///< a change counts when it is more than this share of the measure
  int epochs;        ///< give up after so many without such a change
  int at_most;       ///< and after so many in any case
};

class Patience {
 public:
  explicit Patience(const PatienceOptions& options) : options_{options} {}

  /// Call once an epoch; true when the phase is over.
  bool lost(double measure) {
    ++epoch_;
    if (epoch_ == 1 || std::abs(measure - mark_) > options_.threshold * std::abs(mark_)) {
      mark_ = measure;
      marked_at_ = epoch_;
    }
    return epoch_ - marked_at_ >= options_.epochs || epoch_ >= options_.at_most;
  }

 private:
  PatienceOptions options_;
  int epoch_ = 0;
  double mark_ = 0.0;
  int marked_at_ = 0;
};

}  // namespace cascade
