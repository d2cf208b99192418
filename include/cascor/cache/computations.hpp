// get_or_compute below the types: look, else compute once, store unless overtaken, stand in with what is stale.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/cache/background.hpp"
#include "cascor/cache/computation.hpp"
#include "cascor/cache/compute_options.hpp"
#include "cascor/cache/engine_parts.hpp"
#include "cascor/cache/kept_values.hpp"
#include "cascor/cache/lock.hpp"
#include "cascor/cache/single_flight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Holds no lock of its own: each part is safe by itself. An application's function runs under none. Safe from any
/// thread.
template <class CascorWhenUsed = void>
class Computations {
  template <class T>
  using Now = Dependent<T, CascorWhenUsed>;  // so that nothing is made where this is included only
  using Parts = EngineParts<CascorWhenUsed>;
  using Kept = KeptValues<CascorWhenUsed>;
  using Found = Now<detail::Found>;

  // How a flight ended.
  struct Outcome {
    enum class Kind : unsigned char { given_up, thrown, computed, found };
    Kind kind = Kind::given_up;
    Now<ComputeAnswer> answer;  // computed or found
    std::exception_ptr thrown;
  };
  using Flights = SingleFlight<Outcome>;
  using Flight = typename Flights::Flight;
  using Ticket = typename Flights::Ticket;

 public:
  Computations(Parts& parts, Engine& engine);
  Computations(const Computations&) = delete;
  Computations& operator=(const Computations&) = delete;
  ~Computations() = default;
  /// Waits for the computations that run in the background, and has none run any more. Those that wait for another
  /// process are given up.
  void stop() noexcept {
    stopping_ = true;
    parts_.changed.ring();
    background_.stop();
  }

  /// Engine::get_or_compute.
  ComputeAnswer get_or_compute(Prefix prefix, std::string_view key, Computation& work, const ComputeOptions& options,
                               TimePoint until);

  /// Around each change of keys by this process: what is being computed for them is then older, and so is what is kept
  /// to stand in. Made before the change goes to the backend, destroyed after.
  template <class Keys>
  class Change {
   public:
    Change(Computations& owner, Keys keys, TimePoint until) : owner_{owner}, keys_{std::move(keys)} {
      if (owner_.parts_.is_remote() && !owner_.flights_.idle()) {
        keys_.begin(owner_.flights_, owner_.parts_.deadline(until));
      }
    }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    // What began meanwhile may have found the value from before. (In memory what is stored overtakes the loads of its
    // key in the same step.)
    ~Change() {
      if (!owner_.flights_.idle()) keys_.end(owner_.flights_);
      keys_.drop(owner_.kept_);
    }

   private:
    Computations& owner_;
    const Keys keys_;
  };
  /// `until`: as of the call that changes.
  auto removing(std::string_view key, TimePoint until) { return Change<RemovedKey>{*this, RemovedKey{{key}}, until}; }
  auto writing(std::span<const Write> writes, TimePoint until) {
    return Change<WrittenKeys>{*this, WrittenKeys{writes}, until};
  }
  auto writing(std::string_view key, TimePoint until) { return Change<WrittenKey>{*this, WrittenKey{key}, until}; }
  auto removing_matching(const std::string& pattern, TimePoint until) {
    return Change<RemovedKeys>{*this, RemovedKeys{pattern, *parts_.keys}, until};
  }  /// The key's entry ends at another time than the one that is kept with what stands in for it: the next hit keeps
     /// it
  /// anew.
  void retimed(std::string_view key) noexcept { kept_.drop(key); }

  void add_to(BasicStats<CascorWhenUsed>& stats) const noexcept;

 private:
  using Locks = ProcessLocks<CascorWhenUsed>;
  using Lock = typename Locks::Lock;
  using Bytes = Now<std::shared_ptr<const std::string>>;
  using Load = typename MemoryBackend<CascorWhenUsed>::Load;
  using Writes = typename Parts::Writes;
  using Work = std::shared_ptr<Now<Computation>>;  // of one that outlives its call

  struct WrittenKey {
    std::string_view key;
    void begin(Flights& flights, Deadline /*by*/) const { flights.overtake(key); }
    void end(Flights& flights) const { flights.overtake(key); }
    void drop(Kept& kept) const noexcept { kept.drop(key); }
  };
  struct RemovedKey : WrittenKey {
    void begin(Flights& flights, Deadline by) const {
      flights.overtake_removed([this](std::string_view other) { return other == this->key; }, by);
    }
  };
  struct WrittenKeys {
    std::span<const Write> writes;
    void begin(Flights& flights, Deadline /*by*/) const { end(flights); }
    void end(Flights& flights) const {
      for (const Write& write : writes) flights.overtake(write.key);
    }
    void drop(Kept& kept) const noexcept {
      if (!kept.used()) return;
      for (const Write& write : writes) kept.drop(write.key);
    }
  };
  struct RemovedKeys {
    const std::string& pattern;
    const KeySpace& keys;
    bool operator()(std::string_view key) const { return keys.is_cached(key) && glob_match(pattern, key); }
    void begin(Flights& flights, Deadline by) const { flights.overtake_removed(*this, by); }
    void end(Flights& flights) const { flights.overtake_if(*this); }
    void drop(Kept& kept) const { kept.drop_if(*this); }
  };

