// What is wrong with the outputs, and how their weights should change.
#pragma once

#include <Eigen/Core>

#include "network.hpp"

namespace cascade {

/// The outputs, and their error as the weights below them feel it.
struct OutputError {
  Eigen::MatrixXd outputs;  ///< points x outputs
  Eigen::MatrixXd errors;   ///< points x outputs: (output - target) * (slope of the output unit + offset)
  Eigen::MatrixXd slopes;   ///< dE/dw of each output weight, where E is half the sum of squares and the offset is zero
};

/// @param features      points x weights: what the outputs see
/// @param weights       weights x outputs
/// @param slope_offset  0.1 in Fahlman's report: an output stuck at the wrong end has next to no slope of its own
inline OutputError output_error(const Eigen::MatrixXd& features, const Eigen::MatrixXd& weights,
                                const Eigen::MatrixXd& targets, double slope_offset) {
  OutputError result;
  result.outputs = activation(features * weights);
  result.errors = (result.outputs - targets).array() * (activation_slope(result.outputs).array() + slope_offset);
  result.slopes = features.transpose() * result.errors;
  return result;
}

}  // namespace cascade
