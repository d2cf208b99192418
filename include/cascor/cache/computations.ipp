#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "cascor/cache/computations.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// A computation that nobody waits for, or not to its end.
template <class CascorWhenUsed>
class Computations<CascorWhenUsed>::Later final : public BackgroundTask {
 public:
  Later(Computations& owner, const Asked& asked, Ticket flight, Work work, const Reason& reason)
      : owner_{owner}, asked_{asked}, flight_{std::move(flight)}, work_{std::move(work)}, reason_{reason} {
    asked_.key = flight_->key();
    asked_.until = whenever;
  }
  void run() noexcept override {
    if (!owner_.flights_.start(*flight_)) return;
    const Outcome outcome = owner_.lead(asked_, *work_, *flight_, reason_);
    if (outcome.kind != Outcome::Kind::thrown || !owner_.parts_.log.wants(LogLevel::debug)) return;
    try {
      owner_.parts_.log.debug(owner_.failure(asked_, outcome.thrown)->what());
    } catch (...) {  // a line less
    }
  }

 private:
  Computations& owner_;
  Asked asked_;
  const Ticket flight_;
  const Work work_;
  const Reason reason_;
};

template <class CascorWhenUsed>
Computations<CascorWhenUsed>::Computations(Parts& parts, Engine& engine)
    : parts_{parts}, engine_{engine}, kept_{parts.memory}, random_{parts.config.random}, background_{2, 256} {
  if (parts_.is_remote()) locks_.emplace(*parts_.remote.store, parts_.clock, parts_.config.connection_pool.timeout);
}

// ---- a call

template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::checked(Prefix prefix, std::string_view key, const ComputeOptions& options,
                                           TimePoint until) const -> Asked {
  const TimePoint now = parts_.clock->now();
  Asked asked{prefix, key, options, until};
  asked.ttl = options.ttl.resolve(parts_.ttl_of(prefix), now);
  const bool valid = options.stale_for.count() >= 0 && options.absent_ttl.count() >= 0 &&
                     options.refresh_ahead.valid() && options.jitter >= 0 && options.jitter <= 1 &&
                     options.lock_for >= milliseconds{100} &&
                     options.stale_after.value_or(milliseconds{0}).count() >= 0;
  if (!valid) {
    throw DataError{"ComputeOptions that cannot be",
                    "No duration may be negative, refresh_ahead and jitter are 0 to 1, lock_for at least 100 ms."};
  }
  (void)Ttl{options.stale_for}.resolve(no_expiry, now + asked.ttl);
  (void)Ttl{options.absent_ttl}.resolve(no_expiry, now);
  asked.refresh_within = options.refresh_ahead.before_the_end_of(asked.ttl);
  asked.keeps = parts_.config.enabled && (options.stale_for.count() > 0 || options.absent_ttl.count() > 0 ||
                                          (parts_.is_remote() && asked.refresh_within.count() > 0));
  return asked;
}

template <class CascorWhenUsed>
ComputeAnswer Computations<CascorWhenUsed>::get_or_compute(Prefix prefix, std::string_view key, Computation& work,
                                                           const ComputeOptions& options, TimePoint until) {
  const Asked asked = checked(prefix, key, options, until);
  if (asked.keeps) kept_.will_be_used();
  const std::uint64_t seen = flights_.ended();
  ComputeAnswer answer;
  answer.found = engine_.read(prefix, key, until);
  if (is_fresh(answer.found)) {
    if (asked.keeps || asked.refresh_within.count() > 0) after_hit(asked, answer.found, work);
    return answer;
  }
  if (is_late(asked)) return out_of_time(asked);
  if (options.absent_ttl.count() > 0) {
    const auto kept = kept_.get(key);
    if (kept && kept->template form<Nothing>()) return answer;
  }
  return load(asked, work, seen);
}

