// How Canopy trains.
#pragma once

#include <chrono>

namespace canopy {

struct TrainerOptions {
  unsigned seed = 1;                   ///< the same seed gives the same run
  std::chrono::milliseconds pace{20};  ///< to rest after each epoch, so that one can watch
};

}  // namespace canopy
