// Zipf 0.99 over a million keys, room for a tenth of them, insert on miss: look-ups, insertions and evictions mixed.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/caches.hpp"
#include "support/keys.hpp"
#include "support/paired.hpp"

namespace {

constexpr std::size_t all_keys = 1'000'000;
constexpr std::size_t room = all_keys / 10;

template <class Cache>
void use(Cache& cache, std::string_view key, const std::string& value, std::uint64_t& hits) {
  if (cache.get(key)) {
    ++hits;
  } else {
    cache.put(key, value);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const auto rounds = static_cast<std::size_t>(paired::argument(count, arguments, "--rounds", 9));
  const double seconds = paired::argument(count, arguments, "--seconds", 0.2);
  std::mt19937_64 random{42};
  const keys::Zipf zipf{all_keys, 0.99};
  std::vector<std::uint32_t> order(1 << 22);
  for (auto& one : order) one = zipf(random);

  const std::string value(100, 'v');
  const auto ours = [&](cascor::Eviction eviction) {
    return std::make_unique<caches::Ours>(caches::Ours::bytes_for(room, keys::Key(0), value, eviction), eviction);
  };
  const auto s3fifo = ours(cascor::Eviction::s3fifo);
  const auto lru = ours(cascor::Eviction::lru);
  caches::Rocks rocks_lru = caches::Rocks::lru(room);
  caches::Rocks hyper_clock = caches::Rocks::hyper_clock(room);
  caches::Tbb one_tbb{room};
  std::uint64_t hits = 0;
  const auto warmed = [&](const char* name, auto& cache) {
    for (std::size_t i = 0; i < order.size() / 4; ++i) use(cache, keys::Key(order[i]), value, hits);
    hits = 0;
    for (std::size_t i = order.size() / 4; i < order.size() / 2; ++i) use(cache, keys::Key(order[i]), value, hits);
    std::printf("hit ratio, one thread: %s %.4f\n", name,
                static_cast<double>(hits) * 4 / static_cast<double>(order.size()));
  };
  warmed("s3fifo", *s3fifo);
  warmed("lru", *lru);
  warmed("LRUCache", rocks_lru);
  warmed("HyperClockCache", hyper_clock);
  for (std::size_t i = 0; i < order.size() / 4; ++i) (void)one_tbb.get(keys::Key(order[i]));

  for (const std::size_t threads : {1U, 2U, 8U}) {
    const auto measure = [&](auto& cache) {
      return [&, threads] {
        const std::size_t start = random();  // replaying what was just cached would flatter
        return paired::rate_of_threads(threads, seconds, [&](std::size_t thread, const std::atomic<bool>& stop) {
          std::uint64_t done = 0;
          std::uint64_t found = 0;
          std::size_t at = (start + thread * 1'000'003) % order.size();
          while (!stop.load(std::memory_order_relaxed)) {
            for (int i = 0; i < 64; ++i) {
              use(cache, keys::Key{order[at]}, value, found);
              at = at + 1 == order.size() ? 0 : at + 1;
            }
            done += 64;
          }
          return done;
        });
      };
    };
    paired::compare(
        "Zipf 0.99, a million keys, room for a tenth, insert on miss, " + std::to_string(threads) + " threads",
        "million a second", 1e6,
        {{"s3fifo", measure(*s3fifo)},
         {"lru", measure(*lru)},
         {"LRUCache", measure(rocks_lru)},
         {"HyperClockCache", measure(hyper_clock)},
         {"oneTBB", measure(one_tbb)}},
        3, rounds);
  }
}
