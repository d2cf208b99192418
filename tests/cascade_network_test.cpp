// The network that the examples train: its data, its gradients, its optimiser, and whole runs.
#include <Eigen/Core>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "../examples/cascade/training.hpp"
#include "../examples/cascade/two_spirals.hpp"

namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// dF/dw by central differences.
template <class Function>
MatrixXd numeric_slopes(const Function& function, MatrixXd weights) {
  constexpr double h = 1e-6;
  MatrixXd slopes(weights.rows(), weights.cols());
  for (Index i = 0; i < weights.size(); ++i) {
    const double at = weights(i);
    weights(i) = at + h;
    const double above = function(weights);
    weights(i) = at - h;
    const double below = function(weights);
    weights(i) = at;
    slopes(i) = (above - below) / (2.0 * h);
  }
  return slopes;
}

double largest_difference(const MatrixXd& a, const MatrixXd& b) { return (a - b).cwiseAbs().maxCoeff(); }

/// What two runs are compared by.
struct Run {
  cascade::Network network{2, 1};
  std::vector<double> losses;  // of each epoch
};

Run run_two_spirals(std::uint64_t seed, int at_most_epochs) {
  Run run;
  cascade::TrainingOptions options;
  options.seed = seed;
  cascade::TrainingCallbacks callbacks;
  callbacks.on_epoch = [&](const cascade::Progress& progress) {
    run.losses.push_back(progress.score.loss);
    return progress.epoch < at_most_epochs;
  };
  cascade::train(run.network, cascade::two_spirals(), options, callbacks);
  return run;
}

}  // namespace

TEST_CASE("two spirals: 194 balanced points on the known curve", "[cascade]") {
  const auto spirals = cascade::two_spirals();
  REQUIRE(spirals.inputs.rows() == 194);
  REQUIRE(spirals.inputs.cols() == 2);
  REQUIRE(spirals.targets.rows() == 194);
  REQUIRE(spirals.targets.cols() == 1);
  CHECK((spirals.targets.array() == 0.5).count() == 97);
  CHECK((spirals.targets.array() == -0.5).count() == 97);

  // The first lines of the published data set, and its inner end.
  CHECK(spirals.inputs.row(0).isApprox(Eigen::RowVector2d{0.0, 6.5}));
  CHECK(spirals.inputs.row(2).isApprox(Eigen::RowVector2d{1.25588, 6.31373}, 1e-4));
  CHECK(spirals.inputs.row(192).norm() == Approx(0.5));
  for (Index i = 0; i < 194; i += 2) {
    CHECK(spirals.inputs.row(i) == -spirals.inputs.row(i + 1));
    CHECK(spirals.targets(i, 0) == -spirals.targets(i + 1, 0));
  }
  // Each turn, 32 points on, comes 2 closer to the centre.
  CHECK(spirals.inputs.row(0).norm() - spirals.inputs.row(64).norm() == Approx(2.0));

  const auto between = cascade::two_spirals(0.5);
  CHECK(between.inputs.row(0).norm() < spirals.inputs.row(0).norm());
  CHECK(between.inputs.row(0).norm() > spirals.inputs.row(2).norm());
}

TEST_CASE("a point is right within 0.4 of its target, in every output", "[cascade]") {
  const MatrixXd targets{{0.5, -0.5}, {0.5, -0.5}, {0.5, -0.5}, {0.5, -0.5}};
  const MatrixXd outputs{{0.5, -0.5}, {0.11, -0.11}, {0.09, -0.5}, {-0.5, 0.5}};
  const auto score = cascade::score(outputs, targets);
  CHECK(score.accuracy == 0.5);
  CHECK(score.loss == Approx((2 * 0.39 * 0.39 + 0.41 * 0.41 + 2.0) / 8.0));
}

TEST_CASE("the outputs' slopes match finite differences", "[cascade]") {
  std::mt19937_64 random{7};
  const MatrixXd features = cascade::random_weights(random, 20, 5, 2.0);
  const MatrixXd targets = cascade::random_weights(random, 20, 3, 0.5);
  const MatrixXd weights = cascade::random_weights(random, 5, 3, 1.0);
  const auto half_squares = [&](const MatrixXd& at) {
    return 0.5 * (cascade::activation(features * at) - targets).squaredNorm();
  };
  const auto exact = cascade::output_error(features, weights, targets, 0.0);
  CHECK(largest_difference(exact.slopes, numeric_slopes(half_squares, weights)) < 1e-7);

  // The offset adds to the sigmoid's slope: more of the same error, never another sign.
  const auto offset = cascade::output_error(features, weights, targets, 0.1);
  CHECK(largest_difference(offset.errors - exact.errors, 0.1 * (exact.outputs - targets)) < 1e-12);
}

