// A run of a million records, in a journal and in Redis: what appending, finding and downsampling take, and how much
// memory. Finding is held against a run of ten thousand: it must not grow with what is not asked for.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/redis_server.hpp"
#include "support/rounds.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int million = 1'000'000;
constexpr int small = 10'000;
constexpr int a_call = 1'000;
constexpr int rounds = 9;
constexpr double most_resident_mib = 128;

void expect(bool so, const char* what) {
  if (so) return;
  (void)std::fprintf(stderr, "the benchmark cannot go on: %s\n", what);
  std::exit(1);
}

// The most that there ever was.
double resident_mib() {
  rusage usage{};
  (void)::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

cascor::json record_of(int epoch) {
  return {{"epoch", epoch},
          {"metrics", {{"loss", 1.0 / (1 + epoch % 1000)}, {"accuracy", 0.5}, {"val_loss", 0.75}}},
          {"phase", "output_training"}};
}

// Records a second.
double append(cascor::CacheManager& cache, const char* name, int count) {
  auto run = cache.history(name);
  double seconds = 0;
  for (int epoch = 0; epoch < count;) {
    std::vector<cascor::json> records;
    for (int i = 0; i < a_call; ++i) records.push_back(record_of(epoch++));
    seconds += bench::seconds_of([&] { expect(bool{run.append_many(records)}, "records are appended"); });
  }
  return count / seconds;
}

// Calls a second of one record each, each waited for.
double append_one_by_one(cascor::CacheManager& cache, const char* name) {
  auto run = cache.history(name);
  const cascor::json record = record_of(0);
  constexpr int calls = 500;
  return calls / bench::seconds_of([&] {
           for (int i = 0; i < calls; ++i) expect(bool{run.append(record)}, "a record is appended");
         });
}

void row(const char* where, const char* what, const std::string& figure) {
  std::printf("| %s | %s | %s |\n", where, what, figure.c_str());
  (void)std::fflush(stdout);
}

bool measure(const char* where, cascor::CacheManager& cache) {
  using bench::shown;
  using bench::Unit;
  row(where, "append, 1,000 a call", shown(append(cache, "large", million), Unit::per_second));
  (void)append(cache, "small", small);
  row(where, "append, one a call", shown(append_one_by_one(cache, "single"), Unit::per_second));
  auto large = cache.history("large");
  auto few = cache.history("small");
  const auto found = bench::in_turn(
      rounds, 2,
      [&] { return bench::seconds_of([&] { expect(large.range(500'000, 500'099).size() == 100, "100 are found"); }); },
      [&] { return bench::seconds_of([&] { expect(few.range(5'000, 5'099).size() == 100, "100 are found"); }); });
  row(where, "range of 100 epochs of a million", shown(found.ours.median(), Unit::seconds));
  row(where, "last(100)", shown(bench::seconds_of([&] { (void)large.last(100); }), Unit::seconds));
  const double before = resident_mib();
  const double took =
      bench::seconds_of([&] { expect(large.downsample(1'000, "loss").size() == 1'000, "1,000 points are kept"); });
  row(where, "downsample(1,000) of a million", shown(took, Unit::seconds));
  const double mib = resident_mib() - before;
  row(where, "memory for that", std::to_string(static_cast<int>(mib)) + " MiB");
  const double growth = bench::ratio(found.ours, found.theirs).median();
  const bool flat = growth <= 3;
  row(where, "range, a million against ten thousand (at most 3 times)",
      std::to_string(growth).substr(0, 4) + (flat ? ", reached" : ", not yet"));
  return flat && mib <= most_resident_mib;
}

}  // namespace

int main() {
  std::printf("\nA run of a million records of 110 B; history.fsync: always.\n\n| where | what | figure |\n");
  std::printf("| --- | --- | --- |\n");
  const support::TemporaryFolder folder;
  cascor::CacheConfig config;
  config.history.directory = folder.path();
  config.connection_pool.timeout = 60s;
  config.log_sink = [](cascor::LogLevel, std::string_view) {};
  config.type = cascor::CacheType::memory;
  bool reached = true;
  {
    cascor::CacheManager cache{config};
    reached &= measure("journal", cache);
  }
  {
    cascor::CacheManager again{config};
    const double took = bench::seconds_of([&] { expect(again.history("large").size() == million, "all are there"); });
    row("journal", "opening a million", bench::shown(took, bench::Unit::seconds));
  }
  const support::RedisServer server;
  config.type = cascor::CacheType::redis;
  config.redis_url = server.url();
  cascor::CacheManager cache{config};
  reached &= measure("Redis", cache);
  return reached ? 0 : 3;
}
