// What the near cache is worth: the same reads of a topology from Redis and from this process, and how long another
// client's write stays unseen. Needs a Redis server: near_cache [redis://host:port/db].
#include <algorithm>
#include <cascor/cache.hpp>
#include <chrono>
#include <iostream>
#include <vector>

using Clock = std::chrono::steady_clock;

namespace {

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

double each_read(cascor::CacheManager& cache, int reads) {
  const auto start = Clock::now();
  for (int i = 0; i < reads; ++i) (void)cache.get_cached_topology("near_example");
  return microseconds(Clock::now() - start) / reads;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  cascor::CacheConfig config;
  if (argc > 1) config.redis_url = argv[1];
  cascor::CacheManager reader{config};
  cascor::CacheManager writer{config};
  config.near_cache.enabled = false;
  cascor::CacheManager plain{config};

  cascor::json topology{{"version", 0}, {"units", cascor::json::array()}};
  for (int unit = 0; unit < 2'000; ++unit) topology["units"].push_back({{"id", unit}, {"weight", 0.5 * unit}});
  if (!writer.cache_topology("near_example", topology, 1min)) {
    std::cerr << "this example needs a Redis server\n";
    return 1;
  }
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (reader.get_cached_topology("near_example").tier() != cascor::CacheTier::memory) {
    if (std::chrono::steady_clock::now() < patience) continue;
    std::cerr << "nothing is kept near: the log says why\n";
    return 1;
  }
  std::cout << "a read of a topology of 2,000 units\n"
            << "  from Redis, decoded each time: " << each_read(plain, 100) << " us\n"
            << "  from the near cache:           " << each_read(reader, 100'000) << " us\n";

  std::vector<double> unseen;
  for (int version = 1; version <= 200; ++version) {
    writer.cache_topology("near_example", {{"version", version}}, 1min);
    const auto written = Clock::now();
    while (reader.get_cached_topology("near_example")->value("version", 0) != version) {
    }
    unseen.push_back(microseconds(Clock::now() - written));
  }
  std::sort(unseen.begin(), unseen.end());
  std::cout << "from the end of another client's write to the new value here\n"
            << "  median " << unseen[unseen.size() / 2] << " us, worst of 200 " << unseen.back() << " us\n";
  const auto stats = reader.stats();
  std::cout << "of the reader's " << stats.hits << " hits " << stats.memory_hits << " were near; the server told of "
            << stats.near_cache.invalidations << " changes\n";
  (void)writer.erase("topology:near_example");
  return 0;
}
