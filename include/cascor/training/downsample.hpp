// Fewer points with the same shape: Largest-Triangle-Three-Buckets (Steinarsson, "Downsampling Time Series for Visual
// Representation", University of Iceland, 2013).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Which points of a curve to keep. No state, no I/O; safe from any thread.
template <class CascorWhenUsed = void>
struct Downsampling {
  struct Point {
    double x = 0;
    double y = 0;  ///< NaN or infinite: no value here, a gap in the curve
  };
  using Points = detail::Dependent<std::span<const Point>, CascorWhenUsed>;
  using Picked = detail::Dependent<std::vector<std::size_t>, CascorWhenUsed>;

  /// The indexes, ascending, of the `count` points that keep the shape best, `points` being in the order of x: all of
  /// them where there are no more, else exactly `count`. The first and the last are always among them (of one: the
  /// first). The rest is picked bucket by bucket: of each the point that makes the largest triangle with the one picked
  /// before it and with the mean of the next bucket, the first of equals.
  ///
  /// A gap, one or more points in a row without a value, stays visible: its first point is kept, or its last where the
  /// curve ends in it. Gaps take half of the points between the ends at most, the longest first. The triangles are
  /// those of the points that have values. O(points) and as many words of memory.
  static Picked pick(Points points, std::size_t count);

 private:
  static void pick_values(Points points, const Picked& values, std::size_t count, Picked& picked);
  static Picked pick_gaps(Points points, std::size_t most);
};

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/downsample.ipp"
#endif
