// What max_memory_mb bounds: growth of resident memory against the limit, filled ten times over with JSON values of
// 100 B to 100 KB. Each figure is taken in a process of its own, so that no heap is warm.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/codec/json.hpp"
#include "cascor/memory_cache.hpp"
#include "support/paired.hpp"

namespace {

using cascor::json;

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream{"/proc/self/statm"} >> pages >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Of about `bytes`: a long text, numbers, a list of units, or weights by name.
json value_of(std::size_t kind, std::size_t bytes) {
  json value{{"epoch", 5}, {"train_loss", 0.25}, {"phase", "output"}};
  if (kind == 0) value["log"] = std::string(bytes, 'x');
  for (std::size_t i = 0; kind == 1 && i < bytes / 24; ++i) value["losses"].push_back(0.5);
  for (std::size_t i = 0; kind == 2 && i < bytes / 600; ++i) {
    value["units"].push_back({{"id", i}, {"type", "hidden"}, {"layer", 2}, {"bias", 0.25}});
  }
  for (std::size_t i = 0; kind == 3 && i < bytes / 160; ++i) {
    value["weights"]["weight of the connection " + std::to_string(i)] = 0.5;
  }
  return value;
}

void fill(std::size_t writers, std::size_t limit) {
  std::vector<json> values;  // copied from, so that making them takes no part in it
  std::mt19937 random{1};
  std::uniform_real_distribution<double> order_of_magnitude{2, 5};
  for (std::size_t i = 0; i < 200; ++i) {
    values.push_back(value_of(i % 4, static_cast<std::size_t>(std::pow(10, order_of_magnitude(random)))));
  }
  const std::size_t before = resident_bytes();
  cascor::MemoryCache<json> cache{{.max_bytes = limit, .give_back_pages = true}};
  std::atomic<std::size_t> stored{0};
  std::atomic<std::size_t> most{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < writers; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 own{static_cast<std::uint32_t>(t)};
      for (std::size_t i = 0; stored < 10 * limit; ++i) {
        json value = values[own() % values.size()];
        stored += cascor::weight_of(value);
        cache.set(std::to_string(t) + ":" + std::to_string(i), std::move(value));
        if (i % 64 == 0 && resident_bytes() - before > most) most = resident_bytes() - before;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto of_limit = [limit](std::size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(limit); };
  std::printf("| %zu | %zu | %.3f | %.3f | %.3f |\n", limit >> 20U, writers, of_limit(cache.bytes()),
              of_limit(resident_bytes() - before), of_limit(most));
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  const auto rounds = static_cast<std::size_t>(paired::argument(count, arguments, "--rounds", 5));
  std::printf("%s\n\n| limit, MiB | writers | charged | resident at the end | at its most |\n|---|---|---|---|---|\n",
              paired::machine().c_str());
  for (const std::size_t writers : {1U, 8U}) {
    for (std::size_t round = 0; round < rounds; ++round) {
      std::fflush(stdout);
      const pid_t child = fork();
      if (child == 0) {
        fill(writers, std::size_t{64} << 20U);
        std::_Exit(0);
      }
      int status = 0;
      if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
    }
  }
}
