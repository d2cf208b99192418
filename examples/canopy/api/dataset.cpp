#include "api/dataset.hpp"

#include <utility>

#include "cascade/two_spirals.hpp"

namespace canopy {

using cascor::json;

json dataset_view() {
  const cascade::Dataset spirals = cascade::two_spirals();
  json points = json::array();
  for (Eigen::Index i = 0; i < spirals.inputs.rows(); ++i) {
    points.push_back(
        {{"x", spirals.inputs(i, 0)}, {"y", spirals.inputs(i, 1)}, {"label", spirals.targets(i, 0) > 0 ? 1 : 0}});
  }
  return {{"points", std::move(points)}};
}

}  // namespace canopy
