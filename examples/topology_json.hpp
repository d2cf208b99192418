// A network as the topology that dashboards draw: its nodes, and its connections with their weights.
#pragma once

#include <cascor/cache.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cascade/network.hpp"

namespace examples {

/// Hidden unit k is a layer of its own: it sees the inputs and the hidden units before it. Biases are not connections.
inline cascor::json topology_of(const cascade::Network& network) {
  using cascor::json;
  json nodes = json::array();
  json connections = json::array();
  std::vector<std::string> sources;  // what a unit sees, in the order of its weights, after the bias
  const auto add_node = [&](const std::string& id, const char* type, Eigen::Index layer) {
    nodes.push_back({{"id", id}, {"type", type}, {"layer", layer}});
  };
  const auto connect = [&](const std::string& id, const Eigen::VectorXd& weights) {
    Eigen::Index next = 1;
    for (const auto& source : sources) {
      connections.push_back({{"from", source}, {"to", id}, {"weight", weights(next++)}});
    }
  };

  for (Eigen::Index i = 0; i < network.input_units; ++i) {
    sources.push_back("input_" + std::to_string(i));
    add_node(sources.back(), "input", 0);
  }
  Eigen::Index layer = 1;
  for (const auto& weights : network.hidden) {
    const std::string id = "hidden_" + std::to_string(layer - 1);
    add_node(id, "hidden", layer++);
    connect(id, weights);
    sources.push_back(id);
  }
  for (Eigen::Index i = 0; i < network.output_units(); ++i) {
    const std::string id = "output_" + std::to_string(i);
    add_node(id, "output", layer);
    connect(id, network.output_weights.col(i));
  }

  const auto total = connections.size();
  return {{"input_units", network.input_units},     {"hidden_units", network.hidden_units()},
          {"output_units", network.output_units()}, {"nodes", std::move(nodes)},
          {"connections", std::move(connections)},  {"total_connections", total}};
}

}  // namespace examples
