#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "cascor/cache/backend_choice.hpp"
#include "cascor/cache/engine.hpp"
#include "cascor/cache/fallback.hpp"
#include "cascor/core/counters.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/memory/memory_backend.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_FN std::string ttl_text(milliseconds ttl) {
  if (ttl == no_expiry) return "none";
  std::string seconds = std::to_string(ttl.count() / 1000);
  if (const auto rest = ttl.count() % 1000; rest != 0) {
    std::string fraction = std::to_string(1000 + rest).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    seconds += '.' + fraction;
  }
  return seconds + 's';
}

CASCOR_CACHE_FN std::shared_ptr<const KeySpace> key_space(const CacheConfig& config) {
  const auto& prefixes = config.key_prefixes;
  return std::make_shared<const KeySpace>(
      config.key_namespace,
      std::array{prefixes.metrics, prefixes.topology, prefixes.session, prefixes.history, prefixes.control});
}

CASCOR_CACHE_FN MemoryCacheOptions memory_options(const CacheConfig& config, std::shared_ptr<const Clock> clock) {
  MemoryCacheOptions options;
  options.max_bytes = config.max_memory_mb << 20U;
  options.eviction = config.eviction;
  options.clock = std::move(clock);
  options.give_back_pages = true;  // the limit is one on resident memory
  return options;
}

// What an engine is made of. Nothing here is guarded: each part is safe by itself, the rest never changes.
template <class CascorWhenUsed>
struct EngineParts {
  CacheConfig config;
  Log log;
  std::shared_ptr<const Clock> clock;
  std::shared_ptr<const KeySpace> keys;
  std::array<milliseconds, prefix_count> ttls;
  Counters counters;
  std::shared_ptr<MemoryCounts<CascorWhenUsed>> memory_counts;
  MemoryBackend<CascorWhenUsed> memory;  // the backend itself, or what serves in Redis's place
  RemoteStore remote;                    // with `type: redis`
  std::atomic<bool> told_away{false};    // without a fallback: was the last line that Redis is away?
  std::optional<Fallback> fallback;      // with `type: redis`; last, as its thread uses the rest

  explicit EngineParts(const CacheConfig& wanted)
      : config{wanted.checked()},
        log{config.log_sink ? Log{config.log_sink} : Log{}},
        clock{config.clock ? config.clock : SystemClock::shared()},
        keys{key_space(config)},
        ttls{config.prefix_ttl.metrics, config.prefix_ttl.topology, config.prefix_ttl.session,
             config.prefix_ttl.history, config.prefix_ttl.control,  config.ttl},
        memory_counts{std::make_shared<MemoryCounts<CascorWhenUsed>>(keys)},
        memory{memory_options(config, clock), MemoryObserver<CascorWhenUsed>{memory_counts}} {
    start();
  }

  void start() {
    if (!config.enabled) return log.info("Cache disabled (backend.cache.enabled: false)");
    if (config.type == CacheType::memory) return log.info("Memory cache enabled (TTL: " + ttl_text(config.ttl) + ")");
    remote = make_remote_store(config, clock);
    fallback.emplace(*remote.store, fallback_options());
    greet();
  }

  FallbackOptions fallback_options() {
    FallbackOptions options;
    options.server = remote.server;
    options.everything = glob_escape(keys->key_namespace()) + '*';
    options.max_pending_bytes = memory.max_bytes() / 2;
    options.timeout = config.connection_pool.timeout;
    options.shutdown_timeout = config.shutdown_timeout;
    options.clock = clock;
    options.log = log;
    options.on_event = config.on_event;
    options.random = config.random;
    options.may_erase = [keys = keys](std::string_view key) { return keys->is_cached(key); };
    options.forget_memory = [this] { memory.clear(); };
    return options;
  }

  Deadline deadline() const { return Deadline{*clock, config.connection_pool.timeout}; }
  bool is_remote() const noexcept { return config.enabled && config.type == CacheType::redis; }
  bool may_fall_back() const noexcept { return config.fallback.enabled && !config.strict; }
  milliseconds ttl_of(Prefix prefix) const noexcept { return ttls[static_cast<std::size_t>(prefix)]; }