  // A call, or what is left of it in the background.
  struct Asked {
    Prefix prefix = Prefix::other;
    std::string_view key;
    Now<ComputeOptions> options;
    TimePoint until = whenever;
    milliseconds ttl{0};  // without jitter
    milliseconds refresh_within{0};
    bool keeps = false;  // is something to be kept beside the entry?
  };
  class Later;
  // While it is computed: what tells that something newer came.
  struct Loads {
    std::optional<Load> entry;  // where memory is the backend
    std::optional<Load> kept;
  };

  // Why it is computed, and what is known by then.
  struct Reason {
    bool read_again = false;   // another flight has ended since somebody looked
    bool refresh = false;      // there is a value yet
    Bytes before{};            // that one, on Redis: what is stored takes its place only
    TimePoint before_until{};  // so long that one lives, unless it is removed
  };
  // Let go of on every way out.
  struct HeldLock {
    std::optional<Locks>& locks;
    Lock lock{};
    ~HeldLock() {
      if (lock) locks->release(lock);
    }
  };
  using Ends = typename Kept::Ends;
  using Nothing = typename Kept::Nothing;

  Asked checked(Prefix prefix, std::string_view key, const ComputeOptions& options, TimePoint until) const;
  bool is_late(const Asked& asked) const { return asked.until != whenever && parts_.clock->now() >= asked.until; }
  Found look(const Asked& asked);
  ComputeAnswer load(const Asked& asked, Computation& work, std::uint64_t seen);
  Outcome wait(const Asked& asked, Flight& flight);
  std::optional<Outcome> await_briefly(const Asked& asked, Computation& work, Work& moved);
  ComputeAnswer answer(const Asked& asked, const Outcome& outcome);
  ComputeAnswer out_of_time(const Asked& asked);

  Outcome lead(const Asked& asked, Computation& work, Flight& flight, const Reason& reason);
  Outcome compute(const Asked& asked, Computation& work, Flight& flight, Reason reason);
  bool is_due(const Asked& asked, TimePoint& until);
  std::optional<Outcome> take_lock(const Asked& asked, Lock& lock, const Reason& reason);
  milliseconds pause(milliseconds bound) noexcept;

  bool store(const Asked& asked, Flight& flight, const StoredValue& value, milliseconds ttl, const Loads& loads,
             const Reason& reason, const Lock& lock);
  bool store_remotely(const Asked& asked, const StoredValue& value, milliseconds ttl, const Reason& reason,
                      const Lock& lock);
  void take_back(std::string_view key, const StoredValue& value) noexcept;
  bool publish_by_script(Write& write, milliseconds ttl, const Reason& reason, const Lock& lock, Deadline by);

  Found stale(const Asked& asked);
  void keep(const Asked& asked, const StoredValue& value, std::optional<milliseconds> left, const Loads& loads);
  void note_absence(const Asked& asked, const Loads& loads);
  void after_hit(const Asked& asked, const Found& found, Computation& work);
  bool is_copy(const StoredValue& kept, TimePoint kept_at, const Found& found) const;
  std::optional<milliseconds> keep_found(const Asked& asked);
  void refresh(const Asked& asked, const Found& found, Computation& work);
  std::unique_ptr<Dependent<BackgroundTask, CascorWhenUsed>> postponed(const Asked& asked, const Ticket& flight,
                                                                       const Work& work, const Reason& reason);
  static Work outliving(Computation& work) noexcept;

  static bool has_value(const Found& found) noexcept { return found.stored() != nullptr || found.bytes; }
  // What Redis's absence leaves of a value is no reason not to compute.
  static bool is_fresh(const Found& found) noexcept { return found.facts.status == CacheStatus::hit; }
  static Bytes bytes_of(const Found& found) { return found.bytes ? found.bytes : found.stored()->bytes(); }
  static Outcome found_there(Found found) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::found;
    outcome.answer.found = std::move(found);
    return outcome;
  }
  std::shared_ptr<const CacheError> failure(const Asked& asked, const std::exception_ptr& thrown) const;
  std::string shown(const Asked& asked) const;
  milliseconds jittered(const Asked& asked) noexcept;

  struct Counts {
    std::atomic<std::uint64_t> loads{0};
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> refreshes{0};
    std::atomic<std::uint64_t> waits{0};
    std::atomic<std::uint64_t> coalesced{0};
    std::atomic<std::uint64_t> lock_waits{0};
    std::atomic<std::uint64_t> not_stored{0};
  };

  Parts& parts_;
  Engine& engine_;
  Kept kept_;
  Flights flights_;
  Random random_;
  Counts counts_;
  std::atomic<bool> told_no_scripts_{false};
  std::atomic<bool> stopping_{false};
  std::optional<Locks> locks_;             // on Redis
  Background<CascorWhenUsed> background_;  // last, as its threads use the rest
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/computations.ipp"
#endif
