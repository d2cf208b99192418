// One row of the benchmark: what is measured, in which unit, and what stands beside it.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tool::bench {

enum class Unit : unsigned char { per_second, seconds, share };

constexpr std::string_view to_string(Unit unit) noexcept {
  switch (unit) {
    case Unit::per_second: return "per_second";
    case Unit::seconds: return "seconds";
    case Unit::share: break;
  }
  return "share";
}

/// One figure a round.
class Series {
 public:
  void add(double figure) { figures_.push_back(figure); }
  bool empty() const noexcept { return figures_.empty(); }
  /// Of those there are; 0 where there is none.
  double median() const {
    if (figures_.empty()) return 0;
    auto sorted = figures_;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t half = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
  double least() const { return empty() ? 0 : *std::min_element(figures_.begin(), figures_.end()); }
  double most() const { return empty() ? 0 : *std::max_element(figures_.begin(), figures_.end()); }

 private:
  std::vector<double> figures_;
};

/// "1.2 M/s", "34 us", "80.1 %".
inline std::string shown(double figure, Unit unit) {
  const auto with = [](double scaled, const char* name) {
    std::array<char, 64> text{};
    const char* const form = scaled < 10 ? "%.2f %s" : scaled < 100 ? "%.1f %s" : "%.0f %s";
    (void)std::snprintf(text.data(), text.size(), form, scaled, name);
    return std::string{text.data()};
  };
  if (unit == Unit::share) return with(figure * 100, "%");
  if (unit == Unit::per_second) {
    return figure >= 1e6 ? with(figure / 1e6, "M/s") : figure >= 1e3 ? with(figure / 1e3, "k/s") : with(figure, "/s");
  }
  return figure >= 1      ? with(figure, "s")
         : figure >= 1e-3 ? with(figure * 1e3, "ms")
         : figure >= 1e-6 ? with(figure * 1e6, "us")
                          : with(figure * 1e9, "ns");
}

/// Measured once a round, all rows in turn, so that what disturbs a moment falls on one round of each.
struct Row {
  std::string what;
  Unit unit = Unit::per_second;
  std::function<double()> measure;
  std::string beside_what{};  ///< "redis-benchmark -c 1"; empty: nothing stands beside it
  std::function<double()> beside{};
  Series figures{};
  Series beside_figures{};
};

using Watch = std::chrono::steady_clock;

inline double seconds_since(Watch::time_point began) {
  return std::chrono::duration<double>(Watch::now() - began).count();
}

/// Calls a second of `call(i)`, i from 0, for about so long; looks at the clock once in `each` calls.
template <class Call>
double rate_of(std::chrono::milliseconds time, std::size_t each, const Call& call) {
  const auto began = Watch::now();
  const double enough = std::chrono::duration<double>(time).count();
  std::size_t done = 0;
  double took = 0;
  do {
    for (std::size_t i = 0; i < each; ++i) call(done++);
    took = seconds_since(began);
  } while (took < enough);
  return static_cast<double>(done) / took;
}

/// The same by many threads at once: `call(thread, i)`. Throws the first exception that one of them met.
double rate_of_threads(std::size_t threads, std::chrono::milliseconds time,
                       const std::function<void(std::size_t, std::size_t)>& call);

/// Keeps a result from being thought away.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace tool::bench
