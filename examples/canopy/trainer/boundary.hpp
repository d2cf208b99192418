// What a network answers over the plane of the two spirals, as a picture of a grid.
#pragma once

#include <Eigen/Core>
#include <cascor/cache.hpp>
#include <cmath>

#include "cascade/network.hpp"

namespace canopy {

inline constexpr Eigen::Index boundary_points = 64;  ///< along each side
inline constexpr double boundary_reach = 7.0;  ///< of the plane, to each side of its middle; the spirals end at 6.5

/// `values` are rows from the lowest y to the highest, each from the lowest x: what the first output answers there,
/// from -0.5 to 0.5, to three decimals. Where it is 0 is the boundary between the two spirals.
inline cascor::json boundary_of(const cascade::Network& network) {
  constexpr Eigen::Index size = boundary_points;
  const auto at = [](Eigen::Index i) {
    return boundary_reach * (2.0 * static_cast<double>(i) / static_cast<double>(size - 1) - 1.0);
  };
  Eigen::MatrixXd points(size * size, 2);
  for (Eigen::Index row = 0; row < size; ++row) {
    for (Eigen::Index column = 0; column < size; ++column) {
      points.row(row * size + column) << at(column), at(row);
    }
  }
  const Eigen::MatrixXd outputs = network.outputs(points);
  cascor::json values = cascor::json::array();
  for (Eigen::Index i = 0; i < outputs.rows(); ++i) values.push_back(std::round(outputs(i, 0) * 1000.0) / 1000.0);
  return {{"width", size},
          {"height", size},
          {"x_range", {-boundary_reach, boundary_reach}},
          {"y_range", {-boundary_reach, boundary_reach}},
          {"hidden_units", network.hidden_units()},
          {"values", std::move(values)}};
}

}  // namespace canopy
