#include "api/views.hpp"

#include <cascor/training/downsample.hpp>
#include <limits>
#include <utility>

namespace canopy {

using cascor::json;

namespace {

/// The members that `shape` has, with their values from `value` where it has them.
json shaped(json shape, const json& value) {
  if (!value.is_object()) return shape;
  for (auto& [name, into] : shape.items()) {
    if (const auto found = value.find(name); found != value.end()) into = *found;
  }
  return shape;
}

const json& no_metrics() {
  static const json none{{"is_running", false},     {"is_paused", false},  {"current_epoch", 0},
                         {"current_loss", nullptr}, {"val_loss", nullptr}, {"current_accuracy", nullptr},
                         {"val_accuracy", nullptr}, {"hidden_units", 0},   {"metrics_count", 0},
                         {"phase", "idle"}};
  return none;
}

}  // namespace

json metrics_view(const json& latest) { return shaped(no_metrics(), latest); }

json ended_view(const cascor::HistoryRecord& last) {
  json view = shaped(no_metrics(), last.record.value("metrics", json::object()));
  view["phase"] = last.record.value("phase", "stopped");
  view["is_running"] = false;
  view["is_paused"] = false;
  return view;
}

json history_view(const std::vector<cascor::HistoryRecord>& records) {
  static const json metrics{{"loss", nullptr}, {"accuracy", nullptr}, {"val_loss", nullptr}, {"val_accuracy", nullptr}};
  static const json topology{{"input_units", nullptr}, {"hidden_units", nullptr}, {"output_units", nullptr}};
  json history = json::array();
  for (const auto& [id, record] : records) {
    history.push_back({{"epoch", record.value("epoch", 0)},
                       {"metrics", shaped(metrics, record.value("metrics", json::object()))},
                       {"network_topology", shaped(topology, record.value("network_topology", json::object()))},
                       {"phase", record.value("phase", "")},
                       {"timestamp", record.value("timestamp", json{})}});
  }
  return {{"history", std::move(history)}};
}

std::vector<cascor::HistoryRecord> fewer(std::vector<cascor::HistoryRecord> records, std::size_t points) {
  if (records.size() <= points) return records;
  std::vector<cascor::Downsampling<>::Point> curve;
  for (const auto& record : records) {
    const json& loss = record.at("loss");
    curve.push_back({record.at("epoch").get<double>(),
                     loss.is_number() ? loss.get<double>() : std::numeric_limits<double>::quiet_NaN()});
  }
  std::vector<cascor::HistoryRecord> picked;
  for (const std::size_t i : cascor::Downsampling<>::pick(curve, points)) picked.push_back(std::move(records[i]));
  return picked;
}

json no_topology() {
  return {{"input_units", 0},
          {"hidden_units", 0},
          {"output_units", 0},
          {"nodes", json::array()},
          {"connections", json::array()},
          {"total_connections", 0}};
}

}  // namespace canopy
