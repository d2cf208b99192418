#include <cascor/cache.hpp>
#include <cascor/config/fields.hpp>
#include <cmath>
#include <filesystem>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>

#include "redis_benchmark.hpp"
#include "rows.hpp"

namespace tool::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto slice = 60ms;
constexpr auto lifetime = 5min;  // of every key, should this process not come to its end
constexpr std::size_t many = 128;

std::string random_word() {
  std::random_device random;
  std::string word;
  for (int i = 0; i < 12; ++i) word += "0123456789abcdef"[random() % 16];
  return word;
}

/// The configured cache in a namespace of its own, which throws rather than falls back.
cascor::CacheConfig within(const cascor::CacheConfig& config, const std::string& space, const std::string& folder) {
  cascor::CacheConfig own = config;
  own.key_namespace = space;
  own.key_prefixes = {};
  own.origins = {};  // else prefixes that were given would count as given
  own.strict = true;
  own.fallback.enabled = false;
  own.write_behind.enabled = false;
  own.near_cache.enabled = false;
  own.near_cache.prefixes = {};
  own.history.directory = folder;
  own.log_sink = [](cascor::LogLevel, std::string_view) {};
  return own;
}

void expect(bool so, const char* what) {
  if (!so) throw std::runtime_error{std::string{"the benchmark cannot go on: "} + what};
}

}  // namespace

struct RedisRows::Caches {
  explicit Caches(const cascor::CacheConfig& config)
      : space{config.key_namespace + "bench-" + random_word() + ':'},
        folder{std::filesystem::temp_directory_path() / ("cascor-bench-" + random_word())},
        own{within(config, space, folder.string())},
        far{own} {
    auto tracked = own;
    tracked.near_cache.enabled = true;
    near.emplace(tracked);
  }
  ~Caches() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  Caches(const Caches&) = delete;
  Caches& operator=(const Caches&) = delete;

  const std::string space;
  const std::filesystem::path folder;
  const cascor::CacheConfig own;
  cascor::CacheManager far;  // each read a round trip
  std::optional<cascor::CacheManager> near;
  std::size_t epoch = 0;
};

RedisRows::RedisRows(const cascor::CacheConfig& config, const RedisBenchmark& peer)
    : peer_{peer}, caches_{std::make_unique<Caches>(config)} {}

RedisRows::~RedisRows() {
  try {
    clean_up();
  } catch (const std::exception&) {  // the server is gone: what is there expires
  }
}

void RedisRows::clean_up() {
  (void)caches_->far.history("bench").erase();
  (void)caches_->far.clear_all_cache();
}

std::vector<Row> RedisRows::rows() {
  std::vector<Row> rows;
  add_round_trips(rows);
  add_topology(rows);
  add_many_keys(rows);
  add_threads(rows);
  add_near(rows);
  add_whole_namespace(rows);
  add_background(rows);
  return rows;
}

void RedisRows::add_round_trips(std::vector<Row>& rows) {
  Caches& all = *caches_;
  const bool beside = peer_.why_not().empty();
  const auto add = [&](const std::string& what, const std::function<void()>& call, std::vector<std::string> command) {
    Row row{.what = what, .measure = [call] { return rate_of(slice, 4, [&](std::size_t) { call(); }); }};
    if (beside) {
      row.beside_what = "redis-benchmark -c 1";
      row.beside = [this, command = std::move(command)] { return peer_.rate(1, 1, 2000, command); };
    }
    rows.push_back(std::move(row));
  };
  for (const auto& [name, size] : {std::pair{"100 B", 100U}, std::pair{"1 KiB", 1024U}, std::pair{"16 KiB", 16'384U}}) {
    const std::string key = std::string{"value-"} + std::to_string(size);
    // As JSON the text has two quotes more.
    const auto value = std::make_shared<std::string>(size - 2, 'x');
    expect(bool{all.far.set(key, *value, {.ttl = lifetime})}, "a value is stored");
    add(std::string{"Redis: get, "} + name, [&all, key] { keep(all.far.get<std::string>(key)); },
        {"GET", all.space + key});
    if (size != 100) continue;
    add(std::string{"Redis: set, "} + name, [&all, key, value] { keep(all.far.set(key, *value, {.ttl = lifetime})); },
        {"SET", all.space + key, '"' + *value + '"', "PX", "300000"});
  }
}

void RedisRows::add_topology(std::vector<Row>& rows) {
  Caches& all = *caches_;
  cascor::json topology{{"hidden_units", 100}, {"weights", cascor::json::array()}};
  for (int i = 0; i < 20'000; ++i) topology["weights"].push_back(std::sin(i) * i);
  const auto text = std::make_shared<std::string>(topology.dump());
  expect(bool{all.far.cache_topology("large", topology, lifetime)}, "a topology is stored");
  rows.push_back(
      {.what = "Redis: get, topology of " + std::to_string(text->size() / 1024) + " KiB, decoded",
       .unit = Unit::seconds,
       .measure =
           [&all] { return 1 / rate_of(slice, 1, [&](std::size_t) { keep(all.far.get_cached_topology("large")); }); },
       .beside_what = "nlohmann's parse alone",
       .beside = [text] { return 1 / rate_of(slice, 1, [&](std::size_t) { keep(cascor::json::parse(*text)); }); }});
}

void RedisRows::add_many_keys(std::vector<Row>& rows) {
  Caches& all = *caches_;
  const auto keys = std::make_shared<std::vector<std::string>>();
  const auto entries = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
  for (std::size_t i = 0; i < many; ++i) {
    keys->push_back("many-" + std::to_string(i));
    entries->emplace_back(keys->back(), std::string(98, 'x'));
  }
  const auto add = [&](const char* what, const std::function<void()>& call, std::vector<std::string> command) {
    Row row{.what = std::string{"Redis: "} + what + " of 128, keys",
            .measure = [call] { return many * rate_of(slice, 1, [&](std::size_t) { call(); }); }};
    if (peer_.why_not().empty()) {
      row.beside_what = "redis-benchmark -c 1 -P 128";
      row.beside = [this, command = std::move(command)] { return peer_.rate(1, many, 60'000, command); };
    }
    rows.push_back(std::move(row));
  };
  const auto store = [&all, entries] { keep(all.far.set_many(*entries, {.ttl = lifetime})); };
  store();
  add("get_many", [&all, keys] { keep(all.far.get_many<std::string>(std::span{*keys})); },
      {"GET", all.space + keys->front()});
  add("set_many", store, {"SET", all.space + keys->front(), '"' + entries->front().second + '"', "PX", "300000"});
}

void RedisRows::add_threads(std::vector<Row>& rows) {
  Caches& all = *caches_;
  for (const std::size_t threads : {2U, 8U, 32U}) {
    Row row{.what = "Redis: get, 100 B, " + std::to_string(threads) + " threads", .measure = [&all, threads] {
              return rate_of_threads(threads, slice,
                                     [&](std::size_t, std::size_t) { keep(all.far.get<std::string>("value-100")); });
            }};
    if (peer_.why_not().empty()) {
      row.beside_what = "redis-benchmark -c " + std::to_string(threads);
      row.beside = [this, threads, command = std::vector<std::string>{"GET", all.space + "value-100"}] {
        return peer_.rate(threads, 1, 4000, command);
      };
    }
    rows.push_back(std::move(row));
  }
}

void RedisRows::add_near(std::vector<Row>& rows) {
  Caches& all = *caches_;
  const cascor::json value{{"epoch", 5}, {"train_loss", 0.25}, {"val_loss", 0.5}, {"hidden_units", 7}};
  expect(bool{all.far.cache_topology("near", value, lifetime)}, "a value is stored");
  rows.push_back({.what = "near cache: hit", .measure = [&all] {
                    return rate_of(slice, 64, [&](std::size_t) { keep(all.near->get_cached_topology("near")); });
                  }});
  rows.push_back(
      {.what = "near cache: another client's set until it is seen", .unit = Unit::seconds, .measure = [&all] {
         Series series;
         for (int i = 0; i < 20; ++i) {
           const auto number = static_cast<std::int64_t>(++all.epoch);
           (void)all.near->get_cached_topology<std::int64_t>("told");
           const auto began = Watch::now();
           (void)all.far.cache_topology("told", number, lifetime);
           while (all.near->get_cached_topology<std::int64_t>("told").value_or(0) != number)
             expect(seconds_since(began) < 5, "a change is seen");
           series.add(seconds_since(began));
         }
         return series.median();
       }});
}

void RedisRows::add_whole_namespace(std::vector<Row>& rows) {
  Caches& all = *caches_;
  rows.push_back({.what = "Redis: invalidate 1,000 keys by a pattern", .unit = Unit::seconds, .measure = [&all] {
                    std::vector<std::pair<std::string, int>> entries;
                    entries.reserve(1000);
                    for (int i = 0; i < 1000; ++i) entries.emplace_back("metrics:gone-" + std::to_string(i), i);
                    (void)all.far.set_many(entries, {.ttl = lifetime});
                    const auto began = Watch::now();
                    (void)all.far.invalidate_cache("metrics:gone-*");
                    return seconds_since(began);
                  }});
  rows.push_back({.what = "Redis: from nothing to the first get", .unit = Unit::seconds, .measure = [&all] {
                    const auto began = Watch::now();
                    cascor::CacheManager fresh{all.own};
                    keep(fresh.get<std::string>("value-100"));
                    return seconds_since(began);
                  }});
}

void RedisRows::add_background(std::vector<Row>& rows) {
  Caches& all = *caches_;
  const auto metrics = std::make_shared<cascor::json>(
      cascor::json{{"epoch", 5}, {"train_loss", 0.25}, {"val_loss", 0.5}, {"hidden_units", 7}});
  const auto write = [&all, metrics](bool background, int count) {
    const auto began = Watch::now();
    for (int i = 0; i < count; ++i) {
      keep(all.far.set("metrics:queued-" + std::to_string(i % 100), *metrics,
                       {.ttl = lifetime, .background = background}));
    }
    const double took = seconds_since(began) / count;
    expect(!background || all.far.flush(10s), "what was queued arrives");
    return took;
  };
  rows.push_back({.what = "write behind: set, time in its caller",
                  .unit = Unit::seconds,
                  .measure = [write] { return write(true, 1000); },
                  .beside_what = "sent and awaited",
                  .beside = [write] { return write(false, 300); }});
  rows.push_back({.what = "recorder: epoch, time in its caller", .unit = Unit::seconds, .measure = [&all] {
                    constexpr int epochs = 1000;
                    cascor::TrainingRecorder recorder{all.far, "bench"};
                    std::vector<cascor::json> records;
                    records.reserve(epochs);
                    for (int i = 0; i < epochs; ++i)
                      records.push_back({{"epoch", ++all.epoch}, {"train_loss", 0.25}, {"val_loss", 0.5}});
                    const auto began = Watch::now();
                    for (auto& record : records) (void)recorder.epoch(std::move(record));
                    const double took = seconds_since(began) / epochs;
                    expect(recorder.flush(10s), "what was recorded arrives");
                    return took;
                  }});
}

}  // namespace tool::bench