  // The first words with the server.
  void greet() {
    try {
      remote.store->ping(deadline());
    } catch (const CacheError& error) {
      if (config.strict || error.code() == ErrorCode::config) throw;
      if (!means_away(error)) log.warning(std::string{"Redis unavailable: "} + error.what());
      (void)note(error);
      return;
    }
    fallback->reached();
    const std::string ttl = " (TTL: " + ttl_text(config.ttl) + ")";
    log.info("Redis connection established: " + remote.server);
    log.info("Redis cache enabled" + ttl);
    log.info("Redis cache initialized" + ttl);
  }

  // A failed call's error: does memory serve from now on? With `strict`, or without a fallback, never.
  bool note(const CacheError& error) {
    if (!means_away(error)) return false;
    if (may_fall_back()) return fallback->lost(error);
    if (!config.strict && !told_away.exchange(true)) log.warning(std::string{"Redis unavailable: "} + error.what());
    return false;
  }
  void answered() {
    fallback->reached();
    if (told_away.load(std::memory_order_relaxed) && told_away.exchange(false)) {
      log.info("Redis connection restored: " + remote.server);
    }
  }

  // Runs `remotely` while Redis serves, else `locally`; `locally` returns nullopt when Redis has come back meanwhile.
  // Then there is one more call, by the same deadline, and no third. An error that memory cannot stand in for is
  // `refused`, or thrown with `strict`.
  template <class Result>
  Result served(const std::function<Result(Deadline)>& remotely, const std::function<std::optional<Result>()>& locally,
                const std::function<Result(const CacheError&)>& refused) {
    const Deadline by = deadline();
    std::shared_ptr<const CacheError> failed;
    for (int failures = 0; failures < 2;) {
      if (fallback->live()) {
        try {
          Result result = remotely(by);
          answered();
          return result;
        } catch (const CacheError& error) {
          if (config.strict) throw;
          if (!note(error) && fallback->live()) return refused(error);
          failed = error.share();
          ++failures;
        }
      }
      if (auto result = locally()) return std::move(*result);
    }
    return refused(*failed);
  }

  Found found_in_memory(std::string_view key) {
    Found found;
    Now now{*clock};
    found.held = memory.get(key, now);
    if (!found.held) return found;
    found.facts.status = CacheStatus::hit;
    found.facts.tier = CacheTier::memory;
    found.facts.age = std::chrono::floor<milliseconds>(now() - found.held.stored_at());
    found.facts.ttl = time_left(found.held.expires_at(), now());
    return found;
  }
  // nullopt: Redis came back in between, and took what was here along.
  std::optional<Found> found_in_fallback(std::string_view key) {
    Found found = found_in_memory(key);
    if (!found.held && fallback->live()) return std::nullopt;
    return found;
  }
  static Found failed(std::shared_ptr<const CacheError> error) {
    Found found;
    found.facts.status = CacheStatus::error;
    found.error = std::move(error);
    return found;
  }
  // An answer for one key. Errors that mean "away" are thrown, so that they take the same way as a lost connection.
  Found found_in_redis(StoreAnswer answer) {
    if (answer.error) {
      if (config.strict || means_away(*answer.error)) answer.error->raise();
      return failed(std::move(answer.error));
    }
    Found found;
    if (!answer.bytes) return found;
    found.bytes = std::make_shared<const std::string>(std::move(*answer.bytes));
    found.facts.status = CacheStatus::hit;
    found.facts.tier = CacheTier::redis;
    return found;
  }

  StoreResult store_in_memory(const Write& write, milliseconds ttl) {
    if (memory.set(write.key, write.value, ttl)) return StoreResult{CacheTier::memory};
    return StoreResult{std::make_shared<const DataError>(
        "a value of " + std::to_string(write.value.weight()) + " bytes in memory, more than the whole cache takes",
        "Raise max_memory_mb, or store it in parts.")};
  }
  std::vector<StoreResult> write_remotely(std::span<Write> writes, std::span<const milliseconds> ttls_of_writes,
                                          Deadline by);
  std::optional<std::vector<StoreResult>> write_in_fallback(std::span<Write> writes,
                                                            std::span<const milliseconds> ttls_of_writes);
};