TEST_CASE("the candidates' slopes match finite differences", "[cascade]") {
  std::mt19937_64 random{8};
  const MatrixXd features = cascade::random_weights(random, 20, 5, 2.0);
  const MatrixXd errors = cascade::centred(cascade::random_weights(random, 20, 3, 0.5));
  const MatrixXd weights = cascade::random_weights(random, 5, 4, 1.0);
  CHECK(errors.colwise().sum().cwiseAbs().maxCoeff() < 1e-12);

  // The paper's S, written out: the mean of the activation is taken away here.
  const auto share_of_error = [&](const MatrixXd& candidate) {
    const MatrixXd active = cascade::centred(cascade::activation(features * candidate));
    return (errors.transpose() * active).cwiseAbs().sum() / errors.squaredNorm();
  };
  const auto correlation = cascade::correlate(features, errors, weights);
  for (Index i = 0; i < weights.cols(); ++i) {
    CHECK(correlation.scores(i) == Approx(share_of_error(weights.col(i))));
    CHECK(largest_difference(correlation.slopes.col(i), numeric_slopes(share_of_error, weights.col(i))) < 1e-7);
  }
}

TEST_CASE("quickprop on a parabola", "[cascade]") {
  constexpr double epsilon = 0.1;
  constexpr double mu = 1.75;
  const auto slope = [](double x) { return 2.0 * (x - 3.0); };  // of (x - 3)^2

  SECTION("starts with a gradient step") {
    CHECK(cascade::quickprop_step(slope(0.0), 0.0, 0.0, epsilon, mu) == Approx(0.6));
  }
  SECTION("jumps to the lowest point, past which it adds no gradient step") {
    CHECK(5.0 + cascade::quickprop_step(slope(5.0), slope(1.0), 4.0, epsilon, mu) == Approx(3.0));
  }
  SECTION("adds a gradient step while the slope keeps its sign") {
    CHECK(2.0 + cascade::quickprop_step(slope(2.0), slope(0.0), 2.0, epsilon, mu) == Approx(3.0 + epsilon * 2.0));
  }
  SECTION("goes no further than mu steps") {
    CHECK(cascade::quickprop_step(slope(0.1), slope(0.0), 0.1, epsilon, mu) == Approx(mu * 0.1 - epsilon * slope(0.1)));
  }
  SECTION("takes mu steps where the slope has grown: the parabola opens downwards") {
    CHECK(cascade::quickprop_step(-4.0, -2.0, 0.5, epsilon, mu) == Approx(mu * 0.5 + epsilon * 4.0));
  }
  SECTION("mirrors for steps to the left") {
    CHECK(cascade::quickprop_step(-slope(2.0), -slope(0.0), -2.0, epsilon, mu) ==
          -cascade::quickprop_step(slope(2.0), slope(0.0), 2.0, epsilon, mu));
  }
}

TEST_CASE("quickprop finds the lowest point for each weight alone", "[cascade]") {
  const MatrixXd goal{{3.0, -1.0}, {0.5, 20.0}};
  const auto descend = [&](const cascade::QuickpropOptions& options) {
    MatrixXd weights = MatrixXd::Zero(2, 2);
    cascade::Quickprop quickprop{options, weights.rows(), weights.cols(), 1};
    for (int i = 0; i < 60; ++i) quickprop.descend(weights, 2.0 * (weights - goal));
    return weights;
  };
  CHECK(largest_difference(descend({.epsilon = 0.1}), goal) < 1e-6);
  // With decay the slope is zero where 2 (w - goal) + decay w = 0.
  CHECK(largest_difference(descend({.epsilon = 0.1, .decay = 0.5}), goal / 1.25) < 1e-6);
}

TEST_CASE("epsilon is shared among the points, and among incoming weights when asked", "[cascade]") {
  const auto first_step = [](bool split_by_fan_in) {
    MatrixXd weights = MatrixXd::Zero(5, 1);
    cascade::Quickprop{{.epsilon = 1.0, .split_by_fan_in = split_by_fan_in}, 5, 1, 10}.descend(weights,
                                                                                               MatrixXd::Ones(5, 1));
    return weights(0);
  };
  CHECK(first_step(false) == Approx(-1.0 / 10.0));
  CHECK(first_step(true) == Approx(-1.0 / 50.0));
}

