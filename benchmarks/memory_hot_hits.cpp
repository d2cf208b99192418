// Hits of 1,000 keys, which fit into the processor's caches: what a hit itself costs.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/caches.hpp"
#include "support/keys.hpp"
#include "support/paired.hpp"

namespace {

constexpr std::size_t hot = 1'000;

template <class Cache>
double hits_a_second(Cache& cache, std::size_t threads, double seconds, const std::vector<std::uint32_t>& order) {
  return paired::rate_of_threads(threads, seconds, [&](std::size_t thread, const std::atomic<bool>& stop) {
    std::uint64_t hits = 0;
    std::size_t at = thread * 7919 % order.size();
    while (!stop.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 64; ++i) {
        hits += cache.get(keys::Key{order[at]}) ? 1U : 0U;
        at = at + 1 == order.size() ? 0 : at + 1;
      }
    }
    return hits;
  });
}

}  // namespace

int main(int count, char** arguments) {
  const auto rounds = static_cast<std::size_t>(paired::argument(count, arguments, "--rounds", 9));
  const double seconds = paired::argument(count, arguments, "--seconds", 0.1);
  std::mt19937 random{1};
  std::vector<std::uint32_t> order(1 << 16);
  for (auto& one : order) one = static_cast<std::uint32_t>(random() % hot);

  const std::string value(100, 'v');
  caches::Ours s3fifo{caches::Ours::default_bytes, cascor::Eviction::s3fifo};
  caches::Ours lru{caches::Ours::default_bytes, cascor::Eviction::lru};
  caches::Rocks rocks_lru = caches::Rocks::lru(4 * hot);
  caches::Rocks hyper_clock = caches::Rocks::hyper_clock(4 * hot);
  caches::Tbb one_tbb{4 * hot};
  for (std::uint32_t i = 0; i < hot; ++i) {
    const keys::Key key{i};
    (void)one_tbb.get(key);
    s3fifo.put(key, value);
    lru.put(key, value);
    rocks_lru.put(key, value);
    hyper_clock.put(key, value);
  }
  for (const std::size_t threads : {1U, 2U, 8U}) {
    const auto measure = [&](auto& cache) {
      return [&cache, &order, threads, seconds] { return hits_a_second(cache, threads, seconds, order); };
    };
    paired::compare("Hot hits, 1,000 keys, " + std::to_string(threads) + " threads", "million a second", 1e6,
                    {{"s3fifo", measure(s3fifo)},
                     {"lru", measure(lru)},
                     {"LRUCache", measure(rocks_lru)},
                     {"HyperClockCache", measure(hyper_clock)},
                     {"oneTBB", measure(one_tbb)}},
                    3, rounds);
  }
}
