// What a network learns from, and how well it has learned it.
#pragma once

#include <Eigen/Core>

namespace cascade {

/// Examples to learn from, one a row.
struct Dataset {
  Eigen::MatrixXd inputs;   ///< points x inputs
  Eigen::MatrixXd targets;  ///< points x outputs, each -0.5 or +0.5
};

/// How good answers are.
struct Score {
  double loss = 0.0;      ///< mean squared error
  double accuracy = 0.0;  ///< share of points whose every output is within 0.4 of its target, out of a range of 1
};

/// @param outputs, targets  points x outputs, at least one point
inline Score score(const Eigen::MatrixXd& outputs, const Eigen::MatrixXd& targets) {
  const Eigen::ArrayXXd error = (outputs - targets).array();
  return {error.square().mean(), (error.abs() < 0.4).rowwise().all().cast<double>().mean()};
}

}  // namespace cascade
