// Overwriting live keys with values of 200 bytes: what "latest" costs.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/caches.hpp"
#include "support/keys.hpp"
#include "support/paired.hpp"

int main(int count, char** arguments) {
  constexpr std::size_t live = 1'000;
  const auto rounds = static_cast<std::size_t>(paired::argument(count, arguments, "--rounds", 9));
  const double seconds = paired::argument(count, arguments, "--seconds", 0.1);
  std::mt19937 random{1};
  std::vector<std::uint32_t> order(1 << 16);
  for (auto& one : order) one = static_cast<std::uint32_t>(random() % live);

  const std::string value(200, 'v');
  caches::Ours s3fifo{caches::Ours::default_bytes, cascor::Eviction::s3fifo};
  caches::Ours lru{caches::Ours::default_bytes, cascor::Eviction::lru};
  caches::Rocks rocks_lru = caches::Rocks::lru(4 * live);
  for (std::uint32_t i = 0; i < live; ++i) {
    const keys::Key key{i};
    s3fifo.put(key, value);
    lru.put(key, value);
    rocks_lru.put(key, value);
  }
  for (const std::size_t threads : {1U, 2U, 8U}) {
    const auto measure = [&](auto& cache) {
      return [&, threads] {
        return paired::rate_of_threads(threads, seconds, [&](std::size_t thread, const std::atomic<bool>& stop) {
          std::uint64_t done = 0;
          std::size_t at = thread * 7919 % order.size();
          while (!stop.load(std::memory_order_relaxed)) {
            for (int i = 0; i < 64; ++i) {
              cache.put(keys::Key{order[at]}, value);
              at = at + 1 == order.size() ? 0 : at + 1;
            }
            done += 64;
          }
          return done;
        });
      };
    };
    paired::compare("Overwrites of 1,000 live keys with 200 B, " + std::to_string(threads) + " threads",
                    "million a second", 1e6,
                    {{"s3fifo", measure(s3fifo)}, {"lru", measure(lru)}, {"LRUCache", measure(rocks_lru)}}, 1, rounds);
  }
}
