// A hit in the near cache against a hit in the memory backend, both of the same decoded JSON value through the facade:
// time, and instructions by callgrind, under which the program runs itself: KIND HITS PORT, twice for each kind.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

using cascor::CacheManager;

constexpr int rounds = 15;
constexpr int turns = 4;
constexpr int hits_a_turn = 200'000;

CacheManager near_cache(int port) {
  cascor::CacheConfig config;
  config.redis_url = "redis://127.0.0.1:" + std::to_string(port) + "/0";
  return CacheManager{config};
}
CacheManager memory_cache() {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  return CacheManager{config};
}
void fill(CacheManager& cache) {
  const cascor::json value{{"epoch", 42},     {"train_loss", 0.125},      {"val_loss", 0.25},
                           {"accuracy", 0.9}, {"phase", "output"},        {"hidden_units", 12},
                           {"running", true}, {"lr", {0.1, 0.01, 0.001}}, {"name", "two spirals, candidate pool of 8"}};
  cache.cache_metrics("latest", value, std::chrono::hours{1});
}
void await_hits(CacheManager& cache) {
  for (int i = 0; cache.get_cached_metrics().tier() != cascor::CacheTier::memory; ++i) {
    bench::expect(i < 10'000, "the value is near");
    ::usleep(1'000);
  }
}
void hit(CacheManager& cache, int hits) {
  int epochs = 0;
  for (int i = 0; i < hits; ++i) {
    const auto found = cache.get_cached_metrics();
    epochs += found.tier() == cascor::CacheTier::memory ? 1 : 0;
  }
  bench::expect(epochs == hits, "each of them is a hit in memory");
}
double time_of_a_hit(CacheManager& cache) {
  await_hits(cache);  // near it is trusted for a minute
  return bench::seconds_of([&] { hit(cache, hits_a_turn); }) / hits_a_turn;
}

// What valgrind says it has counted.
double instructions(const std::string& kind, int hits, int port) {
  const std::string self = "/proc/" + std::to_string(::getpid()) + "/exe";
  const std::string command =
      "valgrind --tool=callgrind --toggle-collect='*count_hits*' "
      "--callgrind-out-file=/dev/null \"$(readlink " +
      self + ")\" " + kind + ' ' + std::to_string(hits) + ' ' + std::to_string(port) + " 2>&1";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output{::popen(command.c_str(), "r"), &::pclose};
  bench::expect(output != nullptr, "a shell starts");
  std::string all;
  std::array<char, 4096> piece{};
  while (std::fgets(piece.data(), piece.size(), output.get()) != nullptr) all += piece.data();
  const std::size_t at = all.find("Collected : ");
  if (at == std::string::npos) bench::give_up(("valgrind counts: " + all).c_str());
  return std::strtod(all.c_str() + at + 12, nullptr);
}
double instructions_of_a_hit(const std::string& kind, int port) {
  constexpr int few = 1'000;
  constexpr int many = 11'000;
  return (instructions(kind, many, port) - instructions(kind, few, port)) / (many - few);
}

}  // namespace

// By this name the counting is switched on and off.
[[gnu::noinline]] void count_hits(CacheManager& cache, int hits) { hit(cache, hits); }

int main(int argc, char** argv) {
  cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
  const std::vector<std::string> words{argv + 1, argv + argc};
  if (words.size() == 3) {
    CacheManager cache = words[0] == "near" ? near_cache(std::atoi(words[2].c_str())) : memory_cache();
    if (words[0] == "memory") fill(cache);
    await_hits(cache);
    count_hits(cache, std::atoi(words[1].c_str()));
    return 0;
  }
  const support::RedisServer server;
  CacheManager near = near_cache(server.port());
  CacheManager memory = memory_cache();
  fill(near);
  fill(memory);
  bench::print_head(
      "A hit of a decoded JSON value of 180 B, one thread, through the facade; instructions by callgrind.",
      "near cache", "memory backend");
  bool reached =
      bench::print_row("time of a hit",
                       bench::in_turn(
                           rounds, turns, [&] { return time_of_a_hit(near); }, [&] { return time_of_a_hit(memory); }),
                       bench::Unit::seconds, bench::at_most(1.2));
  reached &= bench::print_row("instructions of a hit",
                              bench::in_turn(
                                  1, 1, [&] { return instructions_of_a_hit("near", server.port()); },
                                  [&] { return instructions_of_a_hit("memory", server.port()); }),
                              bench::Unit::instructions, bench::at_most(1.2));
  return reached ? 0 : 3;
}
