// The shapes of the answers: what the trainer wrote, as the API shows it. Pure functions.
#pragma once

#include <cascor/cache.hpp>
#include <string>
#include <vector>

namespace canopy {

/// {is_running, is_paused, current_epoch, current_loss, current_accuracy, val_loss, val_accuracy, hidden_units,
/// metrics_count, phase} of what the trainer wrote last; of anything else what a training has before its first epoch.
cascor::json metrics_view(const cascor::json& latest);
/// The same of a run that nobody trains any more, of the last record that it left.
cascor::json ended_view(const cascor::HistoryRecord& last);
/// {history: [{epoch, metrics {}, network_topology {}, phase, timestamp}]}
cascor::json history_view(const std::vector<cascor::HistoryRecord>& records);
/// Those `points` of the records that keep the shape of the loss.
std::vector<cascor::HistoryRecord> fewer(std::vector<cascor::HistoryRecord> records, std::size_t points);
/// {input_units, hidden_units, output_units, nodes, connections, total_connections} before there is a network.
cascor::json no_topology();

}  // namespace canopy
