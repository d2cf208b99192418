// Downsampling keeps a curve's shape: Largest-Triangle-Three-Buckets, checked by hand.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "cascor/training/downsample.hpp"

namespace {

using Sampling = cascor::Downsampling<>;
using Picked = std::vector<std::size_t>;
constexpr double gap = std::numeric_limits<double>::quiet_NaN();

std::vector<Sampling::Point> curve(const std::vector<double>& values) {
  std::vector<Sampling::Point> points;
  for (const double value : values) points.push_back({static_cast<double>(points.size()), value});
  return points;
}
Picked pick(const std::vector<double>& values, std::size_t count) { return Sampling::pick(curve(values), count); }
bool contains(const Picked& picked, std::size_t index) {
  return std::find(picked.begin(), picked.end(), index) != picked.end();
}

}  // namespace

TEST_CASE("as many points as there are, or more, are all of them", "[downsample]") {
  CHECK(pick({}, 5).empty());
  CHECK(pick({1, 2, 3}, 3) == Picked{0, 1, 2});
  CHECK(pick({1, 2, 3}, 100) == Picked{0, 1, 2});
}

TEST_CASE("none, one and two points are nothing, the first, and both ends", "[downsample]") {
  CHECK(pick({1, 2, 3, 4}, 0).empty());
  CHECK(pick({1, 2, 3, 4}, 1) == Picked{0});
  CHECK(pick({1, 2, 3, 4}, 2) == Picked{0, 3});
}

TEST_CASE("of one bucket the point with the largest triangle is kept", "[downsample]") {
  // Between (0, 0) and (4, 0) twice the areas are 4 |y|: 4, 12, 8.
  CHECK(pick({0, 1, 3, 2, 0}, 3) == Picked{0, 2, 4});
  // The same downwards.
  CHECK(pick({0, -1, -2, -3, 0}, 3) == Picked{0, 3, 4});
}

TEST_CASE("two buckets are picked as by hand", "[downsample]") {
  // Points (0,0) | (1,2) (2,0) (3,1) | (4,5) (5,1) (6,3) | (7,0), four of them.
  // First bucket, against (0,0) and the mean (5,3) of the second: 2A = |5y - 3x| gives 7, 6, 4: (1,2).
  // Second, against (1,2) and the mean (7,0) of the last: 2A = |6(y-2) + 2(x-1)| gives 24, 2, 16: (4,5).
  CHECK(pick({0, 2, 0, 1, 5, 1, 3, 0}, 4) == Picked{0, 1, 4, 7});
}

TEST_CASE("the first of equal triangles is kept", "[downsample]") {
  CHECK(pick({0, 1, 1, 1, 0}, 3) == Picked{0, 1, 4});
}

TEST_CASE("the distance on the axis counts, not the number of the point", "[downsample]") {
  // Between (0,0) and (100,100): 2A = 100 |y - x|: 0, 100, 4000.
  const std::vector<Sampling::Point> points{{0, 0}, {1, 1}, {2, 3}, {90, 50}, {100, 100}};
  CHECK(Sampling::pick(points, 3) == Picked{0, 3, 4});
}

TEST_CASE("a spike in a long flat curve survives, with exactly as many points as asked", "[downsample]") {
  std::vector<double> values(10'000, 1.0);
  values[6'789] = 50;
  for (const std::size_t count : {3U, 10U, 100U, 999U, 9'999U}) {
    const Picked picked = pick(values, count);
    CAPTURE(count);
    CHECK(picked.size() == count);
    CHECK(std::is_sorted(picked.begin(), picked.end()));
    CHECK(std::adjacent_find(picked.begin(), picked.end()) == picked.end());
    CHECK(picked.front() == 0);
    CHECK(picked.back() == 9'999);
    CHECK(contains(picked, 6'789));
  }
}

TEST_CASE("a gap in the curve stays visible", "[downsample]") {
  std::vector<double> values(1'000, 1.0);
  std::fill(values.begin() + 400, values.begin() + 420, gap);
  values[700] = std::numeric_limits<double>::infinity();
  const Picked picked = pick(values, 20);
  CHECK(picked.size() == 20);
  CHECK(contains(picked, 400));
  CHECK(contains(picked, 700));
  // The others are values.
  CHECK(std::count_if(picked.begin(), picked.end(), [&](std::size_t i) { return !std::isfinite(values[i]); }) == 2);
}

TEST_CASE("many gaps leave half of the points to the values, and the longest are shown", "[downsample]") {
  std::vector<double> values(1'000, 1.0);
  for (std::size_t i = 10; i < 900; i += 10) values[i] = gap;
  values[501] = values[502] = gap;
  const Picked picked = pick(values, 12);
  CHECK(picked.size() == 12);
  CHECK(contains(picked, 500));
  CHECK(std::count_if(picked.begin(), picked.end(), [&](std::size_t i) { return std::isnan(values[i]); }) == 5);
}

TEST_CASE("a curve that begins and ends in gaps keeps both ends", "[downsample]") {
  std::vector<double> values(100, 2.0);
  std::fill(values.begin(), values.begin() + 10, gap);
  std::fill(values.end() - 10, values.end(), gap);
  const Picked picked = pick(values, 6);
  CHECK(picked.size() == 6);
  CHECK(picked.front() == 0);
  CHECK(picked.back() == 99);
  CHECK(contains(picked, 10));
  CHECK(contains(picked, 89));
  const Picked nothing = pick(std::vector<double>(50, gap), 7);
  CHECK(nothing.size() == 7);
  CHECK(nothing.front() == 0);
  CHECK(nothing.back() == 49);
}

TEST_CASE("values too large for their triangles are picked all the same", "[downsample]") {
  const Picked picked = pick({0, 1e308, -1e308, 1e308, -1e308, 0, 1}, 4);
  CHECK(picked.size() == 4);
  CHECK(picked.front() == 0);
  CHECK(picked.back() == 6);
}