// The engine: each member is defined below.
template <class CascorWhenUsed>
class TieredEngine final : public Engine {
 public:
  explicit TieredEngine(const CacheConfig& config) : parts_{config} {}

  const KeySpace& keys() const noexcept override { return *parts_.keys; }
  const CacheConfig& config() const noexcept override { return parts_.config; }
  const Log& log() const noexcept override { return parts_.log; }
  bool keeps_decoded() const noexcept override { return !parts_.is_remote(); }
  Found read(Prefix prefix, std::string_view key) override;
  std::vector<Found> read_many(std::span<const std::string_view> keys) override;
  void count_read(Prefix prefix, CacheStatus status) noexcept override;
  void remember(std::string_view key, const CacheHandle<StoredValue>& held, StoredValue value) noexcept override;
  std::vector<StoreResult> write(std::span<Write> writes) override;
  bool erase(std::string_view key) override;
  bool contains(std::string_view key) override;
  std::size_t erase_matching(const std::string& pattern) override;
  Health health() override;
  Stats stats() const override;

 private:
  using Parts = EngineParts<CascorWhenUsed>;
  Parts parts_;
};

template <class CascorWhenUsed>
Found TieredEngine<CascorWhenUsed>::read(Prefix prefix, std::string_view key) {
  Parts& p = parts_;
  if (!p.config.enabled) {
    Found none;
    none.facts.status = CacheStatus::disabled;
    return none;
  }
  if (!p.is_remote()) {
    // Two clock reads cost as much as half a hit: one in 64 is timed.
    thread_local std::uint32_t turn = 0;
    if (++turn % 64 != 0) return p.found_in_memory(key);
  }
  const auto start = std::chrono::steady_clock::now();
  Found found = !p.is_remote() ? p.found_in_memory(key)
                               : p.template served<Found>(
                                     [&](Deadline by) { return p.found_in_redis(p.remote.store->get(key, by)); },
                                     [&] { return p.found_in_fallback(key); },
                                     [](const CacheError& error) { return Parts::failed(error.share()); });
  p.counters.took_get(prefix, std::chrono::steady_clock::now() - start);
  return found;
}

template <class CascorWhenUsed>
std::vector<Found> TieredEngine<CascorWhenUsed>::read_many(std::span<const std::string_view> keys) {
  Parts& p = parts_;
  std::vector<Found> found;
  if (keys.empty()) return found;
  found.reserve(keys.size());
  if (!p.is_remote()) {
    for (const std::string_view key : keys) found.push_back(read(p.keys->prefix_of(key), key));
    return found;
  }
  return p.template served<std::vector<Found>>(
      [&](Deadline by) {
        std::vector<Found> all;
        all.reserve(keys.size());
        for (StoreAnswer& answer : p.remote.store->get_many(keys, by)) {
          all.push_back(p.found_in_redis(std::move(answer)));
        }
        return all;
      },
      [&] {
        std::vector<Found> all;
        all.reserve(keys.size());
        for (const std::string_view key : keys) all.push_back(p.found_in_memory(key));
        return p.fallback->live() ? std::nullopt : std::optional{std::move(all)};
      },
      [&](const CacheError& error) { return std::vector<Found>(keys.size(), Parts::failed(error.share())); });
}

template <class CascorWhenUsed>
void TieredEngine<CascorWhenUsed>::count_read(Prefix prefix, CacheStatus status) noexcept {
  switch (status) {
    case CacheStatus::hit: return parts_.counters.add(prefix, Count::hit);
    case CacheStatus::stale: return parts_.counters.add(prefix, Count::stale);
    case CacheStatus::error: return parts_.counters.add(prefix, Count::read_error);
    case CacheStatus::miss: return parts_.counters.add(prefix, Count::miss);
    case CacheStatus::disabled: return;
  }
}

template <class CascorWhenUsed>
void TieredEngine<CascorWhenUsed>::remember(std::string_view key, const StoredHandle& held,
                                            StoredValue value) noexcept {
  // In Redis's place memory keeps bytes only: its entries come and go under the fallback's lock, where no destructor of
  // an application's type may run.
  if (parts_.is_remote()) return;
  try {
    (void)parts_.memory.replace(key, held, std::move(value));
  } catch (...) {  // no memory for a second form: the next reader decodes again
  }
}

template <class CascorWhenUsed>
std::vector<StoreResult> TieredEngine<CascorWhenUsed>::write(std::span<Write> writes) {
  Parts& p = parts_;
  std::vector<StoreResult> results;
  if (writes.empty()) return results;
  if (!p.config.enabled) {
    static const auto why = std::make_shared<const ConfigError>("the cache is disabled (backend.cache.enabled: false)",
                                                                "Enable it to have values kept.");
    results.assign(writes.size(), StoreResult{why});
    return results;
  }
  const TimePoint now = p.clock->now();
  std::vector<milliseconds> ttls;
  ttls.reserve(writes.size());
  for (const Write& write : writes) ttls.push_back(write.ttl.resolve(p.ttl_of(write.prefix), now));

  const auto start = std::chrono::steady_clock::now();
  if (!p.is_remote()) {
    results.reserve(writes.size());
    for (std::size_t i = 0; i < writes.size(); ++i) results.push_back(p.store_in_memory(writes[i], ttls[i]));
  } else {
    results = p.template served<std::vector<StoreResult>>(
        [&](Deadline by) { return p.write_remotely(writes, ttls, by); },
        [&] { return p.write_in_fallback(writes, ttls); },
        [&](const CacheError& error) { return std::vector<StoreResult>(writes.size(), StoreResult{error.share()}); });
  }
  const auto took = (std::chrono::steady_clock::now() - start) / static_cast<std::int64_t>(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    p.counters.add(writes[i].prefix,
                   results[i] || results[i].tier() != CacheTier::none ? Count::set : Count::write_error);
    p.counters.took_set(writes[i].prefix, took);
  }
  return results;
}

template <class CascorWhenUsed>
std::vector<StoreResult> EngineParts<CascorWhenUsed>::write_remotely(std::span<Write> writes,
                                                                     std::span<const milliseconds> ttls_of_writes,
                                                                     Deadline by) {
  std::vector<std::shared_ptr<const std::string>> bytes;
  std::vector<StoreEntry> entries;
  bytes.reserve(writes.size());
  entries.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    bytes.push_back(writes[i].value.bytes());
    entries.push_back({writes[i].key, *bytes.back(), ttls_of_writes[i]});
  }
  std::vector<StoreResult> results;
  results.reserve(writes.size());
  for (StoreOutcome& outcome : remote.store->set_many(entries, by)) {
    if (outcome.error && (config.strict || means_away(*outcome.error))) outcome.error->raise();
    results.push_back(outcome.stored ? StoreResult{CacheTier::redis} : StoreResult{std::move(outcome.error)});
  }
  return results;
}

// nullopt: Redis came back in between.
template <class CascorWhenUsed>
std::optional<std::vector<StoreResult>> EngineParts<CascorWhenUsed>::write_in_fallback(
    std::span<Write> writes, std::span<const milliseconds> ttls_of_writes) {
  auto why = fallback->state().last_error;
  if (!why) why = std::make_shared<const ConnectionError>("Redis is away", "The value is kept in memory meanwhile.");
  std::vector<StoreResult> results;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    StoreResult stored{why, CacheTier::memory};
    const bool kept = fallback->keep_write(writes[i].key, writes[i].value.bytes(),
                                           expiry_after(clock->now(), ttls_of_writes[i]), [&] {
                                             if (auto result = store_in_memory(writes[i], ttls_of_writes[i]); !result)
                                               stored = std::move(result);
                                           });
    if (!kept) return std::nullopt;  // what this call kept has just been replayed; writing it again does no harm
    results.push_back(std::move(stored));
  }
  return results;
}

template <class CascorWhenUsed>
bool TieredEngine<CascorWhenUsed>::erase(std::string_view key) {
  Parts& p = parts_;
  if (!p.config.enabled) return false;
  if (!p.is_remote()) return p.memory.erase(key);
  return p.template served<bool>(
      [&](Deadline by) {
        return p.remote.store->erase_many({&key, 1}, by) == 1;
      },
      [&]() -> std::optional<bool> {
        bool erased = false;
        const auto erase_here = [&] { erased = p.memory.erase(key); };
        if (!p.fallback->keep_erasure(key, erase_here)) return std::nullopt;
        return erased;
      },
      [](const CacheError&) { return false; });
}

template <class CascorWhenUsed>
bool TieredEngine<CascorWhenUsed>::contains(std::string_view key) {
  Parts& p = parts_;
  if (!p.config.enabled) return false;
  if (!p.is_remote()) return p.memory.contains(key);
  return p.template served<bool>([&](Deadline by) { return p.remote.store->contains(key, by); },
                                 [&]() -> std::optional<bool> {
                                   const bool there = p.memory.contains(key);
                                   if (!there && p.fallback->live()) return std::nullopt;
                                   return there;
                                 },
                                 [](const CacheError&) { return false; });
}

template <class CascorWhenUsed>
std::size_t TieredEngine<CascorWhenUsed>::erase_matching(const std::string& pattern) {
  Parts& p = parts_;
  if (!p.config.enabled) return 0;
  const auto may_erase = [&p](std::string_view key) { return p.keys->is_cached(key); };
  const auto erase_here = [&] {
    return p.memory.erase_if([&](std::string_view key) { return may_erase(key) && glob_match(pattern, key); });
  };
  if (!p.is_remote()) return erase_here();
  return p.template served<std::size_t>(
      [&](Deadline) { return p.remote.store->erase_matching(pattern, may_erase, [&p] { return p.deadline(); }); },
      [&]() -> std::optional<std::size_t> {
        std::size_t erased = 0;
        if (!p.fallback->keep_invalidation(pattern, [&] { erased = erase_here(); })) {
          return std::nullopt;
        }
        return erased;
      },
      [&p](const CacheError& error) {
        p.log.warning(std::string{"Invalidation failed: "} + error.what());
        return std::size_t{0};
      });
}

template <class CascorWhenUsed>
Health TieredEngine<CascorWhenUsed>::health() {
  Parts& p = parts_;
  Health health;
  health.timestamp = iso8601(p.clock->wall());
  if (!p.config.enabled) {
    health.details.backend = "none";
    health.message = "Cache disabled (backend.cache.enabled: false)";
    return health;
  }
  health.status = HealthStatus::up;
  health.mode = HealthMode::live;
  if (!p.is_remote()) {
    health.details.backend = "memory";
    health.message = "Memory cache in use";
    return health;
  }
  HealthDetails& details = health.details;
  details.backend = "redis";
  details.host = p.remote.host;
  if (p.remote.port != 0) details.port = p.remote.port;
  std::shared_ptr<const CacheError> error;
  if (p.fallback->live()) {
    try {
      const ServerInfo info = p.remote.store->info(p.deadline());
      p.answered();
      details.last_ping_ms = info.ping_ms;
      health.message = "Redis connection healthy";
      if (info.info_error.empty()) {
        details.version = info.version;
        details.uptime_seconds = info.uptime_seconds;
        details.connected_clients = info.connected_clients;
        details.used_memory_human = info.used_memory_human;
      } else {
        details.info_error = info.info_error;
        health.message += " (limited info)";
      }
    } catch (const CacheError& failure) {
      error = failure.share();
      (void)p.note(failure);
    }
  } else {
    p.fallback->nudge();
  }
  const Fallback::State state = p.fallback->state();
  details.connection_attempts = state.attempts;
  details.pending_writes = state.pending_writes;
  details.pool = p.remote.store->pool();
  if (state.last_error) details.last_error = state.last_error->what();
  if (error) details.last_error = error->what();
  if (!state.live || error) {
    health.status = state.ever_reached ? HealthStatus::down : HealthStatus::unavailable;
    health.mode = state.live ? HealthMode::live : HealthMode::fallback;
    health.message = details.last_error.value_or("Redis is away");
  }
  return health;
}

template <class CascorWhenUsed>
Stats TieredEngine<CascorWhenUsed>::stats() const {
  Stats stats = parts_.counters.summary();
  parts_.memory_counts->add_to(stats);
  return stats;
}

CASCOR_CACHE_DEF std::unique_ptr<Engine> make_engine(const CacheConfig& config) {
  return std::make_unique<TieredEngine<void>>(config);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
