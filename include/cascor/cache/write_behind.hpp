// Writes that never wait for the network: a queue of this engine's own, and the thread that sends it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/cache/engine_parts.hpp"
#include "cascor/cache/queued_writes.hpp"
#include "cascor/core/random.hpp"
#include "cascor/core/stats.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What callers queue is sent by one thread, in the order in which it was queued, the newest value of each key, many in
/// a round trip, and by the way that every write takes: with Redis away it is kept in memory for the return. What
/// cannot be had anywhere (with `strict`, or without a fallback) stays queued and is tried again.
/// One mutex guards the queue, the counts and who waits; no I/O, no encoding and no freeing of values happens under it,
/// and the thread reads what it is sending without it. any() is one load. Safe from any thread.
template <class CascorWhenUsed = void>
class WriteBehind {
 public:
  using Parts = EngineParts<CascorWhenUsed>;
  using Results = typename Parts::Results;

  /// Starts no thread: the first put() does. `parts` must outlive it.
  explicit WriteBehind(Parts& parts);
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;
  /// Sends what is queued, within shutdown_timeout; then stops the store, whatever it is doing. What could not be sent
  /// is lost, and one line says how much.
  ~WriteBehind();

  /// Is anything queued?
  bool any() const noexcept { return size_.load(std::memory_order_relaxed) != 0; }

  /// Queues a write without a condition; waits for room until `by` where there is none, and gives a TimeoutError when
  /// none comes, or with `strict` throws it. nullopt where no thread can be started: the caller then sends it itself.
  std::optional<Dependent<StoreResult, CascorWhenUsed>> put(const Write& write, TimePoint now, milliseconds ttl,
                                                            Deadline by);
  /// What is queued under the key: a hit, or a miss where a removal is queued or the value has expired; nullopt where
  /// nothing is queued. Copies no value.
  std::optional<Dependent<Found, CascorWhenUsed>> find(std::string_view key);
  /// Waits until what is queued of the key has left the queue, so that a call that changes the key comes behind it;
  /// false when there is no time left for that, and then none for the call: `until` is when it has to end.
  bool is_settled(std::string_view key, TimePoint& until);
  /// The same for all that is queued, before a call that may concern any key.
  bool settle_all(TimePoint until);
  /// What such a call then gives, counted; with `strict` thrown.
  std::shared_ptr<const CacheError> too_long(Prefix prefix);
  /// Puts removals in the place of what is queued and matches; how many values went.
  std::size_t remove(std::string_view key);
  std::size_t remove_matching(const std::string& pattern);
  std::size_t remove_tagged(const std::string& tag);
  /// As settle_all(), but false too where a write was refused since the last flush.
  bool flush(Deadline by);

  WriteBehindStats stats() const;

 private:
  using Queue = QueuedWrites<CascorWhenUsed>;
  using Entry = typename Queue::Entry;
  using Chunk = std::vector<const Entry*>;
  enum class Sent : unsigned char { all, not_now, abandoned };
  struct Abandoned {};  // thrown out of a call whose cache is being destroyed

  bool start();
  void run();
  void rest(std::unique_lock<std::mutex>& lock);
  void pause(std::unique_lock<std::mutex>& lock, milliseconds& bound);
  Sent send(const Chunk& chunk, TimePoint now);
  void send_writes(const Chunk& chunk, TimePoint now);
  void send_removals(const Chunk& chunk);
  void erase_unless_refused(const std::vector<std::string_view>& keys, Deadline by);
  void tell_once(const std::string& line, const CacheError& error);
  void note_outcomes(const Chunk& chunk, const Results& results);
  template <class Call>
  auto unless_abandoned(const Call& call);
  static milliseconds patience(Deadline by) noexcept {
    return std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
  }
  bool wait_until_left(std::unique_lock<std::mutex>& lock, std::uint64_t generation, Deadline by);
  bool wait_for_room(std::unique_lock<std::mutex>& lock, std::string_view key, Deadline by);
  bool has_room_for(std::string_view key) const;
  template <class Match>
  std::size_t remove_if(const Match& match);

  Parts& parts_;
  const std::size_t max_bytes_;
  std::atomic<std::size_t> size_{0};    // of queue_
  std::atomic<bool> abandoned_{false};  // nothing more is to be sent

  mutable std::mutex mutex_;
  std::condition_variable wake_;   // the thread
  std::condition_variable moved_;  // who waits for it
  Queue queue_;
  WriteBehindStats counts_;
  std::uint64_t refused_when_flushed_ = 0;
  std::size_t waiting_ = 0;  // callers; the thread does not linger then
  bool resting_ = false;     // the thread, until it is woken
  bool stopping_ = false;
  bool ended_ = false;
  unsigned idle_turns_ = 0;  // the thread's own
  std::string told_;         // the thread's own: kinds of refusals that were logged
  Random random_;
  std::thread thread_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/write_behind.ipp"
#endif
