// Candidates for the next hidden unit: all see the same, start differently, and learn to follow the residual error.
#pragma once

#include <Eigen/Core>
#include <random>

#include "network.hpp"

namespace cascade {

/// How well candidates follow the error, and where their weights should go.
struct Correlation {
  Eigen::RowVectorXd scores;  ///< S of each candidate, as a share of the errors' sum of squares
  Eigen::MatrixXd slopes;     ///< dS/dw, weights x candidates, as the same share
};

/// S is the sum over the outputs of |covariance| between a candidate's activation and the residual error. Taking it as
/// a share leaves the order of candidates as it is, and makes a learning rate mean the same however small the errors
/// have become.
/// @param features  points x weights: what each candidate sees
/// @param errors    points x outputs, not all zero, each column with mean zero: the activation's own mean then drops
/// out
/// @param weights   weights x candidates
inline Correlation correlate(const Eigen::MatrixXd& features, const Eigen::MatrixXd& errors,
                             const Eigen::MatrixXd& weights) {
  const Eigen::MatrixXd active = activation(features * weights);
  const Eigen::MatrixXd covariance = errors.transpose() * active;  // outputs x candidates
  const Eigen::MatrixXd wanted = errors * covariance.array().sign().matrix();
  const double squares = errors.squaredNorm();
  return {covariance.cwiseAbs().colwise().sum() / squares,
          features.transpose() * wanted.cwiseProduct(activation_slope(active)) / squares};
}

/// Each column with its mean taken away, as `correlate` wants errors.
inline Eigen::MatrixXd centred(const Eigen::MatrixXd& errors) { return errors.rowwise() - errors.colwise().mean(); }

/// Uniform in [-range, range). Made from the generator's bits, which are the same everywhere;
/// std::uniform_real_distribution is not.
inline Eigen::MatrixXd random_weights(std::mt19937_64& random, Eigen::Index rows, Eigen::Index columns, double range) {
  return Eigen::MatrixXd::NullaryExpr(rows, columns,
                                      [&] { return range * (static_cast<double>(random() >> 11) * 0x1.0p-52 - 1.0); });
}

}  // namespace cascade
