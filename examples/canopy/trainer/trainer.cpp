#include "trainer/trainer.hpp"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "cascade/training.hpp"
#include "recorded_run.hpp"
#include "run_names.hpp"
#include "trainer/boundary.hpp"

namespace canopy {

using cascor::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds publish_every{100};
constexpr milliseconds show_every{500};  ///< the network as it is: its weights, and what it answers
constexpr milliseconds metrics_life{
    1'000};  ///< of the latest ones: they are renewed in time while nothing else changes
constexpr std::chrono::minutes picture_life{10};
constexpr std::size_t runs_kept = 10;

}  // namespace

/// One run: the network, its recorder, and what is written beside the record.
class Trainer::Run {
 public:
  explicit Run(Trainer& trainer)
      : cache_{trainer.cache_}, recorder_{trainer.cache_, name_, {.publish_every = publish_every}} {
    options.seed = trainer.options_.seed;
    recorder_.on_command([&trainer](const cascor::Command& command) { trainer.obey(command); });
    show(steady_clock::now());
  }

  void epoch(const cascade::Progress& progress, bool paused) {
    recorded_.epoch(progress, paused);
    const auto now = steady_clock::now();
    if (now - shown_at_ >= show_every) show(now);
  }
  void unit() {
    units_.push_back({{"unit", network.hidden_units() - 1}, {"epoch", recorded_.epochs()}});
    show(steady_clock::now());
  }
  void end(const cascade::TrainingResult& result) {
    recorded_.end(result.progress, result.outcome);
    show(steady_clock::now());
  }
  /// Nothing has changed, and all of it is still true.
  void keep_alive() {
    recorded_.keep_alive(cache_);
    announce();
    cache_.set("topology:latest", examples::topology_of(network), {.ttl = picture_life, .background = true});
  }

  const cascade::Dataset spirals = cascade::two_spirals();
  cascade::Network network{spirals.inputs.cols(), spirals.targets.cols()};
  cascade::TrainingOptions options;

 private:
  // Nothing here waits for Redis: training goes on without it.
  void show(steady_clock::time_point now) {
    shown_at_ = now;
    announce();
    recorded_.unit();
    cache_.set(boundary_key, boundary_of(network), {.ttl = picture_life, .background = true});
    cache_.set(units_key, {{"run", name_}, {"units", units_}}, {.ttl = picture_life, .background = true});
  }
  void announce() { cache_.set(run_key, {{"run", name_}}, {.background = true}); }

  cascor::CacheManager& cache_;
  const std::string name_ = new_run_name();
  cascor::TrainingRecorder recorder_;
  examples::RecordedRun recorded_{recorder_, network};
  json units_ = json::array();
  steady_clock::time_point shown_at_;
};

Trainer::Trainer(cascor::CacheManager& cache, const TrainerOptions& options) : cache_{cache}, options_{options} {
  thread_ = std::jthread{[this](const std::stop_token& stop) {
    try {
      work(stop);
    } catch (const std::exception& error) {  // a strict cache throws
      cascor::Log{}.error("Training stopped: " + cascor::printable(error.what()));
    }
  }};
}

Trainer::~Trainer() {
  thread_.request_stop();
  commands_.obey({"stop", {}});
}

/// A request that is sent again, as its answer was lost, is obeyed once.
void Trainer::obey(const cascor::Command& command) {
  const json request = command.params.is_object() ? command.params.value("request", json{}) : json{};
  {
    const std::lock_guard lock{mutex_};
    if (!request.is_null() && request == last_request_) return;
    last_request_ = request;
  }
  commands_.obey(command);
}

void Trainer::work(const std::stop_token& stop) {
  forget_old_runs();
  std::unique_ptr<Run> run = next_run();
  while (!stop.stop_requested()) {
    train(stop, *run);
    bool again = false;
    while (!again && !stop.stop_requested()) {
      run->keep_alive();
      again = commands_.wait_for_start(metrics_life / 4);
    }
    // The new one listens before the old one ends, so that no command is lost in between.
    if (again && !stop.stop_requested()) run = next_run();
  }
}

void Trainer::train(const std::stop_token& stop, Run& run) {
  cascade::TrainingCallbacks callbacks;
  callbacks.on_epoch = [&](const cascade::Progress& progress) {
    run.epoch(progress, false);
    if (commands_.paused()) run.epoch(progress, true);
    while (commands_.wait_while_paused(metrics_life / 4)) run.keep_alive();
    std::this_thread::sleep_for(options_.pace);
    return !stop.stop_requested() && !commands_.wants_end();
  };
  callbacks.on_unit = [&] { run.unit(); };
  const cascade::TrainingResult result = cascade::train(run.network, run.spirals, run.options, callbacks);
  commands_.run_ended();
  run.end(result);
}

std::unique_ptr<Trainer::Run> Trainer::next_run() { return std::make_unique<Run>(*this); }

void Trainer::forget_old_runs() {
  if (cache_.health().mode != cascor::HealthMode::live) return;  // a record can be erased only where it is
  std::vector<std::string> runs = cache_.runs();
  std::erase_if(runs, [](const std::string& name) { return !name.starts_with(run_prefix); });
  std::sort(runs.begin(), runs.end());
  const auto too_many = static_cast<std::ptrdiff_t>(runs.size()) - static_cast<std::ptrdiff_t>(runs_kept - 1);
  for (std::ptrdiff_t i = 0; i < too_many; ++i) cache_.history(runs[static_cast<std::size_t>(i)]).erase();
}

}  // namespace canopy
