// A real training run that goes through the cache: Cascade-Correlation learns the two-spirals set. The training thread
// hands every epoch and, with every new unit, the topology to a recorder, which keeps the run's record too; a viewer
// thread reads them back and shows them. Pause, resume, stop and reset on cascor:control are obeyed.
//
// Exit code: 0 when all points are classified, 1 when not, 2 for bad options or a bad configuration.
#include <unistd.h>

#include <cascor/cache.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "arguments.hpp"
#include "cascade/training.hpp"
#include "cascade/two_spirals.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "live_line.hpp"
#include "program.hpp"
#include "recorded_run.hpp"

namespace {

using std::chrono::milliseconds;

constexpr const char* usage =
    R"(Usage: train_two_spirals [--config FILE] [--seed N] [--run NAME] [--no-viewer] [--pace MS]
  --config FILE  configuration; without it $CASCOR_CACHE_CONFIG, else conf/app_config.yaml
  --seed N       start of the random numbers (1); the same seed gives the same run
  --run NAME     name of the run's record (two-spirals); an earlier one of that name is erased
  --no-viewer    only train and write
  --pace MS      milliseconds to rest after each epoch (4 at a terminal, else 1)
)";

struct Options {
  bool help = false;
  std::optional<std::string> config;
  unsigned seed = 1;
  std::string run = "two-spirals";
  bool viewer = true;
  milliseconds pace{isatty(STDOUT_FILENO) != 0 ? 4 : 1};  // some 1,500 epochs: long enough to be watched
};

Options parse(int argc, char** argv) {
  examples::Arguments arguments{argc, argv};
  Options options;
  options.help = arguments.flag("--help");
  options.config = arguments.text("--config");
  options.seed = arguments.number("--seed", 1'000'000).value_or(options.seed);
  options.run = arguments.text("--run").value_or(options.run);
  options.viewer = !arguments.flag("--no-viewer");
  if (const auto pace = arguments.number("--pace", 1'000)) options.pace = milliseconds{*pace};
  arguments.end();
  return options;
}

/// Shows the run until it is asked to stop, and its last state then.
void view(cascor::CacheManager& cache, const std::stop_token& stop) {
  try {
    examples::LiveLine line;
    std::mutex mutex;
    std::condition_variable_any tick;  // only the stop token wakes it early
    std::unique_lock lock{mutex};
    do {
      line.refresh(cache);
    } while (!tick.wait_for(lock, stop, examples::redraw_every, [&] { return stop.stop_requested(); }));
    line.refresh(cache);
    line.finish();
  } catch (const std::exception& error) {  // a strict cache throws; training then hears of it, too
    std::fprintf(stderr, "\nThe viewer stopped: %s\n", error.what());
  }
}

const char* describe(cascade::Outcome outcome) {
  switch (outcome) {
    case cascade::Outcome::solved: return "solved";
    case cascade::Outcome::stopped: return "interrupted";
    case cascade::Outcome::out_of_units: break;
  }
  return "not solved with as many hidden units as it may have";
}

void print_use_of(cascor::CacheManager& cache) {
  const auto stats = cache.stats();
  std::printf("  cache backend  %s\n", examples::backend_in_use(cache).c_str());
  std::printf("  hits           %ju\n", std::uintmax_t{stats.hits});
  std::printf("  misses         %ju\n", std::uintmax_t{stats.misses});
  std::printf("  hit rate       %.1f %%\n", 100.0 * stats.hit_rate);
}

int run(const Options& options) {
  using clock = std::chrono::steady_clock;
  cascor::CacheManager cache =
      options.config ? cascor::CacheManager::from_file(*options.config) : cascor::CacheManager{};
  const cascade::Dataset spirals = cascade::two_spirals();
  cascade::Network network{spirals.inputs.cols(), spirals.targets.cols()};
  // While Redis is away its record cannot be erased: this run's goes on behind what is there.
  if (cache.health().mode == cascor::HealthMode::live) cache.history(options.run).erase();
  cascor::TrainingRecorder recorder{cache, options.run, {.publish_every = examples::redraw_every / 2}};
  examples::Commands commands;
  recorder.on_command([&commands](const cascor::Command& command) { commands.obey(command); });
  examples::RecordedRun recorded{recorder, network};

  cascade::TrainingOptions training;
  training.seed = options.seed;
  cascade::TrainingCallbacks callbacks;
  callbacks.on_epoch = [&](const cascade::Progress& progress) {
    recorded.epoch(progress, false);
    if (commands.paused()) recorded.epoch(progress, true);
    // While it is paused it says so again and again, as the latest metrics live for a second only.
    while (commands.wait_while_paused(examples::redraw_every)) recorded.keep_alive(cache);
    std::this_thread::sleep_for(options.pace);
    return !examples::interrupted() && !commands.wants_end();
  };
  callbacks.on_unit = [&] { recorded.unit(); };

  const auto start = clock::now();
  recorded.unit();
  std::jthread viewer;
  if (options.viewer) viewer = std::jthread{[&cache](const std::stop_token& stop) { view(cache, stop); }};
  cascade::TrainingResult result = cascade::train(network, spirals, training, callbacks);
  while (commands.take_reset()) {
    recorded.reset(result.progress);
    network = cascade::Network{spirals.inputs.cols(), spirals.targets.cols()};
    recorded.unit();
    result = cascade::train(network, spirals, training, callbacks);
  }
  const auto& [outcome, progress] = result;
  recorded.end(progress, outcome);
  viewer = {};  // asks it to stop and waits for it
  const std::chrono::duration<double> took = clock::now() - start;

  std::printf("\nTwo spirals, seed %u: %s\n", options.seed, describe(outcome));
  std::printf("  epochs         %d\n", progress.epoch);
  std::printf("  hidden units   %td\n", network.hidden_units());
  std::printf("  training time  %.2f s, paced by %td ms an epoch\n", took.count(),
              std::ptrdiff_t{options.pace.count()});
  const double accuracy = cascade::score(network.outputs(spirals.inputs), spirals.targets).accuracy;
  std::printf("  accuracy       %.1f %% of %td points\n", 100.0 * accuracy, spirals.inputs.rows());
  print_use_of(cache);
  return accuracy >= 1.0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_program(usage, [&] {
    const Options options = parse(argc, argv);
    if (options.help) {
      std::fputs(usage, stdout);
      return 0;
    }
    examples::stop_on_interrupt();
    examples::log_above_live_line();
    return run(options);
  });
}
