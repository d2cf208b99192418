// Counters and latencies: exact counts, also from many threads, and quantiles within what is promised.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cascor/core/counters.hpp"

using cascor::Prefix;
using cascor::Stats;
using cascor::detail::Count;
using cascor::detail::Counters;
using cascor::detail::Histogram;
using namespace std::chrono_literals;

namespace {

cascor::Latency summary_of(const std::vector<double>& nanoseconds) {
  Histogram histogram;
  for (const double took : nanoseconds) histogram.add(std::chrono::nanoseconds{static_cast<std::int64_t>(took)});
  Histogram::Counts counts{};
  histogram.add_to(counts);
  return Histogram::summary(counts);
}

bool within_13_percent(double shown_us, double true_ns) {
  return std::abs(shown_us * 1000 - true_ns) <= 0.13 * true_ns;
}

}  // namespace

TEST_CASE("a single duration is told within 13 %, from 16 ns to a minute") {
  for (double took = 16; took < 60e9; took *= 1.0137) {
    const auto shown = summary_of({std::floor(took)});
    if (!within_13_percent(shown.p50_us, std::floor(took))) FAIL(took << " ns shown as " << shown.p50_us << " us");
    if (shown.p50_us != shown.p99_us || shown.p99_us != shown.p999_us) FAIL(took);
  }
}

TEST_CASE("durations outside of that are kept at the ends, never lost") {
  CHECK(summary_of({0}).p50_us < 0.02);
  CHECK(summary_of({-5}).p50_us < 0.02);
  CHECK(summary_of({15}).p50_us < 0.02);
  CHECK(summary_of({3600e9}).p50_us > 50e6);
  CHECK(summary_of({9e18}).p50_us > 50e6);
}

TEST_CASE("nothing measured is zero") {
  const auto shown = summary_of({});
  CHECK(shown.p50_us == 0);
  CHECK(shown.p99_us == 0);
  CHECK(shown.p999_us == 0);
}

TEST_CASE("quantiles of many durations are within 13 % of the exact ones") {
  std::mt19937 random{42};
  const auto check = [](std::vector<double> took) {
    const auto shown = summary_of(took);
    std::sort(took.begin(), took.end());
    const auto exact = [&took](double quantile) {
      return std::floor(took[static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(took.size()))) - 1]);
    };
    CAPTURE(exact(0.5), exact(0.99), exact(0.999));
    CHECK(within_13_percent(shown.p50_us, exact(0.50)));
    CHECK(within_13_percent(shown.p99_us, exact(0.99)));
    CHECK(within_13_percent(shown.p999_us, exact(0.999)));
  };
  std::vector<double> took(20'000);
  std::lognormal_distribution<double> skewed{11, 1.5};
  for (double& one : took) one = 16 + skewed(random);
  check(took);
  std::uniform_real_distribution<double> even{50, 5'000};
  for (double& one : took) one = even(random);
  check(took);
  for (std::size_t i = 0; i < took.size(); ++i) took[i] = i % 100 == 0 ? 1e6 : 100;  // one in 100 is slow
  check(took);
}

TEST_CASE("counts stand by prefix and as a whole, and every prefix is there from the start") {
  Counters counters;
  Stats stats = counters.summary();
  CHECK(stats.prefixes.size() == 6);
  for (const char* name : {"metrics", "topology", "session", "history", "control", "other"}) {
    REQUIRE(stats.prefixes.count(name) == 1);
    CHECK(stats.prefixes.at(name).hits == 0);
    CHECK(stats.prefixes.at(name).hit_rate == 0);
  }
  counters.add(Prefix::metrics, Count::hit, 3);
  counters.add(Prefix::metrics, Count::miss);
  counters.add(Prefix::metrics, Count::stale);
  counters.add(Prefix::metrics, Count::read_error);
  counters.add(Prefix::metrics, Count::write_error, 2);
  counters.add(Prefix::topology, Count::hit);
  counters.add(Prefix::other, Count::set, 7);
  stats = counters.summary();

  const auto& metrics = stats.prefixes.at("metrics");
  CHECK(metrics.hits == 3);
  CHECK(metrics.misses == 1);
  CHECK(metrics.stale == 1);
  CHECK(metrics.errors == 3);
  CHECK(metrics.sets == 0);
  CHECK(metrics.hit_rate == Approx(3.0 / 6));  // a write that failed is no read
  CHECK(stats.prefixes.at("topology").hit_rate == 1);
  CHECK(stats.prefixes.at("other").sets == 7);
  CHECK(stats.hits == 4);
  CHECK(stats.misses == 1);
  CHECK(stats.errors == 3);
  CHECK(stats.sets == 7);
  CHECK(stats.hit_rate == Approx(4.0 / 7));
}

TEST_CASE("latencies stand by prefix, gets apart from sets, and the whole has them all") {
  Counters counters;
  counters.took_get(Prefix::metrics, 1us);
  counters.took_get(Prefix::topology, 1ms);
  counters.took_set(Prefix::metrics, 20us);
  const Stats stats = counters.summary();
  CHECK(stats.prefixes.at("metrics").get.p99_us == Approx(1).epsilon(0.13));
  CHECK(stats.prefixes.at("metrics").set.p99_us == Approx(20).epsilon(0.13));
  CHECK(stats.prefixes.at("topology").get.p50_us == Approx(1000).epsilon(0.13));
  CHECK(stats.prefixes.at("session").get.p50_us == 0);
  CHECK(stats.get.p50_us == Approx(1).epsilon(0.13));
  CHECK(stats.get.p99_us == Approx(1000).epsilon(0.13));
}

TEST_CASE("a latency counted more often than 32 bits can tell keeps its place") {
  // What a histogram hands out is summed in 64 bits; so must it be counted.
  Histogram::Counts counts{};
  counts[10] = std::uint64_t{1} << 33;
  counts[100] = 1;
  const auto shown = Histogram::summary(counts);
  CHECK(shown.p999_us < 1);
  CHECK(sizeof(Histogram) >= 256 * sizeof(std::uint64_t));
}

TEST_CASE("no count is lost between many threads, and a reader meanwhile sees none go back") {
  Counters counters;
  constexpr std::uint64_t each = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&counters] {
      for (std::uint64_t i = 0; i < each; ++i) {
        counters.add(Prefix::metrics, Count::hit);
        counters.took_get(Prefix::metrics, 100ns);
      }
    });
  }
  std::uint64_t last = 0;
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t hits = counters.summary().hits;
    REQUIRE(hits >= last);
    last = hits;
  }
  for (auto& thread : threads) thread.join();
  CHECK(counters.summary().prefixes.at("metrics").hits == 12 * each);
  CHECK(counters.summary().hits == 12 * each);
}
