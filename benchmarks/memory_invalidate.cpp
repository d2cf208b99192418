// invalidate_cache() of a prefix and of everything, in memory: its time against the number of entries that it removes
// and that it keeps.
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cascor/memory/memory_backend.hpp"
#include "support/paired.hpp"

namespace {

using namespace cascor::detail;

using Backend = MemoryBackend<>;

std::unique_ptr<Backend> filled(std::size_t entries, std::size_t removed) {
  const auto keys = std::make_shared<const cascor::KeySpace>(
      "cascor:", std::array<std::string, 5>{
                     "cascor:metrics:", "cascor:topology:", "cascor:session:", "cascor:history:", "cascor:control:"});
  cascor::MemoryCacheOptions options;
  options.max_bytes = std::size_t{2} << 30U;
  auto backend = std::make_unique<Backend>(options, MemoryObserver<>{std::make_shared<MemoryCounts<>>(keys)});
  const auto value = std::make_shared<const std::string>(100, 'v');
  for (std::size_t i = 0; i < entries; ++i) {
    // Of several prefixes in turn, so that nothing lies in memory by prefix.
    const bool goes = i % (entries / removed) == 0;
    backend->set((goes ? "cascor:metrics:" : "cascor:history:") + std::to_string(i), StoredValue{value});
  }
  return backend;
}

struct Times {
  std::vector<double> call;
  std::vector<double> rest;
};
// Of one invalidation: the call, and giving back what memory it has left to later operations.
Times times_of(std::size_t rounds, std::size_t entries, std::size_t removed, const char* pattern) {
  Times times;
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto backend = filled(entries, removed);
    const double start = paired::thread_seconds();
    const std::size_t count = backend->erase_matching(pattern);
    const double called = paired::thread_seconds();
    (void)backend->remove_expired();
    times.call.push_back((called - start) * 1e6);
    times.rest.push_back((paired::thread_seconds() - called) * 1e6);
    if (count != removed) {
      std::fprintf(stderr, "%zu removed instead of %zu\n", count, removed);
      std::exit(1);
    }
  }
  return times;
}

}  // namespace

int main(int count, char** arguments) {
  const auto rounds = static_cast<std::size_t>(paired::argument(count, arguments, "--rounds", 9));
  std::printf("\n### Invalidation of a prefix, in memory\n\n%zu rounds, %s\n\n", rounds, paired::machine().c_str());
  std::printf("| pattern | entries | removed | the call, us | memory given back later, us |\n|---|---|---|---|---|\n");
  struct Row {
    const char* pattern;
    std::size_t entries;
    std::size_t removed;
  };
  const std::vector<Row> rows{
      {"cascor:metrics:*", 1'000, 100},         {"cascor:metrics:*", 10'000, 1'000},
      {"cascor:metrics:*", 100'000, 10'000},    {"cascor:metrics:*", 1'000'000, 100'000},
      {"cascor:metrics:*", 1'000'000, 100},     {"*", 1'000'000, 1'000'000},
      {"cascor:metrics:*[0-9]", 10'000, 1'000}, {"cascor:metrics:*[0-9]", 1'000'000, 1'000},
  };
  for (const Row& row : rows) {
    const Times times = times_of(rounds, row.entries, row.removed, row.pattern);
    const auto call = paired::spread_of(times.call);
    std::printf("| `%s` | %zu | %zu | %.3g (%.3g to %.3g) | %.3g |\n", row.pattern, row.entries, row.removed,
                call.median, call.least, call.most, paired::spread_of(times.rest).median);
    std::fflush(stdout);
  }
}
