// That the bound on bytes is one on resident memory: a cache of JSON values, filled ten times over, in a process that
// does nothing else.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "allocator_support.hpp"
#include "cascor/codec/json.hpp"
#include "cascor/memory_cache.hpp"

namespace {

using cascor::json;

constexpr std::size_t limit = std::size_t{64} << 20;

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream{"/proc/self/statm"} >> pages >> pages;
  return pages * 4096;
}

// Of about `bytes`: a long text, numbers, a list of units, or weights by name.
json value_of(std::size_t kind, std::size_t bytes) {
  json value{{"epoch", 5}, {"train_loss", 0.25}, {"phase", "output"}};
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

// Growth of resident memory over the limit, after a thread stored ten times as much as fits.
double resident_over_limit() {
  std::vector<json> values;  // copied from, so that making them takes no part in it
  std::mt19937 random{1};
  std::uniform_real_distribution<double> order_of_magnitude{2, 5};  // 100 B to 100 KB
  for (std::size_t i = 0; i < 200; ++i) {
    values.push_back(value_of(i % 4, static_cast<std::size_t>(std::pow(10, order_of_magnitude(random)))));
  }
  const std::size_t before = resident_bytes();
  cascor::MemoryCache<json> cache{{.max_bytes = limit, .give_back_pages = true}};
  std::size_t stored = 0;
  for (std::size_t i = 0; stored < 10 * limit; ++i) {
    json value = values[random() % values.size()];
    stored += cascor::weight_of(value);
    cache.set(std::to_string(i), std::move(value));
  }
  return static_cast<double>(resident_bytes() - before) / static_cast<double>(limit);
}

double in_a_process_of_its_own(const std::string& test) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  FILE* const output = popen(("'" + self + "' '" + test + "'").c_str(), "r");
  REQUIRE(output != nullptr);
  double figure = 0;
  char line[200];
  while (std::fgets(line, sizeof line, output) != nullptr) std::sscanf(line, "resident over limit: %lf", &figure);
  REQUIRE(pclose(output) == 0);
  return figure;
}

}  // namespace

// Run by the test below; hidden from the rest.
TEST_CASE("measure one writer", "[.]") {
  std::cout << "resident over limit: " << resident_over_limit() << std::endl;
  CHECK(true);
}
TEST_CASE("one writer of JSON values leaves resident memory within a tenth of the limit") {
  if (!allocator_is_glibc()) return;
  // The middle one of three: how often free pages are given back depends on what else the machine does.
  std::array<double, 3> ratios{};
  for (double& ratio : ratios) ratio = in_a_process_of_its_own("measure one writer");
  std::sort(ratios.begin(), ratios.end());
  CHECK(ratios[1] > 0.90);
  CHECK(ratios[1] < 1.10);
}
