// What an engine is made of, and the one way in which a call goes to Redis or to memory in its place.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cascor/cache/backend_choice.hpp"
#include "cascor/cache/change_signal.hpp"
#include "cascor/cache/engine.hpp"
#include "cascor/cache/event_teller.hpp"
#include "cascor/cache/fallback.hpp"
#include "cascor/cache/memory_counting.hpp"
#include "cascor/cache/near_cache.hpp"
#include "cascor/cache/start_lines.hpp"
#include "cascor/cache/tags.hpp"
#include "cascor/core/counters.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/memory/memory_backend.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Runs `work` when a call is through, however it ends: what it changed is let go of near then. What was read from
/// Redis while it was under way goes too, and who reads meanwhile may find the one or the other.
template <class Work>
class AtEnd {
 public:
  explicit AtEnd(Work work) : work_{std::move(work)} {}
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() { work_(); }

 private:
  Work work_;
};

/// Nothing here is guarded: each part is safe by itself, the rest never changes.
template <class CascorWhenUsed = void>
struct EngineParts {
  using Back = Fallback<CascorWhenUsed>;
  using Near = NearCache<CascorWhenUsed>;
  using Pending = typename Back::Pending;
  using Serving = typename Back::Serving;
  // Dependent, so that no container of them is made where this is included only.
  template <class T>
  using Later = Dependent<T, CascorWhenUsed>;
  using Found = Later<detail::Found>;
  using Writes = Later<std::span<Write>>;
  using Ttls = Later<std::span<const milliseconds>>;
  using Results = Later<std::vector<StoreResult>>;
  using Keys = Later<std::span<const std::string_view>>;
  using Text = Later<std::string>;

  Later<CacheConfig> config;
  Later<Log> log;
  Later<std::shared_ptr<const Clock>> clock;
  Later<std::shared_ptr<const KeySpace>> keys;
  Later<std::array<milliseconds, prefix_count>> ttls;
  Later<Counters> counters;
  std::unique_ptr<EventTeller<CascorWhenUsed>> events;  // null without a handler; the rest tells it things to its end
  std::shared_ptr<MemoryCounts<CascorWhenUsed>> memory_counts;
  MemoryBackend<CascorWhenUsed> memory;            // the backend itself, or what serves in Redis's place
  TagIndex<CascorWhenUsed> tags;                   // of memory
  TaggedKeys<CascorWhenUsed> tagged;               // in Redis, by this process
  RemoteStore<CascorWhenUsed> remote;              // with `type: redis`
  Later<std::atomic<bool>> told_away{false};       // without a fallback: was the last line that Redis is away?
  std::chrono::steady_clock::time_point end_by{};  // once the cache ends
  Later<std::atomic<bool>> abandoned{false};
  Later<std::atomic<ChangeListener*>> listener{nullptr};
  Later<ChangeSignal> changed;                    // rung when the server says that a key near has changed
  std::optional<Near> near;                       // with `type: redis`, unless it is switched off
  Later<std::unique_ptr<InvalidationLink>> link;  // with `near`; its thread uses that and the fallback
  std::optional<Back> fallback;                   // with `type: redis`; last, as its thread uses the rest

  explicit EngineParts(const CacheConfig& wanted)
      : config{wanted.checked()},
        log{config.log_sink ? Log{config.log_sink} : Log{}},
        clock{config.clock ? config.clock : SystemClock::shared()},
        keys{names(config)},
        ttls{config.prefix_ttl.metrics, config.prefix_ttl.topology, config.prefix_ttl.session,
             config.prefix_ttl.history, config.prefix_ttl.control,  config.ttl},
        events{config.on_event ? std::make_unique<EventTeller<CascorWhenUsed>>(config.on_event, log, keys) : nullptr},
        memory_counts{
            std::make_shared<MemoryCounts<CascorWhenUsed>>(keys, events != nullptr ? &events->of_memory() : nullptr)},
        memory{memory_options(config, clock), MemoryObserver<CascorWhenUsed>{memory_counts}} {
    start();
  }
  EngineParts(const EngineParts&) = delete;
  EngineParts& operator=(const EngineParts&) = delete;
  ~EngineParts() {
    if (remote.store) remote.store->when_replaced({});  // the fallback goes first
    if (link) link->close();                            // which may nudge it still
  }

  // ---- the end

  /// See Engine.
  void end_events() noexcept {
    if (!events) return;
    if (events->is_inside()) {
      log.error(destroyed_inside);
      std::terminate();
    }
    events->settle(std::chrono::steady_clock::now() + config.shutdown_timeout);
  }
  void begin_end() {
    end_by = std::chrono::steady_clock::now() + config.shutdown_timeout;
    fallback->end_by(end_by);
  }
  /// Nobody waits for Redis any more, and that calls end for it says nothing about Redis.
  void abandon() noexcept {
    abandoned.store(true, std::memory_order_release);
    remote.store->stop();
  }

  // ---- the beginning

  static std::shared_ptr<const KeySpace> names(const Later<CacheConfig>& config) {
    const auto& prefixes = config.key_prefixes;
    return std::make_shared<const KeySpace>(
        config.key_namespace,
        std::array{prefixes.metrics, prefixes.topology, prefixes.session, prefixes.history, prefixes.control});
  }
  static MemoryCacheOptions memory_options(const Later<CacheConfig>& config,
                                           const Later<std::shared_ptr<const Clock>>& clock) {
    Later<MemoryCacheOptions> options;
    options.max_bytes = config.max_memory_mb << 20U;
    options.eviction = config.eviction;
    options.clock = clock;
    options.give_back_pages = true;  // the limit is one on resident memory
    return options;
  }
  static Text ttl_text(milliseconds ttl) {
    if (ttl == no_expiry) return "none";
    Text seconds = std::to_string(ttl.count() / 1000);
    if (const auto rest = ttl.count() % 1000; rest != 0) {
      Text fraction = std::to_string(1000 + rest).substr(1);
      fraction.erase(fraction.find_last_not_of('0') + 1);
      seconds += '.' + fraction;
    }
    return seconds + 's';
  }

  void start() {
    if (!config.enabled) return log.info("Cache disabled (backend.cache.enabled: false)");
    if (config.type == CacheType::memory) {
      log_start(log, config);
      return log.info("Memory cache enabled (TTL: " + ttl_text(config.ttl) + ")");
    }
    remote = make_remote_store(config, clock);
    log_start(log, config);
    fallback.emplace(*remote.store, fallback_options());
    if (config.near_cache.enabled && remote.make_link) keep_near();
    greet();
    remote.store->when_replaced([this] {
      if (link) link->renew();
      fallback->nudge();
    });
  }
  void keep_near() {
    typename Near::Options options;
    options.keys = keys;
    options.prefixes = config.near_prefixes();
    options.max_bytes = config.near_cache.max_memory_mb << 20U;
    options.eviction = config.eviction;
    if (may_fall_back()) options.stale_for = config.fallback.stale_for;
    options.clock = clock;
    options.on_refused = [told = log](const CacheError& why) {
      told.info(Text{"Near cache not used: "} + why.what() +
                " (it needs Redis 6, and an account with +client and &__redis__:invalidate)");
    };
    options.listener = &listener;
    options.changed = &changed;
    options.events = events.get();
    near.emplace(std::move(options));
    link = remote.make_link(
        {config.near_prefixes(), keys->key_namespace() + "invalidate", [this] { return fallback->live(); }}, *near);
  }

  typename Back::Options fallback_options() {
    typename Back::Options options;
    options.server = remote.server;
    options.everything = glob_escape(keys->key_namespace()) + '*';
    options.wider = [](const void* space, std::string_view key) {
      const auto& names = *static_cast<const KeySpace*>(space);
      return glob_escape(names.text(names.prefix_of(key))) + '*';
    };
    options.wider_context = keys.get();
    options.max_pending_bytes = memory.max_bytes() / 2;
    if (may_fall_back()) options.max_seen_bytes = memory.max_bytes() / 16;
    options.timeout = config.connection_pool.timeout;
    options.shutdown_timeout = config.shutdown_timeout;
    options.clock = clock;
    options.log = log;
    options.events = events.get();
    options.random = config.random;
    options.may_erase = [names = keys](std::string_view key) { return names->is_cached(key); };
    options.forget_memory = [this] {
      const bool any = memory.erase_matching("*") > 0;  // what is kept aside stays
      tags.clear();
      if (any && !near && events) events->flushed(FlushReason::returned);
      if (!near) return;
      near->outdate(FlushReason::returned);
      link->nudge();
    };
    return options;
  }

  // The first words with the server.
  void greet() {
    try {
      remote.store->ping(deadline(whenever));
    } catch (const CacheError& error) {
      if (config.strict || error.code() == ErrorCode::config) throw;
      if (!means_away(error)) log.warning(Text{"Redis unavailable: "} + error.what());
      (void)note(error, fallback->now(), true);
      return;
    }
    fallback->reached();
    const Text ttl = " (TTL: " + ttl_text(config.ttl) + ")";
    log.info("Redis connection established: " + remote.server);
    log.info("Redis cache enabled" + ttl);
    log.info("Redis cache initialized" + ttl);
  }

  // ---- every call

  bool is_remote() const noexcept { return config.enabled && config.type == CacheType::redis; }
  bool may_fall_back() const noexcept { return config.fallback.enabled && !config.strict; }
  milliseconds ttl_of(Prefix prefix) const noexcept { return ttls[static_cast<std::size_t>(prefix)]; }

  Deadline deadline(TimePoint until) const {
    const Deadline whole{*clock, config.connection_pool.timeout};
    if (until == whenever) return whole;
    return Deadline::sooner(whole, Deadline{*clock, std::chrono::ceil<milliseconds>(until - clock->now())});
  }

  // A failed call's error: may memory serve in Redis's place? With `strict`, or without a fallback, never; then each
  // change is a line all the same.
  bool note(const CacheError& error, typename Back::Now seen, bool certain = false) {
    if (!means_away(error) || abandoned.load(std::memory_order_acquire)) return false;
    if (may_fall_back()) return fallback->lost(error, seen, certain);
    if (!told_away.exchange(true)) log.warning(Text{"Redis unavailable: "} + error.what());
    return false;
  }
  void answered() {
    fallback->reached();
    if (told_away.load(std::memory_order_relaxed) && told_away.exchange(false)) {
      log.info("Redis connection restored: " + remote.server);
    }
  }

  // Runs `remotely(deadline)` while Redis serves, else `locally()`, which returns nullopt when Redis has come back
  // meanwhile; then Redis is asked again, by the same deadline. While it is undecided who serves, the call waits for
  // the decision; when its time is up before, `locally` keeps what is to be kept and tells what there is. An error that
  // memory cannot stand in for is `refused(error)`, or thrown with `strict`; and so is whatever becomes of a call that
  // must be sent once only.
  enum class Sent : unsigned char { again, once };
  template <class Result, class Remotely, class Locally, class Refused>
  Result served(TimePoint until, const Remotely& remotely, const Locally& locally, const Refused& refused,
                Sent sent = Sent::again) {
    constexpr int most_losses = 8;  // in one call, where the server comes and goes
    const Deadline by = deadline(until);
    std::shared_ptr<const CacheError> failed;
    for (int failures = 0; failures < most_losses;) {
      if (fallback->now().serving == Serving::undecided) fallback->await_decision(by);
      const auto seen = fallback->now();
      if (seen.serving == Serving::redis) {
        if (by.passed()) {
          failed = failed ? out_of_time_after(*failed) : out_of_time();
          break;
        }
        try {
          Result result = remotely(by);
          answered();
          return result;
        } catch (const CacheError& error) {
          const bool memory_may = note(error, seen);
          if (config.strict) throw;
          if (!memory_may || sent == Sent::once) return refused(error);
          failed = error.share();
          ++failures;
        }
        if (fallback->now().serving == Serving::undecided) fallback->await_decision(by);
        if (fallback->now().serving != Serving::memory && !by.passed()) continue;
      }
      // Whatever went wrong before: that it is not decided yet is for want of time.
      if (fallback->now().serving == Serving::undecided && (!failed || failed->code() != ErrorCode::timeout)) {
        failed = failed ? out_of_time_after(*failed) : out_of_time();
      }
      if (std::optional<Result> result = locally(failed.get())) return std::move(*result);
    }
    if (config.strict) failed->raise();
    return refused(*failed);
  }
  // See Engine.
  bool remotely(const RemoteCall& call, TimePoint until) {
    if (!is_remote()) return false;
    return served<bool>(
        until,
        [&](Deadline by) {
          call(*remote.store, by);
          return true;
        },
        [&](const CacheError*) { return fallback->live() ? std::nullopt : std::optional<Later<bool>>{false}; },
        [&](const CacheError& error) {
          error.raise();
          return false;
        });
  }
  std::shared_ptr<const CacheError> out_of_time_after(const CacheError& error) const {
    return std::make_shared<const Later<TimeoutError>>(
        "Timeout while Redis on " + remote.server + " came and went; it said: " + error.what(), error.hint());
  }
  std::shared_ptr<const CacheError> out_of_time() const {
    return std::make_shared<const Later<TimeoutError>>("Timeout before Redis on " + remote.server + " was asked",
                                                       "Give the call more time, or see whether the server is busy.");
  }

  // ---- reading

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
  // nullopt: Redis came back in between, and took what was here along. A miss is one only where Redis is known to be
  // away: of a call that ran out of time it is not known whether there is a value. What was written here meanwhile
  // goes before what is near, which is only stale.
  std::optional<Found> found_in_fallback(std::string_view key, const CacheError* why) {
    Found found = found_in_memory(key);
    if (found.held) return found;
    found = found_stale(key);
    const Serving serving = fallback->now().serving;  // looked at last: what is near goes when Redis is back
    if (serving == Serving::redis) return std::nullopt;
    if (serving == Serving::undecided && why != nullptr) return failed(why->share());
    if (found.near) found.error = why != nullptr ? why->share() : fallback->state().last_error;
    return found;
  }
  static Found failed(const std::shared_ptr<const CacheError>& error) {
    Found found;
    found.facts.status = CacheStatus::error;
    found.error = error;
    return found;
  }
  // An answer for one key. Errors that mean "away" are thrown, so that they take the same way as a lost connection.
  Found found_in_redis(StoreAnswer answer) {
    if (answer.error) {
      if (config.strict || means_away(*answer.error)) answer.error->raise();
      return failed(answer.error);
    }
    Found found;
    if (!answer.bytes) return found;
    found.bytes = std::make_shared<const Text>(std::move(*answer.bytes));
    found.facts.status = CacheStatus::hit;
    found.facts.tier = CacheTier::redis;
    return found;
  }

  // ---- near

  bool keeps_near(Prefix prefix) const noexcept { return near && near->covers(prefix); }
  Found found_near(std::string_view key) {
    Found found;
    Now now{*clock};
    found.near = near->fresh(key, now);
    if (found.near) tell_near(found, CacheStatus::hit, now());
    return found;
  }
  Found found_stale(std::string_view key) {
    Found found;
    if (!keeps_near(keys->prefix_of(key))) return found;
    Now now{*clock};
    found.near = near->stale(key, now);
    if (found.near) tell_near(found, CacheStatus::stale, now());
    return found;
  }
  static void tell_near(Found& found, CacheStatus status, TimePoint now) {
    found.facts.status = status;
    found.facts.tier = CacheTier::memory;
    found.facts.age = std::chrono::floor<milliseconds>(now - found.near.stored_at());
    found.facts.ttl = time_left(found.near->expires, now);
  }
  // A read that fills the near cache, by the same round trip.
  Found load_near(std::string_view key, Deadline by) {
    const typename Near::Loading loading{*near, key};
    return loaded(loading, std::move(remote.store->get_with_ttl({&key, 1}, 1, by).front()));
  }
  Found loaded(const typename Near::Loading& loading, StoreAnswer answer) {
    const auto ttl = answer.ttl;
    Found found = found_in_redis(std::move(answer));
    if (found.error) return found;
    if (ttl && *ttl != no_expiry) found.facts.ttl = ttl;
    found.near = near->finish(loading, found.bytes, ttl);
    return found;
  }
  // Keys that are not near, in one round trip; `all` has a place for each key, and those that are near in theirs.
  void load_many(Keys wanted, Later<std::vector<Found>>& all, Deadline by);

  void forget_near(Prefix prefix, std::string_view key) {
    if (keeps_near(prefix)) near->forget(key);
  }
  // Of a change made here: the server tells of it too where the link covers it, and that is told.
  void tell_changed(Prefix prefix, std::string_view key) const noexcept {
    ChangeListener* const hears = listener.load(std::memory_order_acquire);
    if (hears != nullptr && !(keeps_near(prefix) && near->link_is_up())) hears->key_changed(key);
  }

  void add_near_to(NearStats& stats) const {
    if (!near) return;
    stats.link = to_string(link->state());
    near->add_to(stats);
  }

  // ---- writing

  // What matches and is no key of the library's own, in memory.
  std::size_t erase_here(const std::string& pattern) {
    Later<std::vector<std::string>> told;
    if (listener.load(std::memory_order_acquire) != nullptr) {
      const auto matches = [&](std::string_view key) { return keys->is_cached(key) && glob_match(pattern, key); };
      told = memory.keys_matching(matches, std::numeric_limits<std::size_t>::max());
    }
    const std::size_t erased = memory.erase_matching(pattern);
    for (const std::string& key : told) tell_changed(keys->prefix_of(key), key);
    return erased;
  }

  static const std::shared_ptr<const CacheError>& unmet_condition() {
    static const std::shared_ptr<const CacheError> why = std::make_shared<const Later<DataError>>(
        "not stored: only_if does not hold for the key", "Leave only_if out to store whatever is there.");
    return why;
  }
  StoreResult store_in_memory(const Write& write, milliseconds ttl) {
    switch (memory.set_if(write.key, write.value, ttl, write.only_if)) {
      case SetOutcome::stored:
        if (write.value.tags()) {
          tags.add(write.key, *write.value.tags(), [this](std::string_view key) { return memory.contains(key); });
        }
        return StoreResult{CacheTier::memory};
      case SetOutcome::condition_failed: return StoreResult{unmet_condition()};
      case SetOutcome::too_large: break;
    }
    return StoreResult{std::make_shared<const Later<DataError>>(
        "a value of " + std::to_string(write.value.weight()) + " bytes in memory, more than the whole cache takes",
        "Raise max_memory_mb, or store it in parts.")};
  }
  // A key's tags have to know how long it lives. Before it is told to the key: too long does no harm.
  void retag(std::string_view key, milliseconds ttl, Deadline by) {
    if (!tagged.any()) return;
    if (const auto names = tagged.former(key, nullptr); !names.empty()) remote.store->retag(key, names, ttl, by);
  }
  // What carries the tag; how many entries went, and which. A value that is stored without it in the very same moment
  // may go too.
  std::size_t erase_tagged_here(const Later<std::string>& tag, Later<std::vector<std::string>>& gone) {
    std::size_t erased = 0;
    for (const auto& key : tags.take(tag)) {
      const StoredHandle held = memory.get(key);
      const ValueTags* const of = held ? held->tags().get() : nullptr;
      if (of == nullptr || std::find(of->names.begin(), of->names.end(), tag) == of->names.end()) continue;
      if (memory.erase(key)) ++erased;
      gone.push_back(key);
    }
    return erased;
  }
  Results write_remotely(Writes writes, Ttls ttls_of_writes, Deadline by);
  // `over_seen`: their conditions are for memory; what was seen in Redis before stands in no way.
  std::optional<Results> write_in_fallback(Writes writes, Ttls ttls_of_writes, bool over_seen = false);
};

template <class CascorWhenUsed>
void EngineParts<CascorWhenUsed>::load_many(Keys wanted, Later<std::vector<Found>>& all, Deadline by) {
  all.assign(wanted.size(), Found{});
  Later<std::vector<std::size_t>> places;  // of those that are not near; first those that will be
  Later<std::vector<std::size_t>> plain;
  Later<std::deque<typename Near::Loading>> loads;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!keeps_near(keys->prefix_of(wanted[i]))) {
      plain.push_back(i);
      continue;
    }
    all[i] = found_near(wanted[i]);
    if (all[i].near) continue;
    link->open();
    loads.emplace_back(*near, wanted[i]);
    places.push_back(i);
  }
  places.insert(places.end(), plain.begin(), plain.end());
  if (places.empty()) return;
  Later<std::vector<std::string_view>> asked;
  asked.reserve(places.size());
  for (const std::size_t place : places) asked.push_back(wanted[place]);
  auto answers =
      loads.empty() ? remote.store->get_many(asked, by) : remote.store->get_with_ttl(asked, loads.size(), by);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    all[places[i]] = i < loads.size() ? loaded(loads[i], std::move(answers[i])) : found_in_redis(std::move(answers[i]));
  }
}

template <class CascorWhenUsed>
auto EngineParts<CascorWhenUsed>::write_remotely(Writes writes, Ttls ttls_of_writes, Deadline by) -> Results {
  Later<std::vector<std::shared_ptr<const std::string>>> bytes;
  Later<std::vector<StoreEntry>> entries;
  Later<std::deque<std::vector<std::string>>> former;  // whose elements stay where they are
  bytes.reserve(writes.size());
  entries.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    bytes.push_back(writes[i].value.bytes());
    entries.push_back({writes[i].key, *bytes.back(), ttls_of_writes[i], writes[i].only_if, {}, {}});
    const ValueTags* const now = writes[i].value.tags().get();
    if (now != nullptr) entries.back().tags = now->names;
    if (tagged.any()) entries.back().former_tags = former.emplace_back(tagged.former(writes[i].key, now));
  }
  Results results;
  results.reserve(writes.size());
  for (auto& outcome : remote.store->set_many(entries, by)) {
    if (outcome.error && means_away(*outcome.error)) outcome.error->raise();
    if (outcome.stored) {
      const Write& write = writes[results.size()];
      if (write.value.tags() || tagged.any()) tagged.note(write.key, write.value.tags());
      results.push_back(StoreResult{CacheTier::redis});
    } else {
      results.push_back(StoreResult{outcome.error ? std::move(outcome.error) : unmet_condition()});
    }
  }
  return results;
}

// nullopt: Redis came back in between.
template <class CascorWhenUsed>
auto EngineParts<CascorWhenUsed>::write_in_fallback(Writes writes, Ttls ttls_of_writes, bool over_seen)
    -> std::optional<Results> {
  auto why = fallback->state().last_error;
  if (!why)
    why = std::make_shared<const Later<ConnectionError>>("Redis is away", "The value is kept in memory meanwhile.");
  Later<std::vector<std::shared_ptr<const std::string>>> bytes;
  for (const Write& write : writes) bytes.push_back(write.value.bytes());
  Results results;
  // All or none: what would be kept here and written again there would find its own condition unmet.
  const bool kept = fallback->keep([&](Pending& pending) {
    for (std::size_t i = 0; i < writes.size(); ++i) {
      results.push_back(store_in_memory(writes[i], ttls_of_writes[i]));
      if (!results.back()) {
        // Too large for memory, and so for what waits: it is nowhere, and no older value stands for it.
        const bool in_any_case = writes[i].only_if == OnlyIf::always;
        if (in_any_case && results.back().error() != unmet_condition().get()) pending.erase(writes[i].key);
        continue;
      }
      results.back() = StoreResult{why, CacheTier::memory};
      pending.write(writes[i].key, bytes[i], expiry_after(clock->now(), ttls_of_writes[i]),
                    over_seen ? OnlyIf::always : writes[i].only_if, writes[i].value.tags());
    }
  });
  return kept ? std::optional{std::move(results)} : std::nullopt;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
