#pragma once

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

CASCOR_CACHE_DEF const std::shared_ptr<const Clock>& SystemClock::shared() {
  static const SystemClock system;
  static const std::shared_ptr<const Clock> clock{std::shared_ptr<const Clock>{}, &system};  // which owns nothing
  return clock;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
