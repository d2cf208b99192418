#include <algorithm>
#include <cascor/cache.hpp>
#include <cascor/memory_cache.hpp>
#include <cmath>
#include <random>

#include "rows.hpp"

namespace tool::bench {
namespace {

using namespace std::chrono_literals;
using Cache = cascor::MemoryCache<std::string>;

constexpr auto slice = 40ms;

std::vector<std::string> keys_named(const std::string& stem, std::size_t count) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(stem + std::to_string(i));
  return keys;
}

/// Draws of 0 to `keys` - 1, the first the likeliest: Zipf's law with the exponent 0.99.
std::vector<std::size_t> zipf_draws(std::size_t keys, std::size_t draws) {
  std::vector<double> sums;
  double sum = 0;
  for (std::size_t i = 0; i < keys; ++i) sums.push_back(sum += 1 / std::pow(static_cast<double>(i + 1), 0.99));
  std::minstd_rand random{1};
  std::uniform_real_distribution<double> point{0, sum};
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < draws; ++i) {
    const auto at = std::lower_bound(sums.begin(), sums.end(), point(random)) - sums.begin();
    drawn.push_back(std::min(static_cast<std::size_t>(at), keys - 1));
  }
  return drawn;
}

void add_hits(std::vector<Row>& rows, cascor::Eviction eviction) {
  constexpr std::size_t hot = 1000;
  const auto cache = std::make_shared<Cache>(cascor::MemoryCacheOptions{.max_bytes = 64 << 20, .eviction = eviction});
  const auto keys = std::make_shared<std::vector<std::string>>(keys_named("metrics:", hot));
  for (const auto& key : *keys) cache->set(key, std::string(100, 'x'));
  for (const std::size_t threads : {1U, 2U, 8U}) {
    rows.push_back(
        {.what = "memory: hit of 1,000 keys, " + std::to_string(threads) + (threads == 1 ? " thread" : " threads"),
         .measure = [cache, keys, threads] {
           return rate_of_threads(threads, slice, [&](std::size_t thread, std::size_t i) {
             keep(cache->get((*keys)[(thread * 7919 + i * 31) % hot]));
           });
         }});
  }
  const auto values = std::make_shared<std::string>(200, 'y');
  rows.push_back({.what = "memory: overwrite with 200 B", .measure = [cache, keys, values] {
                    return rate_of(slice, 64, [&](std::size_t i) { cache->set((*keys)[i * 31 % hot], *values); });
                  }});
}

void add_zipf(std::vector<Row>& rows, cascor::Eviction eviction) {
  constexpr std::size_t all = 100'000;
  constexpr std::size_t room_for = all / 10;
  constexpr std::size_t bytes_an_entry = 230;
  const auto cache =
      std::make_shared<Cache>(cascor::MemoryCacheOptions{.max_bytes = room_for * bytes_an_entry, .eviction = eviction});
  const auto keys = std::make_shared<std::vector<std::string>>(keys_named("metrics:", all));
  const auto draws = std::make_shared<std::vector<std::size_t>>(zipf_draws(all, 1 << 17));
  rows.push_back({.what = "memory: Zipf 0.99, room for a tenth", .measure = [cache, keys, draws] {
                    static std::size_t next = 0;
                    return rate_of(slice, 256, [&](std::size_t) {
                      const std::string& key = (*keys)[(*draws)[next++ % draws->size()]];
                      if (!cache->get(key)) cache->set(key, std::string(100, 'x'));
                    });
                  }});
  rows.push_back({.what = "memory: hit ratio of that", .unit = Unit::share, .measure = [cache, keys, draws] {
                    std::size_t hits = 0;
                    for (const std::size_t draw : *draws) {
                      const std::string& key = (*keys)[draw];
                      if (cache->get(key))
                        ++hits;
                      else
                        cache->set(key, std::string(100, 'x'));
                    }
                    return static_cast<double>(hits) / static_cast<double>(draws->size());
                  }});
}

/// A manager on memory that writes no line and keeps no journal.
std::shared_ptr<cascor::CacheManager> memory_manager(cascor::Eviction eviction) {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.eviction = eviction;
  config.log_sink = [](cascor::LogLevel, std::string_view) {};
  return std::make_shared<cascor::CacheManager>(config);
}

void add_facade(std::vector<Row>& rows, cascor::Eviction eviction) {
  const auto cache = memory_manager(eviction);
  const cascor::json value{{"epoch", 5},           {"train_loss", 0.25},         {"val_loss", 0.5},
                           {"hidden_units", 7},    {"phase", "output_training"}, {"train_accuracy", 0.75},
                           {"val_accuracy", 0.625}};
  cache->cache_metrics("latest", value, 1h);
  const auto text = std::make_shared<std::string>(value.dump());
  rows.push_back(
      {.what = "facade: hit of a JSON value of " + std::to_string(text->size()) + " B",
       .measure =
           [cache] { return rate_of(slice, 64, [&](std::size_t) { keep(cache->get_cached_metrics("latest")); }); },
       .beside_what = "parsing it",
       .beside = [text] { return rate_of(slice, 16, [&](std::size_t) { keep(cascor::json::parse(*text)); }); }});
  rows.push_back({.what = "memory: invalidate 1,000 of 10,000 entries", .unit = Unit::seconds, .measure = [cache] {
                    for (int i = 0; i < 9000; ++i) (void)cache->cache_topology(std::to_string(i), i, 1h);
                    for (int i = 0; i < 1000; ++i) (void)cache->cache_metrics(std::to_string(i), i, 1h);
                    const auto began = Watch::now();
                    (void)cache->invalidate_cache("metrics:[0-9]*");
                    return seconds_since(began);
                  }});
}

}  // namespace

std::vector<Row> memory_rows(cascor::Eviction eviction) {
  std::vector<Row> rows;
  add_hits(rows, eviction);
  add_zipf(rows, eviction);
  add_facade(rows, eviction);
  return rows;
}

}  // namespace tool::bench
