// The network that Cascade-Correlation builds: every unit sees a bias, all inputs and all hidden units before it.
#pragma once

#include <Eigen/Core>
#include <utility>
#include <vector>

namespace cascade {

/// The symmetric sigmoid: from -0.5 to +0.5, and 0 at 0.
template <class Derived>
Eigen::MatrixXd activation(const Eigen::MatrixBase<Derived>& net_input) {
  return ((1.0 + (-net_input.array()).exp()).inverse() - 0.5).matrix();
}

/// Its derivative, from the activation.
inline Eigen::MatrixXd activation_slope(const Eigen::MatrixXd& active) {
  return (0.25 - active.array().square()).matrix();
}

/// Weights, and nothing else. A unit's weights are in the order of what it sees: bias, inputs, hidden units.
struct Network {
  Eigen::Index input_units;
  std::vector<Eigen::VectorXd> hidden;  ///< incoming weights of each hidden unit, frozen once installed
  Eigen::MatrixXd output_weights;       ///< (1 + inputs + hidden units) x outputs

  Network(Eigen::Index inputs, Eigen::Index outputs)
      : input_units{inputs}, output_weights{Eigen::MatrixXd::Zero(1 + inputs, outputs)} {}

  Eigen::Index hidden_units() const { return static_cast<Eigen::Index>(hidden.size()); }
  Eigen::Index output_units() const { return output_weights.cols(); }

  /// What an output unit sees: a column of ones, the inputs, the hidden units' activations; one row a point.
  Eigen::MatrixXd features(const Eigen::MatrixXd& inputs) const {
    Eigen::MatrixXd seen(inputs.rows(), 1 + input_units + hidden_units());
    seen.col(0).setOnes();
    seen.middleCols(1, input_units) = inputs;
    Eigen::Index next = 1 + input_units;
    for (const auto& weights : hidden) {
      seen.col(next) = activation(seen.leftCols(next) * weights);
      ++next;
    }
    return seen;
  }

  /// The answers to `inputs`, one row a point.
  Eigen::MatrixXd outputs(const Eigen::MatrixXd& inputs) const { return activation(features(inputs) * output_weights); }

  /// Adds a hidden unit that sees everything before it. The outputs see it with weight zero: they answer as before.
  void install(Eigen::VectorXd incoming_weights) {
    hidden.push_back(std::move(incoming_weights));
    output_weights.conservativeResize(output_weights.rows() + 1, Eigen::NoChange);
    output_weights.bottomRows(1).setZero();
  }
};

}  // namespace cascade
