// What an epoch costs the training when a recorder takes it, against the same commands sent and awaited: record, latest
// metrics, message; and whether a server that stands still moves that. Server and client on one processor, which
// favours the round trip.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cascor/cache.hpp"
#include "support/processors.hpp"
#include "support/redis_server.hpp"
#include "support/rounds.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int rounds = 15;
constexpr int turns = 4;
constexpr int epochs = 500;  // a side and a turn

void expect(bool so, const char* what) {
  if (so) return;
  (void)std::fprintf(stderr, "the benchmark cannot go on: %s\n", what);
  std::exit(1);
}

cascor::CacheConfig config_for(const support::RedisServer& server, const support::TemporaryFolder& folder) {
  cascor::CacheConfig config;
  config.redis_url = server.url();
  config.connection_pool.timeout = 60s;
  config.near_cache.enabled = false;
  config.history.directory = folder.path();
  config.log_sink = [](cascor::LogLevel, std::string_view) {};
  return config;
}

cascor::json metrics_of(int epoch) {
  return {{"epoch", epoch}, {"train_loss", 0.25}, {"val_loss", 0.5}, {"hidden_units", 7}};
}

class Recorded {
 public:
  explicit Recorded(cascor::CacheManager& cache) : recorder_{cache, "recorded", {.max_pending = 1'000'000}} {}
  double seconds_an_epoch() {
    bool good = true;
    const double took = bench::seconds_of([&] {
      for (int i = 0; i < epochs; ++i) good &= recorder_.epoch(metrics_of(epoch_++));
    });
    expect(good, "every epoch is taken");
    return took / epochs;
  }
  void flush() { expect(recorder_.flush(60s), "what was handed over arrives"); }

 private:
  cascor::TrainingRecorder recorder_;
  int epoch_ = 0;
};

double seconds_awaited(cascor::CacheManager& cache) {
  static int epoch = 0;
  auto run = cache.history("awaited");
  bool good = true;
  const double took = bench::seconds_of([&] {
    for (int i = 0; i < epochs; ++i) {
      const cascor::json metrics = metrics_of(epoch++);
      good &= bool{run.append(metrics)};
      good &= bool{cache.cache_metrics("latest", metrics)};
      (void)cache.publish_event(cascor::Channel::training, "metrics_update", metrics);
    }
  });
  expect(good, "every epoch is stored");
  return took / epochs;
}

}  // namespace

int main() {
  bench::stay_on_one_processor();
  const support::RedisServer server;
  const support::TemporaryFolder folder;
  cascor::CacheManager cache{config_for(server, folder)};
  Recorded recorded{cache};
  bench::print_head("An epoch of four small metrics, time in its caller; server and client on one processor, TCP.",
                    "recorder.epoch", "the other");
  const auto running = [&] {
    const double took = recorded.seconds_an_epoch();
    recorded.flush();
    return took;
  };
  const auto sent = bench::in_turn(rounds, turns, running, [&] { return seconds_awaited(cache); });
  bool reached = bench::print_row("against sent and awaited", sent, bench::Unit::seconds, bench::at_most(1.0 / 30));
  const auto stopped = bench::in_turn(
      rounds, turns,
      [&] {
        server.pause();
        const double took = recorded.seconds_an_epoch();
        server.resume();
        recorded.flush();
        return took;
      },
      running);
  reached &= bench::print_row("server stopped, against running", stopped, bench::Unit::seconds, bench::at_most(1.25));
  return reached ? 0 : 3;
}
