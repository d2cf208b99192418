#include "api/training_api.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "api/dataset.hpp"
#include "api/views.hpp"
#include "run_names.hpp"

namespace canopy {

using cascor::json;
using Records = std::vector<cascor::HistoryRecord>;

namespace {

constexpr std::size_t most_records = 10'000;  ///< in one answer

/// Of the last `limit` records, or of all, the `points` that keep the shape of the loss.
Records read_history(cascor::CacheManager& cache, const std::string& run, std::size_t limit, std::size_t points) {
  if (run.empty()) return {};
  auto history = cache.history(run);
  return limit == 0 ? history.downsample(points, "loss") : fewer(history.last(limit), points);
}

/// Redis is away, and of its record there is only what has been appended since.
struct Incomplete : std::runtime_error {
  explicit Incomplete(json the_rest) : std::runtime_error{"Redis is away"}, rest{std::move(the_rest)} {}
  json rest;
};

/// The answer as it is to be cached. Throws Incomplete rather than take a part for the whole: the answer before it,
/// with the beginning of the curve, is worth more. Every run begins with epoch 1.
json whole_history(cascor::CacheManager& cache, const std::string& run, std::size_t limit, std::size_t points) {
  Records records = read_history(cache, run, limit, points);
  const bool whole = run.empty() || (!records.empty() && records.front().at("epoch") == 1) ||
                     (limit != 0 && records.size() >= std::min(limit, points));
  if (whole) return history_view(records);
  if (cache.health().mode != cascor::HealthMode::live) throw Incomplete{history_view(records)};
  return history_view(read_history(cache, run, limit, points));  // it is there: so this is all that it has
}

}  // namespace

void TrainingApi::add_to(Routes& routes) {
  routes.on("GET", "/api/metrics", [this](const Request& request, Response& response) {
    CacheFacts facts;
    const json value = metrics(facts);
    send_cached(request, response, tagged(text_of(value)), facts);
  });
  routes.on("GET", "/api/metrics/history",
            [this](const Request& request, Response& response) { history(request, response); });
  routes.on("GET", "/api/network/topology", [this](const Request& request, Response& response) {
    picture(request, response, "topology:latest", no_topology());
  });
  routes.on("GET", "/api/network/units", [this](const Request& request, Response& response) {
    picture(request, response, units_key, {{"run", nullptr}, {"units", json::array()}});
  });
  routes.on("GET", "/api/boundary",
            [this](const Request& request, Response& response) { picture(request, response, boundary_key, nullptr); });
  routes.on("GET", "/api/dataset",
            [view = tagged(text_of(dataset_view()))](const Request& request, Response& response) {
              send_tagged(request, response, view, "application/json");
            });
}

/// As the cache's get_or_compute, but without a cache where that is not to be used.
template <class Compute>
cascor::CacheResult<json> TrainingApi::computed(std::string_view key, const Compute& compute,
                                                const cascor::ComputeOptions& options) {
  if (use_cache_) return cache_.get_or_compute<json>(key, compute, options);
  cascor::ReadFacts facts;
  facts.status = cascor::CacheStatus::disabled;
  return {std::make_shared<const json>(compute()), facts};
}

std::string TrainingApi::current_run() {
  if (const auto run = cache_.get(run_key)) return run->value("run", "");
  // No trainer lives: the newest of those that left a record. Runs' names sort by their start.
  const auto newest = cache_.get_or_compute<json>("topology:last_run",
                                                  [&cache = cache_] {
                                                    std::string last;
                                                    for (const auto& name : cache.runs()) {
                                                      if (name.starts_with(run_prefix)) last = std::max(last, name);
                                                    }
                                                    return json{{"run", last}};
                                                  },
                                                  {.ttl = std::chrono::seconds{1}});
  return newest ? newest->value("run", "") : std::string{};
}

json TrainingApi::metrics(CacheFacts& facts) {
  if (use_cache_) {
    const auto latest = cache_.get_cached_metrics();
    facts = CacheFacts::of(latest);
    if (latest) return metrics_view(*latest);
  }
  // The latest metrics live for a second. Past that nobody trains, and the record tells how the run ended.
  const std::string run = current_run();
  if (run.empty()) return metrics_view(nullptr);
  const auto ended = computed("metrics:ended:" + run,
                              [&cache = cache_, run] {
                                const Records last = cache.history(run).last(1);
                                return last.empty() ? metrics_view(nullptr) : ended_view(last.front());
                              },
                              {.ttl = std::chrono::seconds{1}});
  facts = CacheFacts::of(ended);
  return ended ? *ended : metrics_view(nullptr);
}

void TrainingApi::history(const Request& request, Response& response) {
  const std::size_t limit = number_in(request, "limit", 1, most_records).value_or(0);
  const std::size_t points = number_in(request, "points", 3, most_records).value_or(most_records);
  const std::string run = current_run();
  const std::string key =
      "history:" + (run.empty() ? "none" : run) + ":" + std::to_string(limit) + ":" + std::to_string(points);
  try {
    const auto found =
        computed(key, [&cache = cache_, run, limit, points] { return whole_history(cache, run, limit, points); },
                 {.ttl = std::chrono::seconds{1}, .stale_for = std::chrono::minutes{5}});
    send(request, response, key, found, history_view({}));
  } catch (const Incomplete& part) {  // nobody has asked for it before
    send_cached(request, response, tagged(text_of(part.rest)), {});
  }
}

void TrainingApi::picture(const Request& request, Response& response, std::string_view key, const json& otherwise) {
  const auto found = cache_.get(key);
  send(request, response, key, found, otherwise);
}

void TrainingApi::send(const Request& request, Response& response, std::string_view key,
                       const cascor::CacheResult<json>& found, const json& otherwise) {
  const auto facts = CacheFacts::of(found);
  if (!found || !use_cache_) return send_cached(request, response, tagged(text_of(found.value_or(otherwise))), facts);
  send_cached(request, response, rendered_.text_of(key, found.share())->text, facts);
}

}  // namespace canopy