TEST_CASE("a phase ends when its measure has stopped moving, or after so many epochs", "[cascade]") {
  cascade::Patience still{{.threshold = 0.1, .epochs = 3, .at_most = 100}};
  CHECK_FALSE(still.lost(1.0));
  CHECK_FALSE(still.lost(0.5));  // moved
  CHECK_FALSE(still.lost(0.49));
  CHECK_FALSE(still.lost(0.48));
  CHECK(still.lost(0.47));  // three epochs within a tenth of 0.5

  cascade::Patience moving{{.threshold = 0.1, .epochs = 3, .at_most = 4}};
  for (const double measure : {1.0, 2.0, 4.0}) CHECK_FALSE(moving.lost(measure));
  CHECK(moving.lost(8.0));
}

TEST_CASE("a new unit changes no answer, and sees everything before it", "[cascade]") {
  std::mt19937_64 random{9};
  const MatrixXd inputs = cascade::random_weights(random, 10, 2, 3.0);
  cascade::Network network{2, 1};
  network.output_weights = cascade::random_weights(random, 3, 1, 1.0);
  const MatrixXd before = network.outputs(inputs);
  for (Index unit = 0; unit < 3; ++unit) network.install(cascade::random_weights(random, 3 + unit, 1, 1.0));

  CHECK(network.hidden_units() == 3);
  CHECK(largest_difference(network.outputs(inputs), before) == 0.0);
  const MatrixXd features = network.features(inputs);
  REQUIRE(features.cols() == 6);
  CHECK(features.col(0) == MatrixXd::Ones(10, 1));
  CHECK(features.middleCols(1, 2) == inputs);
  const double net_input = features.row(4).head(5).dot(network.hidden[2]);
  CHECK(features(4, 5) == Approx(1.0 / (1.0 + std::exp(-net_input)) - 0.5));
}

TEST_CASE("a whole run classifies all 194 points, and leaves frozen units alone", "[cascade]") {
  const auto spirals = cascade::two_spirals();
  cascade::Network network{2, 1};
  std::vector<Eigen::VectorXd> installed;
  int epochs = 0;
  bool candidates_seen = false;
  cascade::TrainingCallbacks callbacks;
  callbacks.on_epoch = [&](const cascade::Progress& progress) {
    candidates_seen = candidates_seen || progress.phase == cascade::candidate_training;
    return progress.epoch == ++epochs;
  };
  callbacks.on_unit = [&] { installed.push_back(network.hidden.back()); };
  const auto result = cascade::train(network, spirals, {.seed = 1}, callbacks);

  CHECK(result.outcome == cascade::Outcome::solved);
  CHECK(result.progress.score.accuracy == 1.0);
  CHECK(result.progress.epoch == epochs);
  CHECK(candidates_seen);
  const auto right = (network.outputs(spirals.inputs).array() * spirals.targets.array() > 0.0).count();
  CHECK(right == 194);

  REQUIRE(installed.size() == network.hidden.size());
  for (std::size_t i = 0; i < installed.size(); ++i) {
    CHECK(installed[i].size() == static_cast<Index>(3 + i));
    CHECK(installed[i] == network.hidden[i]);
  }
}

TEST_CASE("the same seed gives the same run, another one another", "[cascade]") {
  const Run first = run_two_spirals(1, 600);
  const Run again = run_two_spirals(1, 600);
  const Run other = run_two_spirals(2, 600);
  CHECK(first.network.hidden_units() > 2);
  CHECK(first.losses == again.losses);
  CHECK(first.network.hidden == again.network.hidden);
  CHECK(first.network.output_weights == again.network.output_weights);
  CHECK(first.losses != other.losses);
}

TEST_CASE("a run stops when it is told to, and at the most units it may have", "[cascade]") {
  const auto spirals = cascade::two_spirals();
  cascade::Network stopped{2, 1};
  cascade::TrainingCallbacks callbacks;
  callbacks.on_epoch = [](const cascade::Progress& progress) { return progress.epoch < 200; };
  const auto early = cascade::train(stopped, spirals, {}, callbacks);
  CHECK(early.outcome == cascade::Outcome::stopped);
  CHECK(early.progress.epoch == 200);

  cascade::Network small{2, 1};
  CHECK(cascade::train(small, spirals, {.max_hidden_units = 2}).outcome == cascade::Outcome::out_of_units);
  CHECK(small.hidden_units() == 2);
}
