// Invalidations that race computations: whoever asks after an invalidation of version v has returned is given v or
// newer.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <thread>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::ComputeOptions;

namespace {

// A source whose version grows; after each step the cache is told. What readers may be given from then on is at least
// that version.
struct Source {
  std::atomic<int> version{0};
  std::atomic<int> told{0};
};

// How many reads were older than what the cache had been told before they began.
template <class Backend>
int too_old_in(Backend& backend, const ComputeOptions& options, int steps) {
  CacheManager cache{backend.config()};
  std::array<Source, 3> sources;
  std::atomic<int> too_old{0};
  std::atomic<bool> done{false};
  std::thread changer{[&] {
    std::mt19937 random{1};
    for (int i = 0; i < steps; ++i) {
      const auto which = random() % 3;
      Source& source = sources[which];
      const int now = ++source.version;
      const std::string key = "topology:" + std::to_string(which);
      switch (random() % 4) {
        case 0: cache.invalidate_cache("cascor:topology:*"); break;
        case 1: cache.erase(key); break;
        case 2: cache.invalidate_cache(key); break;
        default: cache.set(key, now, {.ttl = 1h}); break;
      }
      source.told = now;
    }
    done = true;
  }};
  in_threads(4, [&](std::size_t t) {
    std::mt19937 random{static_cast<unsigned>(t)};
    while (!done) {
      const auto which = random() % 3;
      Source& source = sources[which];
      const int at_least = source.told;
      const std::string key = "topology:" + std::to_string(which);
      const auto value = random() % 4 == 0 ? cache.get<int>(key)
                                           : cache.get_or_compute(
                                                 key,
                                                 [&source] {  // may run when this thread is past it
                                                   const int read = source.version;
                                                   if (read % 2 == 0) std::this_thread::yield();
                                                   return read;
                                                 },
                                                 options);
      if (value && *value < at_least) ++too_old;
    }
  });
  changer.join();
  return too_old;
}

}  // namespace

TEST_CASE("in memory, no read is older than what its process was told before it") {
  OnMemory backend;
  CHECK(too_old_in(backend, {.ttl = 1h}, 20'000) == 0);
  CHECK(too_old_in(backend, {.ttl = 1h, .stale_for = 1h, .stale_after = 0ms}, 20'000) == 0);
  CHECK(too_old_in(backend, {.ttl = 1h, .refresh_ahead = 1.0, .absent_ttl = 1h}, 20'000) == 0);
}

TEST_CASE("on Redis, no read is older than what its process was told before it") {
  OnRedisTcp backend;
  CHECK(too_old_in(backend, {.ttl = 1h}, 1'500) == 0);
  CHECK(too_old_in(backend, {.ttl = 1h, .stale_for = 1h, .stale_after = 0ms}, 1'500) == 0);
  CHECK(too_old_in(backend, {.ttl = 1h, .refresh_ahead = 1.0}, 1'500) == 0);
  CHECK(too_old_in(backend, {.ttl = 1h, .across_processes = true}, 1'000) == 0);
}
