// The two-spirals benchmark: tell apart two spirals that coil around each other three times. Proposed by A. Wieland;
// K. J. Lang and M. J. Witbrock, "Learning to Tell Two Spirals Apart", 1988 Connectionist Models Summer School.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <numbers>

#include "dataset.hpp"

namespace cascade {

inline constexpr Eigen::Index points_per_spiral = 97;

/// The standard set: 97 points a spiral, 32 to a turn, from radius 6.5 at the outside to 0.5 at the inside. The second
/// spiral is the first one turned by 180 degrees. Rows alternate between the two, first the one with target +0.5.
/// @param shift  moves every point along its spiral, in steps from one point to the next: 0 for the training set; 0.5
///               for points midway between those, which the network has not seen.
inline Dataset two_spirals(double shift = 0.0) {
  Dataset spirals{Eigen::MatrixXd(2 * points_per_spiral, 2), Eigen::MatrixXd(2 * points_per_spiral, 1)};
  for (Eigen::Index i = 0; i < points_per_spiral; ++i) {
    const double along = static_cast<double>(i) + shift;
    const double angle = along * std::numbers::pi / 16.0;
    const double radius = 6.5 * (104.0 - along) / 104.0;
    const Eigen::RowVector2d point{radius * std::sin(angle), radius * std::cos(angle)};
    spirals.inputs.row(2 * i) = point;
    spirals.inputs.row(2 * i + 1) = -point;
    spirals.targets(2 * i, 0) = 0.5;
    spirals.targets(2 * i + 1, 0) = -0.5;
  }
  return spirals;
}

}  // namespace cascade
