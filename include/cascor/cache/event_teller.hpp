// Tells CacheConfig::on_event what happens inside a cache, from a thread of its own.
//
// Locking rule: the mutex guards what waits to be told; it is taken last, under whatever locks something happens, and
// the handler runs under none.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "cascor/core/event.hpp"
#include "cascor/core/invalidations.hpp"
#include "cascor/core/key.hpp"
#include "cascor/core/log.hpp"
#include "cascor/memory/memory_backend.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Events wait in the order in which they happen, `most_waiting` of them; evictions and flushes past that are added up,
/// each sort by itself, and told as one event with its count; of changes of state the newest `most_states` wait, each
/// with the count of the older ones before it that it had to take the place of. So nobody waits for a handler, whatever
/// it does, and no event is lost. Whoever tells of something pays for a lock and a copy of the key. Safe from any
/// thread.
template <class CascorWhenUsed = void>
class EventTeller {
 public:
  using Handler = std::function<void(const CacheEvent&)>;
  static constexpr std::size_t most_waiting = 1024;
  static constexpr std::size_t most_states = 64;

  EventTeller(Handler handler, Log log, std::shared_ptr<const KeySpace> keys)
      : handler_{std::move(handler)}, log_{std::move(log)}, keys_{std::move(keys)} {}
  EventTeller(const EventTeller&) = delete;
  EventTeller& operator=(const EventTeller&) = delete;
  ~EventTeller();

  void state(std::string&& detail) noexcept { happened(state_change, std::move(detail), 0); }
  void flushed(FlushReason why) noexcept { happened(flushes + static_cast<std::size_t>(why), {}, 0); }
  /// Everything was removed by this cache's own call: so many entries.
  void cleared(std::size_t entries) noexcept { happened(clears, {}, entries); }
  EvictionListener& of_memory() noexcept { return of_memory_; }
  EvictionListener& of_near() noexcept { return of_near_; }

  /// Does the calling thread run the handler?
  bool is_inside() const noexcept { return teller_.load() == std::this_thread::get_id(); }
  /// The cache is about to end: waits until all is told; what is not by then is dropped, with a line of the log. The
  /// handler does not run when it returns, and never again.
  void settle(std::chrono::steady_clock::time_point by) noexcept;

 private:
  // What an event is of: an eviction by prefix, a flush by reason, …
  static constexpr std::size_t near_evictions = prefix_count;
  static constexpr std::size_t flushes = 2 * prefix_count;
  static constexpr std::size_t clears = flushes + flush_reasons;
  static constexpr std::size_t state_change = clears + 1;

  class Evictions final : public EvictionListener {
   public:
    Evictions(EventTeller& teller, std::size_t first) noexcept : teller_{teller}, first_{first} {}
    void evicted(std::string_view key, std::size_t bytes) noexcept override { teller_.evicted(first_, key, bytes); }

   private:
    EventTeller& teller_;
    const std::size_t first_;
  };
  struct Event {
    std::size_t of = 0;
    std::string text;  // the key, or what changed
    std::uint64_t count = 1;
    std::uint64_t amount = 0;  // bytes or entries
  };
  struct Sum {
    std::uint64_t count = 0;
    std::uint64_t amount = 0;
  };

  void evicted(std::size_t first, std::string_view key, std::size_t bytes) noexcept;
  void happened(std::size_t of, std::string&& text, std::uint64_t amount) noexcept;
  void drop_oldest_state() noexcept;
  bool start() noexcept;
  void run() noexcept;
  void tell_waiting(std::unique_lock<std::mutex>& lock) noexcept;
  bool next(Event& event) noexcept;
  void tell(const Event& event) noexcept;
  std::string detail_of(const Event& event) const;

  const Handler handler_;
  const Log log_;
  const std::shared_ptr<const Dependent<KeySpace, CascorWhenUsed>> keys_;
  Evictions of_memory_{*this, 0};
  Evictions of_near_{*this, near_evictions};
  std::atomic<std::thread::id> teller_{};  // who is in the handler now

  std::mutex mutex_;
  std::condition_variable wake_;  // the thread
  std::condition_variable idle_;  // who waits for the end
  Dependent<std::deque<Event>, CascorWhenUsed> waiting_;
  std::size_t states_ = 0;                // among them
  std::array<Sum, state_change> sums_{};  // of what there was no room for
  bool summed_ = false;                   // is there any?
  bool threw_ = false;                    // has the last call of the handler?
  bool telling_ = false;
  bool over_ = false;   // nothing is told any more
  std::thread thread_;  // started at the first event
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/event_teller.ipp"
#endif
