// That the bound on bytes is one on resident memory: a cache of JSON values, filled ten times over, in a process that
// does nothing else.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "allocator_support.hpp"
#include "cascor/codec/json.hpp"
#include "cascor/memory_cache.hpp"
#include "resident_support.hpp"

namespace {

using cascor::json;

constexpr std::size_t limit = std::size_t{64} << 20;

// Growth of resident memory over the limit, after a thread stored ten times as much as fits.
double resident_over_limit() {
  const std::vector<json> values = training_values();
  std::mt19937 random{2};
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