template <class CascorWhenUsed>
ComputeAnswer Computations<CascorWhenUsed>::load(const Asked& asked, Computation& work, std::uint64_t seen) {
  Work moved;  // where the function is, once it was taken along
  if (asked.options.stale_after) {
    if (const auto in_time = await_briefly(asked, work, moved)) return answer(asked, *in_time);
  }
  while (true) {
    const auto joined = flights_.join(asked.key, seen);
    if (joined.role == Flights::Role::circle) {
      throw DataError{"computing " + shown(asked) + " asks for itself",
                      "What computes a value must not get_or_compute the same key, not by way of others either."};
    }
    const Outcome outcome = joined.role == Flights::Role::lead
                                ? lead(asked, moved ? *moved : work, *joined.flight, {.read_again = joined.read_again})
                                : wait(asked, *joined.flight);
    if (outcome.kind != Outcome::Kind::given_up) return answer(asked, outcome);
    if (is_late(asked)) return out_of_time(asked);
    seen = flights_.ended() - 1;  // what gave up may have had a reason: look again
  }
}

template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::wait(const Asked& asked, Flight& flight) -> Outcome {
  counts_.waits.fetch_add(1, std::memory_order_relaxed);
  if (!flights_.wait(flight, *parts_.clock, asked.until)) return {};
  const Outcome& outcome = flight.outcome();
  if (outcome.kind != Outcome::Kind::given_up) counts_.coalesced.fetch_add(1, std::memory_order_relaxed);
  return outcome;
}

// With a value to stand in: no longer than stale_after. nullopt: there is none, or the computation was given up.
template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::await_briefly(const Asked& asked, Computation& work, Work& moved)
    -> std::optional<Outcome> {
  Found old = stale(asked);
  if (!has_value(old)) return std::nullopt;
  Ticket flight = flights_.enqueue(asked.key);
  if (flight) {
    moved = outliving(work);
    auto later = postponed(asked, flight, moved, {.read_again = true});
    if (!later) return std::nullopt;
    if (!background_.post(later)) later->run();
  } else {
    flight = flights_.look(asked.key);
    if (!flight) return std::nullopt;
    counts_.waits.fetch_add(1, std::memory_order_relaxed);
  }
  const TimePoint soon = parts_.clock->now() + *asked.options.stale_after;
  if (!flights_.wait(*flight, *parts_.clock, std::min(soon, asked.until))) return found_there(std::move(old));
  if (flight->outcome().kind == Outcome::Kind::given_up) return std::nullopt;
  return flight->outcome();
}

template <class CascorWhenUsed>
ComputeAnswer Computations<CascorWhenUsed>::answer(const Asked& asked, const Outcome& outcome) {
  if (outcome.kind != Outcome::Kind::thrown) return outcome.answer;
  ComputeAnswer instead;
  instead.found = stale(asked);
  if (!has_value(instead.found)) std::rethrow_exception(outcome.thrown);
  instead.found.error = failure(asked, outcome.thrown);
  return instead;
}

template <class CascorWhenUsed>
ComputeAnswer Computations<CascorWhenUsed>::out_of_time(const Asked& asked) {
  const auto error = std::make_shared<const Now<TimeoutError>>("Timeout before " + shown(asked) + " was computed",
                                                               "Give the call more time, or the value a stale_for.");
  ComputeAnswer instead;
  instead.found = stale(asked);
  if (!has_value(instead.found)) {
    if (parts_.config.strict) error->raise();
    instead.found.facts.status = CacheStatus::error;
  }
  instead.found.error = error;
  return instead;
}

// ---- a flight

// Of a leader that runs out of time it is not known what there is, and others may have more of it.
template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::look(const Asked& asked) -> Found {
  try {
    return engine_.read(asked.prefix, asked.key, asked.until);
  } catch (const CacheError&) {
    if (!is_late(asked)) throw;
    return {};
  }
}

template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::lead(const Asked& asked, Computation& work, Flight& flight, const Reason& reason)
    -> Outcome {
  Outcome outcome;
  try {
    outcome = compute(asked, work, flight, reason);
  } catch (...) {
    outcome.kind = Outcome::Kind::thrown;
    outcome.thrown = std::current_exception();
  }
  flights_.finish(flight, outcome);
  return outcome;
}

