// JSON through the facade: what decoding a value costs when it has to be, and what a hit costs where it is kept
// decoded, both against nlohmann's parser on the same text. With the compiled library, which has simdjson where that is
// installed.
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <string_view>

#include "cascor/cache.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

using cascor::CacheManager;
using cascor::json;

constexpr int rounds = 11;
constexpr int turns = 4;

std::size_t allocations = 0;  // of this thread's, which is the only one that counts while it does
thread_local bool counting = false;

void* allocate(std::size_t size, std::size_t alignment) {
  if (counting) ++allocations;
  void* const block = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc{};
  return block;
}

// A cascade: each hidden unit sees the inputs and all units before it. 200 of them have 20,000 weights, 400 KB of text.
json topology() {
  std::mt19937_64 random{1};
  std::normal_distribution<double> weight{0, 1};
  json units = json::array();
  for (int i = 0; i < 200; ++i) {
    json weights = json::array();
    for (int j = 0; j < i + 2; ++j) weights.push_back(weight(random));
    units.push_back({{"id", i}, {"activation", "tanh"}, {"bias", weight(random)}, {"weights", std::move(weights)}});
  }
  return {{"input_size", 2}, {"output_size", 2}, {"hidden_units", std::move(units)}};
}
json metrics() {
  return {{"epoch", 137},
          {"train_loss", 0.12345678901234567},
          {"train_accuracy", 0.98765432109876543},
          {"val_loss", 0.23456789012345678},
          {"val_accuracy", 0.87654321098765432},
          {"hidden_units", 12},
          {"phase", "output"},
          {"timestamp", "2026-11-22T18:47:16.123456"}};
}

// How often a second; so often that the clock does not matter.
template <class Work>
double rate_of(int times, const Work& work) {
  return times / bench::seconds_of([&] {
           for (int i = 0; i < times; ++i) work();
         });
}
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}
double parse_rate(const std::string& text, int times) {
  return rate_of(times, [&text] { keep(json::parse(text)); });
}

bool decoding(const char* what, const json& value, int times, double must_reach) {
  const std::string text = value.dump();
  bench::expect(cascor::JsonCodec::decode<json>(text) == json::parse(text), "both give the same value");
  return bench::print_row(
      what,
      bench::in_turn(
          rounds, turns, [&] { return rate_of(times, [&text] { keep(cascor::JsonCodec::decode<json>(text)); }); },
          [&] { return parse_rate(text, times); }),
      bench::Unit::per_second, bench::at_least(must_reach));
}

// Also says how many allocations a hundred thousand hits have made.
bool hits(const std::string& what, CacheManager& cache, const json& value, int parsed_times) {
  constexpr int hits_a_turn = 100'000;
  const std::string text = value.dump();
  cache.cache_topology(what, value, std::chrono::hours{1});
  for (int i = 0; cache.get_cached_topology(what).tier() != cascor::CacheTier::memory; ++i) {
    bench::expect(i < 10'000, "the value is near");
    ::usleep(1'000);
  }
  const auto hit = [&cache, &what] {
    const auto found = cache.get_cached_topology(what);
    keep(*found);
  };
  bool reached = bench::print_row(
      what,
      bench::in_turn(
          rounds, turns, [&] { return rate_of(hits_a_turn, hit); }, [&] { return parse_rate(text, parsed_times); }),
      bench::Unit::per_second, bench::at_least(50));
  allocations = 0;
  counting = true;
  for (int i = 0; i < hits_a_turn; ++i) hit();
  counting = false;
  std::printf("| %s: allocations of %d hits | %zu | | | none | %s |\n", what.c_str(), hits_a_turn, allocations,
              allocations == 0 ? "reached" : "not yet");
  return reached && allocations == 0;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

int main() {
  cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
  bench::print_head("Decoding JSON text, one thread, times a second.", "cascor-cache", "nlohmann's parser");
  bool reached = decoding("topology of 400 KB", topology(), 5, 2.5);
  reached &= decoding("metrics, 226 B", metrics(), 10'000, 1);

  const support::RedisServer server;
  cascor::CacheConfig config;
  config.redis_url = "redis://127.0.0.1:" + std::to_string(server.port()) + "/0";
  CacheManager near{config};
  config.type = cascor::CacheType::memory;
  CacheManager memory{config};
  bench::print_head("A hit of a decoded JSON value, one thread, times a second.", "cascor-cache", "nlohmann's parser");
  for (auto& [name, cache] : {std::pair<std::string, CacheManager&>{"memory", memory}, {"near cache", near}}) {
    reached &= hits(name + ", topology of 400 KB", cache, topology(), 5);
    reached &= hits(name + ", metrics of 226 B", cache, metrics(), 10'000);
  }
  return reached ? 0 : 3;
}
