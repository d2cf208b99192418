#pragma once

#include <algorithm>
#include <cmath>

#include "cascor/training/downsample.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

template <class CascorWhenUsed>
auto Downsampling<CascorWhenUsed>::pick(Points points, std::size_t count) -> Picked {
  Picked picked;
  if (points.size() <= count) {
    for (std::size_t i = 0; i < points.size(); ++i) picked.push_back(i);
    return picked;
  }
  if (count == 0) return picked;
  if (count == 1) return {0};
  const std::size_t last = points.size() - 1;
  picked = pick_gaps(points, (count - 2) / 2);
  Picked values;
  for (std::size_t i = 0; i <= last; ++i) {
    if (std::isfinite(points[i].y)) values.push_back(i);
  }
  // The ends stand whatever they are.
  for (const std::size_t end : {std::size_t{0}, last}) {
    if (!std::isfinite(points[end].y)) picked.push_back(end);
  }
  std::sort(picked.begin(), picked.end());
  picked.erase(std::unique(picked.begin(), picked.end()), picked.end());
  const std::size_t left = count - picked.size();
  pick_values(points, values, left, picked);
  std::sort(picked.begin(), picked.end());
  // Where hardly anything has a value, more of the gaps is shown.
  for (std::size_t i = 0; picked.size() < count && i <= last; ++i) {
    const auto at = std::lower_bound(picked.begin(), picked.end(), i);
    if (*at != i) picked.insert(at, i);
  }
  return picked;
}

template <class CascorWhenUsed>
void Downsampling<CascorWhenUsed>::pick_values(Points points, const Picked& values, std::size_t count, Picked& picked) {
  if (values.size() <= count) {
    picked.insert(picked.end(), values.begin(), values.end());
    return;
  }
  if (count == 0) return;
  picked.push_back(values.front());
  if (count == 1) return;
  const std::size_t buckets = count - 2;
  const double size = buckets == 0 ? 0 : static_cast<double>(values.size() - 2) / static_cast<double>(buckets);
  const auto begin_of = [&](std::size_t bucket) {
    return std::min(static_cast<std::size_t>(static_cast<double>(bucket) * size) + 1, values.size() - 1);
  };
  Point before = points[values.front()];
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::size_t begin = begin_of(bucket);
    const std::size_t end = begin_of(bucket + 1);
    // Behind the last bucket stands the last point.
    const std::size_t next_end = bucket + 1 == buckets ? values.size() : begin_of(bucket + 2);
    Point mean;
    for (std::size_t i = end; i < next_end; ++i) {
      mean.x += points[values[i]].x / static_cast<double>(next_end - end);
      mean.y += points[values[i]].y / static_cast<double>(next_end - end);
    }
    std::size_t best = begin;
    double largest = -1;
    for (std::size_t i = begin; i < end; ++i) {
      const Point& point = points[values[i]];
      const double twice_the_area =
          std::abs((before.x - mean.x) * (point.y - before.y) - (before.x - point.x) * (mean.y - before.y));
      if (twice_the_area > largest) {
        largest = twice_the_area;
        best = i;
      }
    }
    picked.push_back(values[best]);
    before = points[values[best]];
  }
  picked.push_back(values.back());
}

template <class CascorWhenUsed>
auto Downsampling<CascorWhenUsed>::pick_gaps(Points points, std::size_t most) -> Picked {
  struct Gap {
    std::size_t shown;
    std::size_t length;
  };
  detail::Dependent<std::vector<Gap>, CascorWhenUsed> gaps;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::isfinite(points[i].y)) continue;
    const std::size_t begin = i;
    while (i + 1 < points.size() && !std::isfinite(points[i + 1].y)) ++i;
    const bool at_an_end = begin == 0 || i + 1 == points.size();  // shown by the end itself
    if (!at_an_end) gaps.push_back({begin, i + 1 - begin});
  }
  if (gaps.size() > most) {
    std::stable_sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) { return a.length > b.length; });
    gaps.resize(most);
  }
  Picked shown;
  for (const Gap& gap : gaps) shown.push_back(gap.shown);
  return shown;
}

#if defined(CASCOR_CACHE_COMPILED)
template struct Downsampling<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI
