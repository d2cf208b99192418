#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include "cascor/core/counters.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

CASCOR_CACHE_DEF std::size_t Histogram::bucket(std::uint64_t nanoseconds) noexcept {
  if (nanoseconds < 16) return 0;
  // The octave is the position of the highest bit; the three bits below it are the eighth.
  const auto octave = static_cast<std::size_t>(std::bit_width(nanoseconds)) - 5;
  const auto eighth = static_cast<std::size_t>((nanoseconds >> (octave + 1)) & 7U);
  return std::min<std::size_t>(octave * 8 + eighth, 255);
}

CASCOR_CACHE_DEF double Histogram::middle_us(std::size_t bucket) noexcept {
  const double low = std::ldexp(16.0 * (1.0 + static_cast<double>(bucket % 8) / 8.0), static_cast<int>(bucket / 8));
  return low * (1.0 + 1.0 / 32) / 1000.0;
}

CASCOR_CACHE_DEF double Histogram::quantile_us(const Counts& counts, std::uint64_t total, double quantile) noexcept {
  const auto rank = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    seen += counts[i];
    if (seen >= rank) return middle_us(i);
  }
  return middle_us(counts.size() - 1);
}

CASCOR_CACHE_DEF Latency Histogram::summary(const Counts& counts) noexcept {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) total += count;
  if (total == 0) return {};
  return {quantile_us(counts, total, 0.50), quantile_us(counts, total, 0.99), quantile_us(counts, total, 0.999)};
}

CASCOR_CACHE_DEF BasicStats<CascorWhenUsed> Counters::summary() const {
  BasicStats<CascorWhenUsed> all;
  Histogram::Counts all_get{};
  Histogram::Counts all_set{};
  std::uint64_t all_reads = 0;
  for (std::size_t p = 0; p < prefix_count; ++p) {
    std::array<std::uint64_t, count_kinds> counts{};
    for (const auto& stripe : stripes_) {
      for (std::size_t i = 0; i < count_kinds; ++i) counts[i] += stripe.counts[p][i].load(std::memory_order_relaxed);
    }
    const auto of = [&counts](Count what) { return counts[static_cast<std::size_t>(what)]; };
    PrefixStats one;
    one.hits = of(Count::hit);
    one.redis_hits = std::min(of(Count::redis_hit), one.hits);  // counted one after the other
    one.memory_hits = one.hits - one.redis_hits;
    one.misses = of(Count::miss);
    one.stale = of(Count::stale);
    one.errors = of(Count::read_error) + of(Count::write_error);
    one.sets = of(Count::set);
    const std::uint64_t reads = one.hits + one.misses + one.stale + of(Count::read_error);
    one.hit_rate = reads == 0 ? 0 : static_cast<double>(one.hits) / static_cast<double>(reads);
    Histogram::Counts get{};
    Histogram::Counts set{};
    get_[p].add_to(get);
    set_[p].add_to(set);
    one.get = Histogram::summary(get);
    one.set = Histogram::summary(set);
    for (std::size_t i = 0; i < get.size(); ++i) {
      all_get[i] += get[i];
      all_set[i] += set[i];
    }
    all.hits += one.hits;
    all.redis_hits += one.redis_hits;
    all.memory_hits += one.memory_hits;
    all.misses += one.misses;
    all.stale += one.stale;
    all.errors += one.errors;
    all.sets += one.sets;
    all_reads += reads;
    all.prefixes.emplace(to_string(static_cast<Prefix>(p)), one);
  }
  all.hit_rate = all_reads == 0 ? 0 : static_cast<double>(all.hits) / static_cast<double>(all_reads);
  all.get = Histogram::summary(all_get);
  all.set = Histogram::summary(all_set);
  return all;
}

}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI
