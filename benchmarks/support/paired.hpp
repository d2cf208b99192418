// Measures that mean something on a shared machine: the sides of a comparison take turns in one process, and what
// counts is the median of the ratios of one round.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace paired {

using SteadyClock = std::chrono::steady_clock;

inline double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// The number behind `name` on the command line.
inline double argument(int count, char** arguments, std::string_view name, double otherwise) {
  for (int i = 1; i + 1 < count; ++i) {
    if (arguments[i] == name) return std::atof(arguments[i + 1]);
  }
  return otherwise;
}

struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
inline Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {(values[(n - 1) / 2] + values[n / 2]) / 2, values.front(), values.back()};
}

/// "2 x AMD EPYC, load 0.41": what the figures were taken on.
inline std::string machine() {
  std::string name = "unknown processor";
  std::ifstream processors{"/proc/cpuinfo"};
  for (std::string line; std::getline(processors, line);) {
    if (line.starts_with("model name")) {
      name = line.substr(line.find(':') + 2);
      break;
    }
  }
  std::string load;
  std::ifstream{"/proc/loadavg"} >> load;
  return std::to_string(std::thread::hardware_concurrency()) + " x " + name + ", load " + load;
}

/// Seconds that the calling thread was on a processor.
inline double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Runs work(thread, stop) on so many threads at once for so long; each returns how much it did. The sum, a second: of
/// the clock for several threads; of its time on a processor for a single one, which others then disturb less.
template <class Work>
double rate_of_threads(std::size_t count, double seconds, Work work) {
  struct alignas(64) Done {
    std::uint64_t count = 0;
    double seconds = 0;
  };
  std::vector<Done> done(count);
  std::atomic<bool> go{false};
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> ready{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      ++ready;
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      const double began = thread_seconds();
      done[i].count = work(i, stop);
      done[i].seconds = thread_seconds() - began;
    });
  }
  while (ready < count) std::this_thread::yield();
  const auto start = SteadyClock::now();
  go.store(true, std::memory_order_release);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& thread : threads) thread.join();
  const double took = seconds_since(start);
  double sum = 0;
  for (const Done& one : done) sum += static_cast<double>(one.count);
  return sum / (count == 1 ? done[0].seconds : took);
}

/// One side of a comparison: what it measures, the more the better.
struct Side {
  std::string name;
  std::function<double()> measure;
};

/// Takes the sides in turn, starting with another one each round, and prints a table: each side's median, and the
/// median and the spread of its ratio to each of the last `peers` sides.
inline void compare(const std::string& title, const std::string& unit, double scale, const std::vector<Side>& sides,
                    std::size_t peers, std::size_t rounds) {
  std::vector<std::vector<double>> figures(sides.size());
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < sides.size(); ++i) {
      const std::size_t side = (i + round) % sides.size();
      figures[side].push_back(sides[side].measure());
    }
  }
  std::printf("\n### %s\n\n%zu rounds, %s\n\n| side | %s |", title.c_str(), rounds, machine().c_str(), unit.c_str());
  const std::size_t first_peer = sides.size() - peers;
  for (std::size_t p = first_peer; p < sides.size(); ++p) std::printf(" ratio to %s |", sides[p].name.c_str());
  std::printf("\n|---|---|");
  for (std::size_t p = 0; p < peers; ++p) std::printf("---|");
  std::printf("\n");
  for (std::size_t i = 0; i < sides.size(); ++i) {
    std::printf("| %s | %.3g |", sides[i].name.c_str(), spread_of(figures[i]).median / scale);
    for (std::size_t p = first_peer; p < sides.size(); ++p) {
      std::vector<double> ratios;
      for (std::size_t round = 0; round < rounds; ++round) ratios.push_back(figures[i][round] / figures[p][round]);
      const Spread ratio = spread_of(std::move(ratios));
      std::printf(" %.2f (%.2f to %.2f) |", ratio.median, ratio.least, ratio.most);
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

}  // namespace paired
