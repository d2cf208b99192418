// Follows a training run from its record, from the first epoch on: a finished run is shown once more, one that is under
// way from its beginning and then live. Start train_two_spirals before it, or beside it.
//
// Exit code: 0 when it saw the run, 1 when there is none, 2 for bad options or a bad configuration.
#include <algorithm>
#include <cascor/cache.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "arguments.hpp"
#include "interrupt.hpp"
#include "program.hpp"

namespace {

using std::chrono::milliseconds;

constexpr const char* usage = R"(Usage: replay [--config FILE] [--run NAME] [--pace MS] [--points N]
  --config FILE  configuration; without it $CASCOR_CACHE_CONFIG, else conf/app_config.yaml
  --run NAME     name of the run's record (two-spirals)
  --pace MS      milliseconds to rest after each epoch (0)
  --points N     no replay, but the N epochs that keep the shape of the loss
)";

struct Options {
  bool help = false;
  std::optional<std::string> config;
  std::string run = "two-spirals";
  milliseconds pace{0};
  std::optional<unsigned> points;
};

Options parse(int argc, char** argv) {
  examples::Arguments arguments{argc, argv};
  Options options;
  options.help = arguments.flag("--help");
  options.config = arguments.text("--config");
  options.run = arguments.text("--run").value_or(options.run);
  options.pace = milliseconds{arguments.number("--pace", 10'000).value_or(0)};
  options.points = arguments.number("--points", 100'000);
  arguments.end();
  return options;
}

double number(const cascor::HistoryRecord& record, const char* name) {
  const cascor::json& value = record.at(name);
  return value.is_number() ? value.get<double>() : 0.0;  // the loss of a run that diverged is null
}

void print(const cascor::HistoryRecord& record) {
  std::printf("epoch %5.0f  loss %.4f  accuracy %5.1f%%  hidden %2.0f  %s\n", number(record, "epoch"),
              number(record, "current_loss"), 100.0 * number(record, "current_accuracy"),
              number(record, "hidden_units"), record.at("phase").get<std::string>().c_str());
}

int run(const Options& options) {
  cascor::CacheManager cache =
      options.config ? cascor::CacheManager::from_file(*options.config) : cascor::CacheManager{};
  auto history = cache.history(options.run);
  if (history.size() == 0) {
    std::fprintf(stderr, "There is no run named %s.", options.run.c_str());
    for (const auto& name : cache.runs()) std::fprintf(stderr, " There is: %s.", name.c_str());
    std::fputs("\n", stderr);
    return 1;
  }
  if (options.points) {
    for (const auto& record : history.downsample(*options.points, "current_loss")) print(record);
    return 0;
  }

  std::mutex mutex;
  std::condition_variable over;
  bool ended = false;
  // On a thread of its own; the record says by itself when the run has ended.
  const auto following = history.follow("", [&](const cascor::HistoryRecord& record) {
    print(record);
    std::this_thread::sleep_for(options.pace);
    if (record.at("is_running") != false) return;
    const std::lock_guard lock{mutex};
    ended = true;
    over.notify_all();
  });
  std::unique_lock lock{mutex};
  while (!ended && !examples::interrupted()) over.wait_for(lock, milliseconds{100});
  return 0;
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
    return run(options);
  });
}
