#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "cascor/cache/end_guard.hpp"
#include "cascor/cache/tiered_engine.hpp"
#include "cascor/cache/tiered_engine_class.hpp"
#include "cascor/redis/command_rules.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// What is computed in the background may use the engine to its end. From then on the rest has shutdown_timeout in all:
// who is waiting for Redis by then waits no longer.
template <class CascorWhenUsed>
TieredEngine<CascorWhenUsed>::~TieredEngine() {
  computations_.stop();
  if (!parts_.is_remote()) return;
  parts_.begin_end();
  const EndGuard guard{parts_.end_by, [this] { parts_.abandon(); }};
  above_.end();
}

template <class CascorWhenUsed>
Found TieredEngine<CascorWhenUsed>::read(Prefix prefix, std::string_view key, TimePoint until) {
  Parts& p = parts_;
  if (!p.config.enabled) {
    Later<Found> none;
    none.facts.status = CacheStatus::disabled;
    return none;
  }
  // Two clock reads cost as much as half a hit in memory: one in 64 is timed.
  thread_local std::uint32_t turn = 0;
  const bool timed = ++turn % 64 == 0;
  if (!p.is_remote() && !timed) return p.found_in_memory(key);
  if (behind_.any()) {
    if (auto queued = behind_.find(key)) return std::move(*queued);
  }
  const bool near = p.keeps_near(prefix);
  if (near && !timed) {
    Found found = near_hit(key);
    if (found.near) return found;
  }
  const auto start = std::chrono::steady_clock::now();
  Found found = !p.is_remote() ? p.found_in_memory(key) : near && timed ? near_hit(key) : Found{};
  if (p.is_remote() && !found.near) found = read_remotely(prefix, key, until);
  p.counters.took_get(prefix, std::chrono::steady_clock::now() - start);
  return found;
}

template <class CascorWhenUsed>
Found TieredEngine<CascorWhenUsed>::read_remotely(Prefix prefix, std::string_view key, TimePoint until) {
  Parts& p = parts_;
  return counting(prefix, Count::read_error, [&] {
    return p.template served<Found>(
        until,
        [&](Deadline by) {
          if (!p.keeps_near(prefix)) return p.found_in_redis(p.remote.store->get(key, by));
          p.link->open();
          return p.load_near(key, by);
        },
        [&](Why why) { return p.found_in_fallback(key, why); },
        [](const CacheError& error) { return Parts::failed(error.share()); });
  });
}

template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::read_many(std::span<const std::string_view> keys, TimePoint until) -> AllFound {
  Parts& p = parts_;
  AllFound found;
  if (keys.empty()) return found;
  if (!p.is_remote()) {
    found.reserve(keys.size());
    for (const std::string_view key : keys) found.push_back(read(p.keys->prefix_of(key), key, until));
    return found;
  }
  if (behind_.any()) {
    Later<std::vector<std::string_view>> others;
    Later<std::vector<std::size_t>> places;
    found.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (auto queued = behind_.find(keys[i])) {
        found[i] = std::move(*queued);
      } else {
        others.push_back(keys[i]);
        places.push_back(i);
      }
    }
    auto rest = read_all(others, until);
    for (std::size_t i = 0; i < rest.size(); ++i) found[places[i]] = std::move(rest[i]);
    return found;
  }
  return read_all(keys, until);
}

// Of keys of which nothing is queued.
template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::read_all(std::span<const std::string_view> keys, TimePoint until) -> AllFound {
  Parts& p = parts_;
  if (keys.empty()) return {};
  const Prefix prefix = p.keys->prefix_of(keys.front());
  return counting(prefix, Count::read_error, keys.size(), [&] {
    return p.template served<AllFound>(
        until,
        [&](Deadline by) {
          AllFound all;
          p.load_many(keys, all, by);
          return all;
        },
        [&](Why why) -> std::optional<AllFound> {
          AllFound all;
          all.reserve(keys.size());
          for (const std::string_view key : keys) {
            auto one = p.found_in_fallback(key, why);
            if (!one) return std::nullopt;
            all.push_back(std::move(*one));
          }
          return all;
        },
        [&](const CacheError& error) { return AllFound(keys.size(), Parts::failed(error.share())); });
  });
}

