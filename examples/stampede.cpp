// What get_or_compute spares: 64 threads that want one expensive value at once, and a dashboard whose value expires as
// often as it asks. Without --config in memory; with it, on whatever the configuration says.
//
// Exit code: 0, or 2 for bad options or a bad configuration.
#include <algorithm>
#include <atomic>
#include <cascor/cache.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "arguments.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* usage = R"(Usage: stampede [--config FILE]
  --config FILE  configuration; without it the memory cache
)";

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The database, where a question takes 50 ms.
class Database {
 public:
  int answer() {
    ++asked_;
    std::this_thread::sleep_for(50ms);
    return 42;
  }
  int take_asked() { return asked_.exchange(0); }

 private:
  std::atomic<int> asked_{0};
};

template <class Ask>
void in_64_threads(const char* how, Database& database, const Ask& ask) {
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 64; ++i) threads.emplace_back(ask);
  for (auto& thread : threads) thread.join();
  std::printf("  %-28s %2d questions to the database, %4.0f ms until all 64 have the value\n", how,
              database.take_asked(), milliseconds_since(start));
}

// Asks ten times a second for a value with a TTL of a tenth: how often does whoever looks at it wait?
void watch(const char* how, cascor::CacheManager& cache, Database& database, const cascor::ComputeOptions& options) {
  constexpr int looks = 30;
  int waited = 0;
  int stale = 0;
  double longest = 0;
  for (int i = 0; i < looks; ++i) {
    const auto start = Clock::now();
    const auto value = cache.get_or_compute(
        "metrics:dashboard", [&database] { return database.answer(); }, options);
    const double took = milliseconds_since(start);
    if (took > 40) ++waited;
    if (value.status() == cascor::CacheStatus::stale) ++stale;
    if (i > 0) longest = std::max(longest, took);
    std::this_thread::sleep_until(start + 100ms);
  }
  std::printf("  %-32s waited at %2d of %d looks, was shown a stale value at %2d; after the first at most %.1f ms\n",
              how, waited, looks, stale, longest);
  cache.erase("metrics:dashboard");
}

void run(const std::optional<std::string>& file) {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  if (file) config = cascor::CacheConfig::load(*file);
  Database database;  // outlives the cache, which asks it in the background
  cascor::CacheManager cache{config};
  cache.invalidate_cache("example:*");

  std::printf("64 threads want a value at once that is not there:\n");
  in_64_threads("get, else ask and set", database, [&] {
    if (!cache.get<int>("example:a")) cache.set("example:a", database.answer());
  });
  in_64_threads("get_or_compute", database,
                [&] { (void)cache.get_or_compute("example:b", [&] { return database.answer(); }); });

  std::printf("A dashboard looks every 100 ms at a value with a TTL of 100 ms, the last one of 200 ms:\n");
  watch("without more", cache, database, {.ttl = 100ms});
  watch("stale_for, stale_after", cache, database, {.ttl = 100ms, .stale_for = 10s, .stale_after = 0ms});
  watch("and refresh_ahead", cache, database,
        {.ttl = 200ms, .stale_for = 10s, .refresh_ahead = 0.75, .stale_after = 0ms, .jitter = 0});

  const auto stats = cache.stats();
  std::printf("stats: %llu loads, %llu waits, %llu coalesced, %llu refreshes, %llu stale\n",
              static_cast<unsigned long long>(stats.compute.loads),
              static_cast<unsigned long long>(stats.compute.waits),
              static_cast<unsigned long long>(stats.compute.coalesced),
              static_cast<unsigned long long>(stats.compute.refreshes), static_cast<unsigned long long>(stats.stale));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    examples::Arguments arguments{argc, argv};
    const bool help = arguments.flag("--help");
    const auto file = arguments.text("--config");
    arguments.end();
    help ? void(std::fputs(usage, stdout)) : run(file);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n%s", error.what(), usage);
    return 2;
  }
}