template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::compute(const Asked& asked, Computation& work, Flight& flight, Reason reason)
    -> Outcome {
  // In this order: whoever overtakes the entry's load then knows that something may be kept.
  Loads loads;
  if (!parts_.is_remote()) loads.entry.emplace(parts_.memory, asked.key);
  if (asked.keeps) kept_.begin(loads.kept, asked.key);
  if (reason.read_again) {
    if (Found found = look(asked); is_fresh(found)) return found_there(std::move(found));
  }
  HeldLock lock{locks_};
  if (asked.options.across_processes && locks_ && parts_.fallback->live()) {
    if (auto without = take_lock(asked, lock.lock, reason)) return std::move(*without);
  }
  if (reason.refresh && !is_due(asked, reason.before_until)) return {};
  if (is_late(asked)) return {};

  counts_.loads.fetch_add(1, std::memory_order_relaxed);
  Computed made;
  try {
    made = work.run(asked.key);
  } catch (...) {
    counts_.failures.fetch_add(1, std::memory_order_relaxed);
    throw;
  }
  Outcome outcome;
  outcome.kind = Outcome::Kind::computed;
  auto& answer = outcome.answer;
  answer.found.facts.age = milliseconds{0};
  if (made.absent) {
    note_absence(asked, loads);
    return outcome;
  }
  answer.computed = true;
  answer.value = std::move(made.value);
  const milliseconds ttl = jittered(asked);
  if (!parts_.config.enabled) return outcome;
  if (store(asked, flight, answer.value, ttl, loads, reason, lock.lock)) {
    if (ttl != no_expiry) answer.found.facts.ttl = ttl;
    keep(asked, answer.value, ttl, loads);
  } else {
    counts_.not_stored.fetch_add(1, std::memory_order_relaxed);
  }
  return outcome;
}

// Is a value that is to be computed ahead of its end still near it, or has somebody else been quicker? `until`: so long
// it lives by itself.
template <class CascorWhenUsed>
bool Computations<CascorWhenUsed>::is_due(const Asked& asked, TimePoint& until) {
  const TimePoint now = parts_.clock->now();
  const std::optional<milliseconds> left = engine_.ttl(asked.key, whenever);
  if (left) until = expiry_after(now, *left);
  return !left || (*left != no_expiry && *left <= asked.refresh_within);
}

// What there is instead of the lock: the value of another process, or no patience. nullopt: compute, with the lock or,
// where Redis is not to be had, without.
template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::take_lock(const Asked& asked, Lock& lock, const Reason& reason)
    -> std::optional<Outcome> {
  const std::string name = lock_name(parts_.keys->key_namespace(), asked.key);
  typename Now<ChangeSignal>::Listening changed{parts_.changed};
  milliseconds bound{10};
  for (bool first = true;; first = false) {
    try {
      lock = locks_->take(name, asked.options.lock_for, parts_.deadline(asked.until));
    } catch (const std::exception&) {  // the cache is not to be had: the value is
      return std::nullopt;             // or the caller's time is up, who is told
    }
    if (reason.refresh) return lock ? std::nullopt : std::optional{Outcome{}};
    // Another process may have stored it between our look and our lock.
    if (Found found = look(asked); is_fresh(found)) return found_there(std::move(found));
    if (lock) return std::nullopt;
    if (is_late(asked) || !parts_.fallback->live() || stopping_) return Outcome{};
    if (first) counts_.lock_waits.fetch_add(1, std::memory_order_relaxed);
    changed.wait_for(pause(bound));
    bound = std::min(bound * 2, milliseconds{200});
  }
}

// At least half of the bound, lest many ask at once.
template <class CascorWhenUsed>
milliseconds Computations<CascorWhenUsed>::pause(milliseconds bound) noexcept {
  const auto half = static_cast<std::uint64_t>(bound.count()) / 2;
  return milliseconds{static_cast<milliseconds::rep>(half + random_() % (half + 1))};
}

// ---- storing

