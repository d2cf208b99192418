// Quickprop: S. E. Fahlman, "An Empirical Study of Learning Speed in Back-Propagation Networks", CMU-CS-88-162, 1988.
#pragma once

#include <Eigen/Core>
#include <utility>

namespace cascade {

/// How fast to learn, in the report's terms.
struct QuickpropOptions {
  double epsilon = 1.0;          ///< learning rate of the plain gradient step, for a slope averaged over the points
  double mu = 1.75;              ///< a step is at most this many times the one before
  double decay = 0.0;            ///< each weight's pull towards zero, added to its slope
  bool split_by_fan_in = false;  ///< divide epsilon by the number of weights that come into one unit
};

/// One weight's next step downhill. Two slopes and the step between them give a parabola: jump to its lowest point, but
/// not further than `mu` steps. While the slope keeps its sign, and at the start, a plain gradient step is added.
/// Every step goes down the slope it was made for, so `previous_slope` is zero only where `previous_step` is.
inline double quickprop_step(double slope, double previous_slope, double previous_step, double epsilon, double mu) {
  const double gradient_step = -epsilon * slope;
  if (previous_step == 0.0) return gradient_step;
  const double ratio = slope / previous_slope;
  // The lowest point is ratio / (1 - ratio) steps away: mu of them at this limit; above 1 the parabola has none.
  const double factor = ratio < mu / (1.0 + mu) ? ratio / (1.0 - ratio) : mu;
  return factor * previous_step + (ratio > 0.0 ? gradient_step : 0.0);
}

/// Moves a matrix of weights, one column a unit, downhill; remembers the last step and slope of each weight.
class Quickprop {
 public:
  /// @param points  how many training points each slope is summed over
  Quickprop(const QuickpropOptions& options, Eigen::Index fan_in, Eigen::Index units, Eigen::Index points)
      : options_{options},
        epsilon_{options.epsilon / static_cast<double>(points * (options.split_by_fan_in ? fan_in : 1))},
        previous_slopes_{Eigen::MatrixXd::Zero(fan_in, units)},
        previous_steps_{Eigen::MatrixXd::Zero(fan_in, units)} {}

  /// @param slopes  derivative of what is to be made small with respect to each weight, summed over the points
  void descend(Eigen::MatrixXd& weights, Eigen::MatrixXd slopes) {
    slopes += options_.decay * weights;
    for (Eigen::Index i = 0; i < weights.size(); ++i) {
      double& step = previous_steps_(i);
      step = quickprop_step(slopes(i), previous_slopes_(i), step, epsilon_, options_.mu);
      weights(i) += step;
    }
    previous_slopes_ = std::move(slopes);
  }

 private:
  QuickpropOptions options_;
  double epsilon_;
  Eigen::MatrixXd previous_slopes_;
  Eigen::MatrixXd previous_steps_;
};

}  // namespace cascade
