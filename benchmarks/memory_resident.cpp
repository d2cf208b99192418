// What max_memory_mb bounds: growth of resident memory against the limit, filled ten times over with JSON values of
// 100 B to 100 KB; and what an entry takes. Each figure is taken in a process of its own, so that no heap is warm.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/codec/json.hpp"
#include "cascor/memory_cache.hpp"
#include "resident_support.hpp"
#include "support/keys.hpp"
#include "support/paired.hpp"

namespace {

using cascor::json;

void fill(std::size_t writers, std::size_t limit) {
  const std::vector<json> values = training_values();
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

// What an entry takes beyond its key and value: a million of 16 B and 100 B.
void weigh(cascor::Eviction eviction, bool with_ttl) {
  constexpr std::uint32_t entries = 1'000'000;
  const std::string value(100, 'v');
  cascor::MemoryCache<std::string> cache{{.max_bytes = std::size_t{1} << 30U, .eviction = eviction}};
  const std::size_t before = resident_bytes();
  for (std::uint32_t i = 0; i < entries; ++i) {
    cache.set(keys::Key{i}, std::string{value}, with_ttl ? cascor::Ttl{std::chrono::hours{1}} : cascor::Ttl{});
  }
  const double each = static_cast<double>(resident_bytes() - before) / entries;
  const double charged = static_cast<double>(cache.bytes()) / entries;
  const double payload = 16 + static_cast<double>(cascor::weight_of(value));
  std::printf("| %s | %s | %.1f | %.1f |\n", std::string{to_string(eviction)}.c_str(), with_ttl ? "an hour" : "none",
              each - payload, charged - payload);
  std::fflush(stdout);
}

template <class Work>
bool in_a_process_of_its_own(Work work) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    work();
    std::_Exit(0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

int main(int count, char** arguments) {
  const auto rounds = static_cast<std::size_t>(paired::argument(count, arguments, "--rounds", 5));
  std::printf("%s\n\n| limit, MiB | writers | charged | resident at the end | at its most |\n|---|---|---|---|---|\n",
              paired::machine().c_str());
  for (const std::size_t writers : {1U, 8U}) {
    for (std::size_t round = 0; round < rounds; ++round) {
      if (!in_a_process_of_its_own([&] { fill(writers, std::size_t{64} << 20U); })) return 1;
    }
  }
  std::printf("\n| policy | TTL | bytes an entry beyond key and value, resident | charged |\n|---|---|---|---|\n");
  for (const auto eviction : {cascor::Eviction::s3fifo, cascor::Eviction::lru}) {
    for (const bool with_ttl : {false, true}) {
      if (!in_a_process_of_its_own([&] { weigh(eviction, with_ttl); })) return 1;
    }
  }
}
