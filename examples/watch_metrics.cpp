// A second process that watches a training run through Redis: start train_two_spirals, and this beside it.
//
// Ends when the run does, after N seconds, on Ctrl-C, or (--once) after one line.
// Exit code: 0 when it saw a run, 1 when not, 2 for bad options or a bad configuration.
#include <cascor/cache.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <thread>

#include "arguments.hpp"
#include "interrupt.hpp"
#include "live_line.hpp"
#include "program.hpp"

namespace {

constexpr const char* usage = R"(Usage: watch_metrics [--config FILE] [--seconds N] [--once]
  --config FILE  configuration; without it $CASCOR_CACHE_CONFIG, else conf/app_config.yaml
  --seconds N    watch for no longer than that
  --once         one look, one line
)";

struct Options {
  bool help = false;
  std::optional<std::string> config;
  std::optional<unsigned> seconds;
  bool once = false;
};

Options parse(int argc, char** argv) {
  examples::Arguments arguments{argc, argv};
  Options options;
  options.help = arguments.flag("--help");
  options.config = arguments.text("--config");
  options.seconds = arguments.number("--seconds", 1'000'000);
  options.once = arguments.flag("--once");
  arguments.end();
  return options;
}

int run(const Options& options) {
  using clock = std::chrono::steady_clock;
  cascor::CacheManager cache =
      options.config ? cascor::CacheManager::from_file(*options.config) : cascor::CacheManager{};
  if (const std::string backend = examples::backend_in_use(cache); backend != "redis") {
    std::fprintf(stderr,
                 "A second process can see a run only through Redis, and the cache here is: %s.\n"
                 "Start Redis at the configured redis_url, with type: redis.\n",
                 backend.c_str());
    return 1;
  }

  const auto end = options.seconds ? clock::now() + std::chrono::seconds{*options.seconds} : clock::time_point::max();
  examples::LiveLine line;
  line.refresh(cache);
  while (!options.once && !line.run_over() && !examples::interrupted() && clock::now() < end) {
    std::this_thread::sleep_for(examples::redraw_every);
    line.refresh(cache);
  }
  line.finish();
  return line.run_seen() ? 0 : 1;
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
