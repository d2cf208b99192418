// Two sides measured in turn, round by round: medians, spreads, ratios within a round, and the rows that show them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}
template <class Work>
double seconds_of(Work&& work) {
  const auto start = Clock::now();
  work();
  return seconds_since(start);
}

/// One figure a round.
class Series {
 public:
  void add(double figure) { figures_.push_back(figure); }
  std::size_t size() const { return figures_.size(); }
  double operator[](std::size_t round) const { return figures_[round]; }
  double median() const {
    auto sorted = figures_;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t half = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
  double least() const { return *std::min_element(figures_.begin(), figures_.end()); }
  double most() const { return *std::max_element(figures_.begin(), figures_.end()); }

 private:
  std::vector<double> figures_;
};

/// Ours over theirs, round by round.
inline Series ratio(const Series& ours, const Series& theirs) {
  Series ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.add(ours[i] / theirs[i]);
  return ratios;
}

/// What the two sides reach, round by round.
struct Sides {
  Series ours;
  Series theirs;
};

/// Measures the sides in turn, several short turns a round, each beginning with the other one: what drifts or disturbs
/// within a round falls on both. `ours()` and `theirs()` measure a turn and give its figure.
template <class Ours, class Theirs>
Sides in_turn(int rounds, int turns, const Ours& ours, const Theirs& theirs) {
  Sides sides;
  for (int round = 0; round < rounds; ++round) {
    double us = 0;
    double them = 0;
    for (int turn = 0; turn < turns; ++turn) {
      if (turn % 2 == 0) us += ours();
      them += theirs();
      if (turn % 2 == 1) us += ours();
    }
    sides.ours.add(us / turns);
    sides.theirs.add(them / turns);
  }
  return sides;
}

/// Nanoseconds in 64 steps an octave: quantiles to within two hundredths.
class Histogram {
 public:
  void record(std::uint64_t nanoseconds) { ++counts_[index(nanoseconds)]; }
  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  }
  double quantile(double share) const {
    std::uint64_t all = 0;
    for (const auto count : counts_) all += count;
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(all));
    std::uint64_t seen = 0;
    std::size_t at = 0;
    while (at + 1 < counts_.size() && (seen += counts_[at]) <= wanted) ++at;
    return static_cast<double>(value(at));
  }

 private:
  static std::size_t index(std::uint64_t value) {
    if (value < 64) return static_cast<std::size_t>(value);
    const auto octave = static_cast<unsigned>(std::bit_width(value)) - 6;
    return octave * std::size_t{64} + static_cast<std::size_t>((value >> (octave - 1)) & 63);
  }
  static std::uint64_t value(std::size_t index) { return index < 64 ? index : (64 + index % 64) << (index / 64 - 1); }
  std::array<std::uint64_t, 60 * std::size_t{64}> counts_{};
};

enum class Unit { per_second, seconds, instructions };

inline std::string shown(double figure, Unit unit) {
  const auto with = [](double scaled, const char* name) {
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(), text.size(),
                        scaled < 10    ? "%.2f%s"
                        : scaled < 100 ? "%.1f%s"
                                       : "%.0f%s",
                        scaled, name);
    return std::string{text.data()};
  };
  if (unit == Unit::instructions) return with(figure, "");
  if (unit == Unit::per_second) {
    return figure >= 1e6 ? with(figure / 1e6, " M/s") : figure >= 1e3 ? with(figure / 1e3, " k/s") : with(figure, "/s");
  }
  return figure >= 1 ? with(figure, " s") : figure >= 1e-3 ? with(figure * 1e3, " ms") : with(figure * 1e6, " us");
}

/// The bound of a ratio: at least so much of a rate, at most so much of a cost.
struct Bound {
  bool at_least;
  double ratio;
  bool holds_for(double value) const { return at_least ? value >= ratio : value <= ratio; }
};
constexpr Bound at_least(double ratio) { return {true, ratio}; }
constexpr Bound at_most(double ratio) { return {false, ratio}; }

/// Prints the table's head: the two sides by their names, and how it was measured.
inline void print_head(const char* how, const char* ours, const char* theirs) {
  std::printf("\n%s\n\n| what | %s | %s | ratio: median (least to most) | must reach | |\n", how, ours, theirs);
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
}

/// Prints a row, and says whether the median of the ratios is within the bound.
inline bool print_row(const std::string& what, const Sides& sides, Unit unit, Bound bound) {
  const auto& [ours, theirs] = sides;
  const Series ratios = ratio(ours, theirs);
  const bool reached = bound.holds_for(ratios.median());
  std::printf("| %s | %s | %s | %.3f (%.3f to %.3f) | %s %.2f | %s |\n", what.c_str(),
              shown(ours.median(), unit).c_str(), shown(theirs.median(), unit).c_str(), ratios.median(), ratios.least(),
              ratios.most(), bound.at_least ? "at least" : "at most", bound.ratio, reached ? "reached" : "not yet");
  (void)std::fflush(stdout);
  return reached;
}

}  // namespace bench
