// What a write costs its caller when it is sent in the background, against the same write sent and awaited; and whether
// a server that stands still moves that. First with processors that are kept awake, as a trainer's are; then with
// server and client on one, which favours the round trip most, and has the queue's own thread in the caller's way.
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/processors.hpp"
#include "support/redis_server.hpp"
#include "support/rounds.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int rounds = 15;
constexpr int turns = 4;
constexpr int epochs = 500;

cascor::CacheManager cache_on(const support::RedisServer& server, bool behind) {
  cascor::CacheConfig config;
  config.redis_url = server.url();
  config.connection_pool.timeout = 60s;
  config.near_cache.enabled = false;
  config.write_behind.enabled = behind;
  config.log_sink = [](cascor::LogLevel, std::string_view) {};
  return cascor::CacheManager{config};
}

void expect(bool so, const char* what) {
  if (so) return;
  (void)std::fprintf(stderr, "the benchmark cannot go on: %s\n", what);
  std::exit(1);
}

// Seconds a call: what a training loop writes each epoch, a record of its own and the latest one.
double seconds_a_write(cascor::CacheManager& cache) {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> names;
    for (int i = 0; i < epochs; ++i) names.push_back("epoch_" + std::to_string(i));
    return names;
  }();
  const cascor::json metrics{{"epoch", 5}, {"train_loss", 0.25}, {"val_loss", 0.5}, {"hidden_units", 7}};
  bool good = true;
  const double took = bench::seconds_of([&] {
    for (const auto& key : keys) {
      good &= bool{cache.cache_metrics(key, metrics, 1h)};
      good &= bool{cache.cache_metrics("latest", metrics, 1h)};
    }
  });
  expect(good, "every write is taken");
  return took / (2 * epochs);
}
double seconds_behind(cascor::CacheManager& cache) {
  const double took = seconds_a_write(cache);
  expect(cache.flush(60s), "what was queued arrives");
  return took;
}

bool against_awaited(const support::RedisServer& server, const char* where) {
  cascor::CacheManager behind = cache_on(server, true);
  cascor::CacheManager awaited = cache_on(server, false);
  const auto sent = bench::in_turn(
      rounds, turns, [&] { return seconds_behind(behind); }, [&] { return seconds_a_write(awaited); });
  return bench::print_row(std::string{"against sent and awaited, "} + where, sent, bench::Unit::seconds,
                          bench::at_most(1.0 / 30));
}

}  // namespace

int main() {
  bench::print_head("A write of five small metrics, time in its caller; TCP.", "queued", "the other");
  bool reached = true;
  {
    const support::RedisServer server;
    const bench::KeptAwake awake;
    reached &= against_awaited(server, "processors kept awake");
  }
  bench::stay_on_one_processor();
  const support::RedisServer server;
  reached &= against_awaited(server, "on one processor");
  cascor::CacheManager behind = cache_on(server, true);
  const auto stopped = bench::in_turn(
      rounds, turns,
      [&] {
        server.pause();
        const double took = seconds_a_write(behind);
        server.resume();
        expect(behind.flush(60s), "what was queued arrives");
        return took;
      },
      [&] { return seconds_behind(behind); });
  reached &= bench::print_row("server stopped, against running, on one processor", stopped, bench::Unit::seconds,
                              bench::at_most(1.25));
  return reached ? 0 : 3;
}
