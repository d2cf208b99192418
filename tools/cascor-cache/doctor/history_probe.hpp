// What is in history.directory, and whether more can be written there.
#pragma once

#include <cascor/config/cache_config.hpp>

#include "configuration_check.hpp"
#include "history_check.hpp"

namespace tool::doctor {

/// Looks only; makes no folder.
HistoryFacts probe_history(const cascor::CacheConfig& config, const ConfigurationFacts& configuration);

}  // namespace tool::doctor