template <class CascorWhenUsed>
bool Computations<CascorWhenUsed>::store(const Asked& asked, Flight& flight, const StoredValue& value, milliseconds ttl,
                                         const Loads& loads, const Reason& reason, const Lock& lock) {
  if (!parts_.is_remote()) {
    const bool stored = parts_.memory.publish(*loads.entry, value, Ttl{ttl});
    if (stored) {
      parts_.counters.add(asked.prefix, Count::set);
      parts_.tell_changed(asked.prefix, asked.key);
    }
    return stored;
  }
  const AtEnd forget{[&] { parts_.forget_near(asked.prefix, asked.key); }};
  if ((lock && lock->lost) || !flights_.begin_publishing(flight)) return false;
  bool stored = false;
  std::exception_ptr thrown;
  try {
    stored = store_remotely(asked, value, ttl, reason, lock);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (!flights_.end_publishing(flight)) {
    stored = false;
    take_back(asked.key, value);
  }
  if (thrown) std::rethrow_exception(thrown);
  if (stored) {
    parts_.counters.add(asked.prefix, Count::set);
    parts_.tell_changed(asked.prefix, asked.key);
  }
  return stored;
}

// A removal could not wait for it: better no value than this one. Another one stays.
template <class CascorWhenUsed>
void Computations<CascorWhenUsed>::take_back(std::string_view key, const StoredValue& value) noexcept {
  try {
    const auto bytes = value.bytes();
    const bool kept_here = parts_.fallback->keep([&](typename Parts::Pending& pending) {
      const StoredHandle held = parts_.memory.get(key);
      if (held && *held->bytes() != *bytes) return;
      (void)parts_.memory.erase(key);
      pending.erase(key);
    });
    if (kept_here) return;
    (void)run_script(*parts_.remote.store, release_script, {key}, {*bytes}, parts_.deadline(whenever));
  } catch (const std::exception& error) {
    parts_.log.warning(std::string{"A value that was removed while it was being stored may be there still: "} +
                       error.what());
  }
}

// A value that appeared meanwhile is newer than ours: that one stays.
template <class CascorWhenUsed>
bool Computations<CascorWhenUsed>::store_remotely(const Asked& asked, const StoredValue& value, milliseconds ttl,
                                                  const Reason& reason, const Lock& lock) {
  const Bytes& before = reason.before;
  Now<Write> write;
  write.key = asked.key;
  write.prefix = asked.prefix;
  write.value = value;
  write.only_if = before ? OnlyIf::always : OnlyIf::absent;
  return parts_.template served<bool>(
      whenever,
      [&](Deadline by) {
        if (lock || before) return publish_by_script(write, ttl, reason, lock, by);
        return static_cast<bool>(parts_.write_remotely({&write, 1}, {&ttl, 1}, by).front());
      },
      [&](const CacheError*) -> std::optional<Dependent<bool, CascorWhenUsed>> {
        // What it was to take the place of is in Redis; what is here is newer, and nothing here can tell them apart.
        if (before) return parts_.fallback->live() ? std::nullopt : std::optional{false};
        const auto kept = parts_.write_in_fallback({&write, 1}, {&ttl, 1}, true);
        if (!kept) return std::nullopt;
        return kept->front().tier() != CacheTier::none;
      },
      [&](const CacheError&) {
        parts_.counters.add(asked.prefix, Count::write_error);
        return false;
      });
}

template <class CascorWhenUsed>
bool Computations<CascorWhenUsed>::publish_by_script(Write& write, milliseconds ttl, const Reason& reason,
                                                     const Lock& lock, Deadline by) {
  constexpr milliseconds end_is_near{100};  // whether it has ended or was removed cannot be told apart then
  KeyValueStore& store = *parts_.remote.store;
  const Bytes bytes = write.value.bytes();
  const std::string px = std::to_string(ttl.count());
  Now<std::vector<std::string_view>> words{*bytes, px, lock ? std::string_view{lock->token} : std::string_view{}};
  if (reason.before) {
    words.push_back(*reason.before);
    if (parts_.clock->now() + end_is_near < reason.before_until) words.push_back("must be there");
  }
  Reply reply;
  if (lock && hash_tag(lock->name) == hash_tag(write.key)) {
    reply = run_script(store, publish_script, {write.key, lock->name}, words, by);
  } else {
    // No script may look at both. Renewed just now, the lock is ours for longer than the next command takes.
    if (lock && !locks_->renew(*lock, Deadline::sooner(by, Deadline{*parts_.clock, lock->lasts / 2}))) return false;
    reply = run_script(store, publish_script, {write.key}, words, by);
  }
  if (!reply.is_error()) return reply.integer == 1;
  const auto error = redis::server_error(reply.text);
  if (means_away(*error)) error->raise();
  if (!told_no_scripts_.exchange(true)) parts_.log.warning(std::string{"Computed, but not stored: "} + error->what());
  parts_.counters.add(write.prefix, Count::write_error);
  return false;
}

// ---- what stands in

template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::stale(const Asked& asked) -> Found {
  Found found;
  if (asked.options.stale_for.count() == 0) return found;
  auto kept = kept_.get(asked.key);
  if (!kept || kept->template form<Nothing>()) return found;
  const TimePoint now = parts_.clock->now();
  const auto ends = kept->template form<Ends>();
  if (ends && ends->at != TimePoint::min() && now > ends->at + asked.options.stale_for) return found;
  found.facts = {CacheStatus::stale, CacheTier::memory, std::chrono::floor<milliseconds>(now - kept.stored_at()),
                 milliseconds{0}};
  found.held = std::move(kept);
  return found;
}

// Beside Redis only bytes are kept: they come and go where no destructor of an application's type may run.
template <class CascorWhenUsed>
void Computations<CascorWhenUsed>::keep(const Asked& asked, const StoredValue& value, std::optional<milliseconds> left,
                                        const Loads& loads) {
  constexpr milliseconds a_century = std::chrono::years{100};  // what lives as long needs no stand-in
  if (!loads.kept || left == no_expiry || left >= a_century) return;
  const milliseconds how_long = std::min(left.value_or(milliseconds{0}) + asked.options.stale_for, a_century);
  if (how_long.count() == 0) return;
  const TimePoint at = left ? parts_.clock->now() + *left : TimePoint::min();
  const auto end = Form::of(std::make_shared<const Ends>(Ends{at}));
  const Now<StoredValue> kept{parts_.is_remote() ? Now<StoredValue>{value.bytes()}.with(end) : value.with(end)};
  kept_.keep(*loads.kept, kept, how_long);
}

template <class CascorWhenUsed>
void Computations<CascorWhenUsed>::note_absence(const Asked& asked, const Loads& loads) {
  if (!loads.kept || asked.options.absent_ttl.count() == 0) return kept_.drop(asked.key);
  const auto nothing = Form::of(std::make_shared<const Nothing>());
  kept_.keep(*loads.kept, Now<StoredValue>{std::make_shared<const std::string>()}.with(nothing),
             asked.options.absent_ttl);
}

// Keeps a copy of what was found, where it is none yet, and computes anew what is near its end.
template <class CascorWhenUsed>
void Computations<CascorWhenUsed>::after_hit(const Asked& asked, const Found& found, Computation& work) {
  std::optional<milliseconds> left = found.facts.ttl;
  const bool knows_end = left || !parts_.is_remote();
  if (asked.options.stale_for.count() > 0 || !knows_end) {
    const auto kept = kept_.get(asked.key);
    if (!kept || !is_copy(*kept, kept.stored_at(), found)) {
      left = keep_found(asked);
    } else if (const auto ends = kept->template form<Ends>(); !knows_end && ends) {
      if (ends->at == TimePoint::min()) {
        kept_.touch(asked.key, asked.options.stale_for);
        if (asked.refresh_within.count() > 0) left = keep_found(asked);
      } else {
        left = time_left(ends->at, parts_.clock->now());
        if (left == milliseconds{0}) left = keep_found(asked);  // it was stored once more
      }
    }
  }
  if (left && asked.refresh_within.count() > 0 && *left <= asked.refresh_within) refresh(asked, found, work);
}

template <class CascorWhenUsed>
bool Computations<CascorWhenUsed>::is_copy(const StoredValue& kept, TimePoint kept_at, const Found& found) const {
  if (!parts_.is_remote()) return !kept.template form<Nothing>();  // every change here drops what is kept
  if (found.facts.age && parts_.clock->now() - *found.facts.age > kept_at + milliseconds{1}) return false;
  return !kept.template form<Nothing>() && *kept.bytes() == *bytes_of(found);
}

// Looks once more, with a load that a change would overtake; what is left of the value's life, where that is known.
template <class CascorWhenUsed>
std::optional<milliseconds> Computations<CascorWhenUsed>::keep_found(const Asked& asked) {
  Loads loads;
  kept_.begin(loads.kept, asked.key);
  const Found found = engine_.read(asked.prefix, asked.key, asked.until);
  if (!is_fresh(found)) return std::nullopt;
  std::optional<milliseconds> left = found.facts.ttl;
  if (!left && !parts_.is_remote()) return std::nullopt;  // it does not end
  if (!left && asked.refresh_within.count() > 0) left = engine_.ttl(asked.key, asked.until);
  keep(asked, found.stored() != nullptr ? *found.stored() : Now<StoredValue>{found.bytes}, left, loads);
  return left == no_expiry ? std::nullopt : left;
}

template <class CascorWhenUsed>
void Computations<CascorWhenUsed>::refresh(const Asked& asked, const Found& found, Computation& work) {
  const Ticket flight = flights_.enqueue(asked.key);
  if (!flight) return;
  Reason reason{.refresh = true};
  if (parts_.is_remote()) reason.before = bytes_of(found);
  auto later = postponed(asked, flight, outliving(work), reason);
  if (later && background_.post(later)) {
    counts_.refreshes.fetch_add(1, std::memory_order_relaxed);
  } else {
    flights_.withdraw(*flight);
  }
}

// Null where the function cannot outlive the call.
template <class CascorWhenUsed>
auto Computations<CascorWhenUsed>::outliving(Computation& work) noexcept -> Work {
  try {
    return work.kept();
  } catch (...) {  // what copying it throws concerns nobody: the call goes on without
    return nullptr;
  }
}

// Null, and the flight withdrawn, where there is no work, or no memory.
template <class CascorWhenUsed>
std::unique_ptr<Dependent<BackgroundTask, CascorWhenUsed>> Computations<CascorWhenUsed>::postponed(
    const Asked& asked, const Ticket& flight, const Work& work, const Reason& reason) {
  try {
    if (work) return std::make_unique<Later>(*this, asked, flight, work, reason);
  } catch (const std::bad_alloc&) {  // the call goes on without
  }
  flights_.withdraw(*flight);
  return nullptr;
}

// ---- small things

template <class CascorWhenUsed>
std::shared_ptr<const CacheError> Computations<CascorWhenUsed>::failure(const Asked& asked,
                                                                        const std::exception_ptr& thrown) const {
  std::string what = "something that is no std::exception";
  try {
    std::rethrow_exception(thrown);
  } catch (const CacheError& error) {
    return error.share();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {  // said above
  }
  return std::make_shared<const Now<CacheError>>(ErrorCode::data, "computing " + shown(asked) + " failed: " + what,
                                                 "The value before it is served until stale_for is over.");
}

// Session ids are secrets.
template <class CascorWhenUsed>
std::string Computations<CascorWhenUsed>::shown(const Asked& asked) const {
  return asked.prefix == Prefix::session ? parts_.keys->text(Prefix::session) + "***" : printable(asked.key);
}

template <class CascorWhenUsed>
milliseconds Computations<CascorWhenUsed>::jittered(const Asked& asked) noexcept {
  const auto most = static_cast<std::uint64_t>(asked.options.jitter * static_cast<double>(asked.ttl.count()));
  if (most == 0) return asked.ttl;
  const milliseconds less{static_cast<milliseconds::rep>(random_() % (most + 1))};
  return std::max(asked.ttl - less, milliseconds{1});
}

template <class CascorWhenUsed>
void Computations<CascorWhenUsed>::add_to(BasicStats<CascorWhenUsed>& stats) const noexcept {
  const auto of = [](const std::atomic<std::uint64_t>& count) { return count.load(std::memory_order_relaxed); };
  stats.compute = {of(counts_.loads),     of(counts_.failures),   of(counts_.refreshes), of(counts_.waits),
                   of(counts_.coalesced), of(counts_.lock_waits), of(counts_.not_stored)};
}

#if defined(CASCOR_CACHE_COMPILED)
template class Computations<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
