// What the measures of resident memory fill a cache with, and how they read it.
#pragma once

#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

/// Of this process.
inline std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream{"/proc/self/statm"} >> pages >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Of about `bytes`: by its kind, 0 to 3, a long text, numbers, a list of units, or weights by name.
inline nlohmann::json training_value(std::size_t kind, std::size_t bytes) {
  nlohmann::json value{{"epoch", 5}, {"train_loss", 0.25}, {"phase", "output"}};
  if (kind == 0) value["log"] = std::string(bytes, 'x');
  for (std::size_t i = 0; kind == 1 && i < bytes / 24; ++i) value["losses"].push_back(0.5);
  for (std::size_t i = 0; kind == 2 && i < bytes / 600; ++i) {
    value["units"].push_back({{"id", i}, {"type", "hidden"}, {"layer", 2}, {"bias", 0.25}});
  }
  for (std::size_t i = 0; kind == 3 && i < bytes / 160; ++i) {
    value["weights"]["weight of the connection " + std::to_string(i)] = 0.5;
  }
  return value;
}

/// 200 of them, of 100 B to 100 KB, as many of each order of magnitude: to be copied from, so that making them takes no
/// part in what is measured.
inline std::vector<nlohmann::json> training_values() {
  std::vector<nlohmann::json> values;
  std::mt19937 random{1};
  std::uniform_real_distribution<double> order_of_magnitude{2, 5};
  for (std::size_t i = 0; i < 200; ++i) {
    values.push_back(training_value(i % 4, static_cast<std::size_t>(std::pow(10, order_of_magnitude(random)))));
  }
  return values;
}
