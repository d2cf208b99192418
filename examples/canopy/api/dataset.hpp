// The points that the network learns. A file of its own: cpp-httplib includes a system header whose macros Eigen's
// headers do not stand.
#pragma once

#include <cascor/cache.hpp>

namespace canopy {

/// {points: [{x, y, label}]}; label: 1 for the spiral that the network should answer 0.5 for, 0 for the other.
cascor::json dataset_view();

}  // namespace canopy