template <class CascorWhenUsed>
void TieredEngine<CascorWhenUsed>::count_read(Prefix prefix, CacheStatus status, CacheTier tier) noexcept {
  switch (status) {
    case CacheStatus::hit:
      parts_.counters.add(prefix, Count::hit);
      if (tier == CacheTier::redis) parts_.counters.add(prefix, Count::redis_hit);
      return;
    case CacheStatus::stale: return parts_.counters.add(prefix, Count::stale);
    case CacheStatus::error: return parts_.counters.add(prefix, Count::read_error);
    case CacheStatus::miss: return parts_.counters.add(prefix, Count::miss);
    case CacheStatus::disabled: return;
  }
}

template <class CascorWhenUsed>
void TieredEngine<CascorWhenUsed>::remember(std::string_view key, const Found& found, StoredValue value) noexcept {
  try {
    if (found.near) return parts_.near->remember(key, found.near, std::move(value));
    // In Redis's place memory keeps bytes only: its entries come and go under the fallback's lock, where no destructor
    // of an application's type may run.
    if (!parts_.is_remote()) (void)parts_.memory.replace(key, found.held, std::move(value));
  } catch (...) {  // no memory for a second form: the next reader decodes again
  }
}

template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::write(std::span<Write> writes, TimePoint until) -> Results {
  Parts& p = parts_;
  Results results;
  if (writes.empty()) return results;
  const TimePoint now = p.clock->now();
  Later<std::vector<milliseconds>> ttls;
  ttls.reserve(writes.size());
  for (const Write& write : writes) ttls.push_back(write.ttl.resolve(p.ttl_of(write.prefix), now));
  if (!p.config.enabled) {
    static const auto why = std::make_shared<const Later<ConfigError>>(
        "the cache is disabled (backend.cache.enabled: false)", "Enable it to have values kept.");
    results.assign(writes.size(), StoreResult{why});
    return results;
  }
  const auto change = computations_.writing(writes, until);

  const auto start = std::chrono::steady_clock::now();
  if (!p.is_remote()) {
    results.reserve(writes.size());
    for (std::size_t i = 0; i < writes.size(); ++i) results.push_back(p.store_in_memory(writes[i], ttls[i]));
  } else if (writes.front().only_if == OnlyIf::always && (p.config.write_behind.enabled || writes.front().background)) {
    const Deadline by = p.deadline(until);
    for (std::size_t i = 0; i < writes.size(); ++i) {  // in the order given; each waits for room by itself
      auto queued = behind_.put(writes[i], now, ttls[i], by);
      results.push_back(queued ? std::move(*queued)
                               : std::move(write_now(writes.subspan(i, 1), {&ttls[i], 1}, until).front()));
    }
  } else {
    results = write_now(writes, ttls, until);
  }
  const auto took = (std::chrono::steady_clock::now() - start) / static_cast<std::int64_t>(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    p.counters.took_set(writes[i].prefix, took);
    if (results[i].error() == Parts::unmet_condition().get()) continue;
    p.tell_changed(writes[i].prefix, writes[i].key);
    p.counters.add(writes[i].prefix,
                   results[i] || results[i].tier() != CacheTier::none ? Count::set : Count::write_error);
  }
  return results;
}

template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::write_now(std::span<Write> writes, typename Parts::Ttls ttls, TimePoint until)
    -> Results {
  Parts& p = parts_;
  for (const Write& write : writes) {
    if (!behind_.is_settled(write.key, until))
      return Results(writes.size(), StoreResult{behind_.too_long(write.prefix)});
  }
  const AtEnd forget{[&] {
    for (const Write& write : writes) p.forget_near(write.prefix, write.key);
  }};
  // Sent twice, a write where there is none would find what it wrote itself.
  const bool once =
      std::any_of(writes.begin(), writes.end(), [](const Write& w) { return w.only_if == OnlyIf::absent; });
  return counting(writes.front().prefix, Count::write_error, writes.size(), [&] {
    return p.template served<Results>(
        until,
        [&](Deadline by) {
          Results results = p.write_remotely(writes, ttls, by);
          if (!p.config.strict) return results;
          for (const StoreResult& one : results) {
            if (!one && one.error() != Parts::unmet_condition().get()) one.error()->raise();
          }
          return results;
        },
        [&](Why) { return p.write_in_fallback(writes, ttls); },
        [&](const CacheError& error) { return Results(writes.size(), StoreResult{error.share()}); },
        once ? Parts::Sent::once : Parts::Sent::again);
  });
}

template <class CascorWhenUsed>
bool TieredEngine<CascorWhenUsed>::erase(std::string_view key, TimePoint until) {
  Parts& p = parts_;
  if (!p.config.enabled) return false;
  if (p.is_remote()) until = p.deadline(until).at();  // one for all that it waits for
  const auto change = computations_.removing(key, until);
  const Prefix prefix = p.keys->prefix_of(key);
  const AtEnd forget{[&] {
    p.forget_near(prefix, key);
    p.tell_changed(prefix, key);
  }};
  if (!p.is_remote()) return p.memory.erase(key);
  if (!behind_.is_settled(key, until)) {
    const bool erased = behind_.remove(key) != 0;  // of this process at once, of Redis when its turn comes
    (void)behind_.too_long(prefix);
    return erased;
  }
  return counting(prefix, Count::write_error, [&] {
    return p.template served<bool>(
        until,
        [&](Deadline by) {  // a process that computes it loses its lock, and so does not store what is older
          return p.remote.store->erase_with(key, lock_name(p.keys->key_namespace(), key), by);
        },
        [&](Why) -> std::optional<Later<bool>> {
          bool erased = false;
          const bool kept = p.fallback->keep([&](Pending& pending) {
            erased = p.memory.erase(key);
            pending.erase(key);
          });
          return kept ? std::optional{erased} : std::nullopt;
        },
        failing(prefix, false));
  });
}

template <class CascorWhenUsed>
bool TieredEngine<CascorWhenUsed>::contains(std::string_view key, TimePoint until) {
  Parts& p = parts_;
  if (!p.config.enabled) return false;
  if (!p.is_remote()) return p.memory.contains(key);
  if (behind_.any()) {
    if (const auto queued = behind_.find(key)) return queued->bytes != nullptr;
  }
  const Prefix prefix = p.keys->prefix_of(key);
  return counting(prefix, Count::write_error, [&] {
    return p.template served<bool>(
        until,
        [&](Deadline by) {
          const bool there = p.remote.store->contains(key, by);
          if (!there) p.forget_near(prefix, key);  // the server has said so
          return there;
        },
        [&](Why) -> std::optional<Later<bool>> {
          const bool there = p.memory.contains(key);
          if (!there && p.fallback->live()) return std::nullopt;
          return there;
        },
        failing(prefix, false));
  });
}

template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::ttl(std::string_view key, TimePoint until) -> Left {
  Parts& p = parts_;
  if (!p.config.enabled) return std::nullopt;
  if (!p.is_remote()) return p.memory.ttl(key);
  if (behind_.any()) {
    if (const auto queued = behind_.find(key)) {
      return queued->bytes ? Left{queued->facts.ttl.value_or(no_expiry)} : std::nullopt;
    }
  }
  const Prefix prefix = p.keys->prefix_of(key);
  return counting(prefix, Count::write_error, [&] {
    return p.template served<Left>(
        until,
        [&](Deadline by) {
          const Left left = p.remote.store->ttl(key, by);
          if (!left) p.forget_near(prefix, key);
          return left;
        },
        [&](Why) -> std::optional<Left> {
          const Left left = p.memory.ttl(key);
          return !left && p.fallback->live() ? std::nullopt : std::optional{left};
        },
        failing(prefix, Left{}));
  });
}

template <class CascorWhenUsed>
bool TieredEngine<CascorWhenUsed>::touch(Prefix prefix, std::string_view key, Ttl ttl, TimePoint until) {
  Parts& p = parts_;
  const milliseconds resolved = ttl.resolve(p.ttl_of(prefix), p.clock->now());
  if (!p.config.enabled) return false;
  const AtEnd ends_otherwise{[&] { computations_.retimed(key); }};
  if (!p.is_remote()) return p.memory.touch(key, resolved);
  const AtEnd forget{[&] { p.forget_near(prefix, key); }};
  if (!behind_.is_settled(key, until)) {
    (void)behind_.too_long(prefix);
    return false;
  }
  return counting(prefix, Count::write_error, [&] {
    return p.template served<bool>(
        until,
        [&](Deadline by) {
          p.retag(key, resolved, by);
          return p.remote.store->touch(key, resolved, by);
        },
        [&](Why) -> std::optional<Later<bool>> {
          bool touched = false;
          const bool kept = p.fallback->keep([&](Pending& pending) {
            touched = p.memory.touch(key, resolved);
            if (touched) pending.touch(key, expiry_after(p.clock->now(), resolved));
          });
          return kept ? std::optional{touched} : std::nullopt;
        },
        failing(prefix, false));
  });
}

template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::increment(Prefix prefix, std::string_view key, std::int64_t by, Ttl ttl,
                                             TimePoint until) -> Counted {
  Parts& p = parts_;
  Later<ReadFacts> facts;
  facts.status = CacheStatus::disabled;
  const milliseconds resolved = ttl.resolve(p.ttl_of(prefix), p.clock->now());
  if (!p.config.enabled) return Counted{facts};
  const auto change = computations_.writing(key, until);
  const auto counted = [&](std::int64_t sum, CacheTier tier, std::shared_ptr<const CacheError> why = nullptr) {
    facts = {CacheStatus::hit, tier, milliseconds{0}, resolved == no_expiry ? std::nullopt : std::optional{resolved}};
    p.counters.add(prefix, Count::set);
    p.tell_changed(prefix, key);
    return Counted{std::make_shared<const Later<std::int64_t>>(sum), facts, std::move(why)};
  };
  const auto refused = [&](const CacheError& error) {
    facts.status = CacheStatus::error;
    p.counters.add(prefix, Count::write_error);
    return Counted{facts, error.share()};
  };
  const AtEnd forget{[&] { p.forget_near(prefix, key); }};
  return counting(prefix, Count::write_error, [&] {
    try {
      if (!p.is_remote())
        return counted(MemoryCounting<CascorWhenUsed>::increment(p.memory, key, by, resolved), CacheTier::memory);
      if (!behind_.is_settled(key, until)) {
        facts.status = CacheStatus::error;
        return Counted{facts, behind_.too_long(prefix)};
      }
      return p.template served<Counted>(
          until,
          [&](Deadline at) {
            p.retag(key, resolved, at);
            return counted(p.remote.store->increment(key, by, resolved, at), CacheTier::redis);
          },
          [&](Why) -> std::optional<Counted> {
            std::int64_t sum = 0;
            const bool kept = p.fallback->keep([&](Pending& pending) {
              sum = MemoryCounting<CascorWhenUsed>::increment(p.memory, key, by, resolved);
              const TimePoint expires = expiry_after(p.clock->now(), resolved);
              if (!pending.has_write(key)) return pending.increment(key, by, expires);
              pending.rewrite(key, std::make_shared<const Later<std::string>>(std::to_string(sum)), expires);
            });
            if (!kept) return std::nullopt;
            return counted(sum, CacheTier::memory, p.fallback->state().last_error);
          },
          refused, Parts::Sent::once);
    } catch (const ResponseError& error) {  // what is under the key is no counter
      if (p.config.strict) throw;
      return refused(error);
    }
  });
}

template <class CascorWhenUsed>
std::size_t TieredEngine<CascorWhenUsed>::erase_matching(const std::string& pattern, TimePoint until) {
  Parts& p = parts_;
  const auto change = computations_.removing_matching(pattern, until);
  const auto may_erase = [&p](std::string_view key) { return p.keys->is_cached(key); };
  const AtEnd forget{[&] {
    if (p.near) p.near->forget_matching(pattern);
  }};
  bool done = false;
  const auto and_done = [&done](std::size_t erased) {
    done = true;
    return erased;
  };
  const std::size_t erased = erase_many(
      until, [&](const auto& next) { return and_done(p.remote.store->erase_matching(pattern, may_erase, next)); },
      [&] { return and_done(p.erase_here(pattern)); }, [&](Pending& pending) { pending.invalidate(pattern); },
      [&] { return behind_.remove_matching(pattern); });
  if (p.events && done && erased > 0 && pattern == p.keys->pattern("*")) p.events->cleared(erased);
  return erased;
}

template <class CascorWhenUsed>
std::size_t TieredEngine<CascorWhenUsed>::erase_tagged(const std::string& tag, TimePoint until) {
  Parts& p = parts_;
  Keys gone;
  const auto may_erase = [&](std::string_view key) {
    if (!p.keys->is_cached(key)) return false;
    (void)computations_.removing(key, until);  // nothing older is stored from now on, nor stands in
    gone.emplace_back(key);
    return true;
  };
  const AtEnd forget{[&] {
    for (const auto& key : gone) p.forget_near(p.keys->prefix_of(key), key);
  }};
  const std::size_t erased = erase_many(
      until, [&](const auto& next) { return p.remote.store->erase_tagged(tag, may_erase, next); },
      [&] { return p.erase_tagged_here(tag, gone); }, [&](Pending& pending) { pending.invalidate_tag(tag); },
      [&] { return behind_.remove_tagged(tag); });
  for (const auto& key : gone) (void)computations_.removing(key, until);
  return erased;
}

// What a pattern or a tag names: there, here, of what waits for Redis, and of what is queued and has no time to leave.
template <class CascorWhenUsed>
template <class There, class Here, class Waiting, class Queued>
std::size_t TieredEngine<CascorWhenUsed>::erase_many(TimePoint until, const There& there, const Here& here,
                                                     const Waiting& waiting, const Queued& queued) {
  Parts& p = parts_;
  if (!p.config.enabled) return 0;
  if (!p.is_remote()) return here();
  std::size_t unsent = 0;
  if (!behind_.settle_all(until)) {
    until = p.clock->now();
    unsent = queued();
  }
  return unsent + counting(Prefix::other, Count::write_error, [&] {
           return p.template served<std::size_t>(
               until, [&](Deadline) { return there([&] { return p.deadline(until); }); },
               [&](Why) -> std::optional<Later<std::size_t>> {
                 std::size_t erased = 0;
                 const bool kept = p.fallback->keep([&](Pending& pending) {
                   erased = here();
                   waiting(pending);
                 });
                 return kept ? std::optional{erased} : std::nullopt;
               },
               [&p](const CacheError& error) {
                 p.counters.add(Prefix::other, Count::write_error);
                 p.log.warning(std::string{"Invalidation failed: "} + error.what());
                 return std::size_t{0};
               });
         });
}

template <class CascorWhenUsed>
std::vector<std::string> TieredEngine<CascorWhenUsed>::keys_matching(const std::string& pattern, std::size_t limit,
                                                                     TimePoint until) {
  Parts& p = parts_;
  if (!p.config.enabled) return {};
  const auto may_list = [&p](std::string_view key) { return p.keys->is_cached(key); };
  const auto keys_here = [&] {
    return p.memory.keys_matching([&](std::string_view key) { return may_list(key) && glob_match(pattern, key); },
                                  limit);
  };
  if (!p.is_remote()) return keys_here();
  (void)behind_.settle_all(until);
  return counting(Prefix::other, Count::write_error, [&] {
    return p.template served<Keys>(
        until,
        [&](Deadline) { return p.remote.store->keys(pattern, limit, may_list, [&] { return p.deadline(until); }); },
        [&](Why) -> std::optional<Keys> { return keys_here(); }, failing(Prefix::other, Keys{}));
  });
}

template <class CascorWhenUsed>
Reply TieredEngine<CascorWhenUsed>::command(std::span<const std::string_view> arguments, TimePoint until) {
  Parts& p = parts_;
  if (!p.config.enabled || !p.is_remote()) {
    throw ResponseError{"command() needs Redis: the configured backend has no commands",
                        "Set backend.cache.type to redis, or use the cache's own operations."};
  }
  const auto refused = [&p](const CacheError& error) {
    p.counters.add(Prefix::other, Count::write_error);
    Later<Reply> reply;
    reply.kind = Reply::Kind::error;
    reply.text = error.what();
    return reply;
  };
  if (behind_.any()) until = p.deadline(until).at();
  (void)behind_.settle_all(until);
  // What it changes, and what it says of a key that it reads, is known by its arguments, unless it may be anything.
  const AtEnd forget{[&] {
    const bool anything = redis::may_change_anything(arguments);
    if (anything) p.fallback->seen().lost_track_of_all();
    if (!p.near) return;
    if (anything) return p.near->flush(FlushReason::command);
    for (const std::string_view word : arguments) p.forget_near(p.keys->prefix_of(word), word);
  }};
  return counting(Prefix::other, Count::write_error, [&] {
    return p.template served<Reply>(
        until,
        [&](Deadline by) {
          Reply reply = p.remote.store->command(arguments, by);
          if (reply.is_error() && p.config.strict) redis::server_error(reply.text)->raise();
          if (reply.is_error()) p.counters.add(Prefix::other, Count::write_error);
          return reply;
        },
        [&](Why why) -> std::optional<Later<Reply>> {
          if (why != nullptr) return refused(*why);
          const auto last = p.fallback->state().last_error;
          return refused(last ? *last : *p.out_of_time());
        },
        refused, Parts::Sent::once);
  });
}

template <class CascorWhenUsed>
std::size_t TieredEngine<CascorWhenUsed>::publish(std::string_view channel, std::string_view payload, EventSink& here,
                                                  TimePoint until) {
  Parts& p = parts_;
  if (!p.config.enabled) return 0;
  if (!p.is_remote()) return here.publish_here(channel, payload);
  return counting(Prefix::other, Count::write_error, [&] {
    return p.template served<std::size_t>(
        until,
        [&](Deadline by) {
          const std::size_t reached = p.remote.events->publish(channel, payload, by);
          if (told_unpublished_.load(std::memory_order_relaxed)) told_unpublished_ = false;
          return reached;
        },
        [&](Why) { return p.fallback->live() ? std::nullopt : std::optional{here.publish_here(channel, payload)}; },
        [&](const CacheError& error) {
          // Nothing was sent: no listener here can have it from the server too.
          const bool unsent = std::string_view{error.what()}.starts_with("Error connecting to Redis");
          if (unsent && p.may_fall_back()) return here.publish_here(channel, payload);
          if (!means_away(error) && !told_unpublished_.exchange(true)) {
            p.log.warning(std::string{"Publishing failed: "} + error.what());
          }
          p.counters.add(Prefix::other, Count::write_error);
          return std::size_t{0};
        },
        Parts::Sent::once);
  });
}

template <class CascorWhenUsed>
bool TieredEngine<CascorWhenUsed>::flush(TimePoint until) {
  Parts& p = parts_;
  if (!p.is_remote()) return true;
  const auto left = until == whenever ? milliseconds::max() : std::chrono::ceil<milliseconds>(until - p.clock->now());
  const Deadline by{*p.clock, left};
  return behind_.flush(by) && p.fallback->await_return(by);
}

template <class CascorWhenUsed>
auto TieredEngine<CascorWhenUsed>::stats() const -> BasicStats<CascorWhenUsed> {
  BasicStats<CascorWhenUsed> stats = parts_.counters.summary();
  parts_.memory_counts->add_to(stats);
  computations_.add_to(stats);
  if (parts_.is_remote()) {
    stats.redis = parts_.remote.store->stats();
    stats.fallback = parts_.fallback->stats();
  }
  stats.write_behind = behind_.stats();
  parts_.add_near_to(stats.near_cache);
  return stats;
}

CASCOR_CACHE_DEF Dependent<std::unique_ptr<Engine>, CascorWhenUsed> make_engine(const CacheConfig& config) {
  return std::make_unique<TieredEngine<CascorWhenUsed>>(config);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
