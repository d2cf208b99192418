// Sentinels and the nodes of a cluster: which there are, and what they say of each other.
#pragma once

#include <optional>
#include <vector>

#include "cluster_check.hpp"
#include "probe.hpp"
#include "sentinel_check.hpp"

namespace tool::doctor {

/// Asks each Sentinel of the URL. `master`: what the first that knows it calls the master.
SentinelFacts probe_sentinels(const Prober& prober, std::optional<cascor::redis::Endpoint>& master);

/// Asks the first seed that answers for the map of slots. `masters`: those that it names, to be looked at one by one.
ClusterFacts probe_cluster(const Prober& prober, std::vector<cascor::redis::Endpoint>& masters);

}  // namespace tool::doctor
