#include "api/health_watch.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace canopy {
namespace {

constexpr std::chrono::seconds look_every{1};
constexpr std::size_t pings_kept = 15;

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

HealthWatch::HealthWatch(cascor::CacheManager& cache, OnChange on_change)
    : cache_{cache}, on_change_{std::move(on_change)} {
  look();
  thread_ = std::jthread{[this](const std::stop_token& stop) { work(stop); }};
}

HealthWatch::~HealthWatch() = default;

std::shared_ptr<const BackendState> HealthWatch::now() const {
  const std::lock_guard lock{mutex_};
  return state_;
}

void HealthWatch::work(const std::stop_token& stop) {
  std::unique_lock lock{mutex_};
  while (!tick_.wait_for(lock, stop, look_every, [&] { return stop.stop_requested(); })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void HealthWatch::look() {
  auto state = std::make_shared<BackendState>();
  state->health = cache_.health();
  const auto& health = state->health;
  if (health.status == cascor::HealthStatus::up && health.details.backend == "redis") {
    if (health.details.last_ping_ms) pings_.push_back(*health.details.last_ping_ms);
    if (pings_.size() > pings_kept) pings_.erase(pings_.begin());
    if (!health.details.info_error) {
      try {
        const auto reply = cache_.command({"INFO"});
        if (!reply.is_error()) state->info = reply.text;
      } catch (const cascor::CacheError&) {  // a strict cache throws; what it would have told is left out
      }
    }
  }
  state->latency_ms = median(pings_);
  bool changed = false;
  {
    const std::lock_guard lock{mutex_};
    changed = !state_ || state_->health.status != health.status || state_->health.mode != health.mode;
    state_ = state;
  }
  if (changed && on_change_) on_change_(*state);
}

}  // namespace canopy
