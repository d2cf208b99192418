// Whether Redis serves or memory does in its place, and the thread that brings Redis back.
#pragma once

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

#include "cascor/cache/event_teller.hpp"
#include "cascor/cache/pending_changes.hpp"
#include "cascor/cache/replay_counts.hpp"
#include "cascor/cache/seen_values.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/random.hpp"
#include "cascor/core/stats.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Does the error mean that the server as a whole is not to be had, rather than that it refused one command?
CASCOR_CACHE_FN bool means_away(const CacheError& error) noexcept;

/// LIVE; FALLBACK, in which memory serves and a thread asks for the server's return and then replays what it has
/// missed; or undecided: a call has timed out, and the thread is finding out whether that was the call or the server.
/// One mutex guards the state's changes, the pending ones and the announcements; no I/O and no callback runs under it,
/// but for forget_memory and the caller's own store into memory in keep(). now() is one load. Safe from any thread.
template <class CascorWhenUsed = void>
class Fallback {
 public:
  using Pending = PendingChanges<CascorWhenUsed>;

  struct Options {
    std::string server;      ///< as log lines name it: "localhost:6379"
    std::string everything;  ///< the pattern of all keys of the namespace
    typename Pending::Wider wider = nullptr;
    const void* wider_context = nullptr;
    std::size_t max_pending_bytes = 0;
    std::size_t max_seen_bytes = 0;       ///< 0: no write takes the place of what this process has seen
    milliseconds timeout{5000};           ///< of each round trip of a return
    milliseconds shutdown_timeout{2000};  ///< for the last attempt to return, at destruction
    std::shared_ptr<const Clock> clock;
    Log log;
    EventTeller<CascorWhenUsed>* events = nullptr;    ///< null: nobody wants to hear of changes of state
    std::function<std::uint64_t()> random;            ///< may be empty
    std::function<bool(std::string_view)> may_erase;  ///< which keys an invalidation may remove
    std::function<void()> forget_memory;              ///< called on return: Redis is the truth again
  };

  Fallback(KeyValueStore& store, Options options);
  Fallback(const Fallback&) = delete;
  Fallback& operator=(const Fallback&) = delete;
  /// With something pending, makes one last attempt to return; after shutdown_timeout stops the store, whatever it is
  /// doing, and joins the thread. What is pending still is lost with the memory it stood for; a line says how much.
  ~Fallback();

  /// The end is near, and has to be over by then: less is left of shutdown_timeout than all.
  void end_by(std::chrono::steady_clock::time_point by) {
    const std::lock_guard lock{mutex_};
    stop_by_ = by;
  }

  enum class Serving : unsigned char { redis, undecided, memory };
  /// Who serves, and since which loss: what happened in another period says nothing about this one.
  struct Now {
    Serving serving = Serving::redis;
    std::uint64_t losses = 0;
  };
  Now now() const noexcept {
    const std::uint64_t state = state_.load(std::memory_order_acquire);
    return {static_cast<Serving>(state & 3U), state >> 2U};
  }
  bool live() const noexcept { return now().serving == Serving::redis; }
  /// The server answered. Remembered for health().
  void reached() noexcept { ever_reached_.store(true, std::memory_order_relaxed); }
  /// A call that began at `seen` failed for the server's sake. LIVE then ends: by a time-out undecided, by anything
  /// else, or with `certain`, in FALLBACK and one WARNING; the thread starts asking. A failure from before a return
  /// changes nothing. False where no thread could be started: then it stays LIVE.
  bool lost(const CacheError& error, Now seen, bool certain = false);
  /// Waits until it is decided who serves, or the deadline passes.
  void await_decision(Deadline by) const;

  /// Has the server's return tried at once and waits for it, what was pending replayed; false when the deadline passes.
  bool await_return(Deadline by);

  /// While Redis does not serve, calls `change(pending)` with the state held; returns false, having done nothing, when
  /// Redis is back: the caller then goes there.
  template <class Change>
  bool keep(const Change& change) {
    const std::lock_guard lock{mutex_};
    if (live()) return false;
    change(pending_);
    return true;
  }

  /// Asks for the server's return now rather than after the backoff. Does not wait for the answer.
  void nudge();

  struct State {
    bool live = true;
    bool ever_reached = false;
    std::uint64_t attempts = 0;  ///< to come back, since the server was lost
    std::size_t pending_writes = 0;
    std::shared_ptr<const CacheError> last_error;  ///< null: none yet
  };
  State state() const;
  FallbackStats stats() const;
  /// What this process has seen in Redis: a kept write takes the place of that, and of nothing else.
  SeenValues<CascorWhenUsed>& seen() noexcept { return seen_; }

 private:
  using Changes = typename Pending::Changes;
  using Replayed = ReplayCounts<CascorWhenUsed>;
  struct Announcement {
    LogLevel level = LogLevel::info;
    std::string line;
  };
  void become(Serving serving, std::uint64_t losses) noexcept {
    state_.store(losses << 2U | static_cast<std::uint64_t>(serving), std::memory_order_release);
  }
  void announce_loss(const CacheError& error);
  void run();
  bool wait_for_next_attempt(std::unique_lock<std::mutex>& lock, milliseconds& bound);
  void try_return(Replayed& replayed);
  void go_live(const Replayed& replayed);
  void replay(Changes& changes, Replayed& replayed);
  void replay_removals(Changes& changes, Replayed& replayed);
  void add_up(const Replayed& replayed);
  void replay_increments(Changes& changes, Replayed& replayed);
  template <class Call>
  void unless_refused(Replayed& replayed, std::uint64_t changes, const Call& call);
  Deadline round_trip() const;
  void announce(std::unique_lock<std::mutex>& lock);

  KeyValueStore& store_;
  const Options options_;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<bool> ever_reached_{false};
  std::atomic<std::thread::id> announcer_{};  // who is in the application's code now: its log sink

  SeenValues<CascorWhenUsed> seen_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;             // the thread
  mutable std::condition_variable decided_;  // who waits for a decision, or for the thread's end
  Pending pending_;
  std::shared_ptr<const CacheError> last_error_;
  std::shared_ptr<const CacheError> doubt_;  // while undecided: what raised it
  std::uint64_t attempts_ = 0;
  FallbackStats totals_;
  std::deque<Announcement> announcements_;  // in the order of the changes of state
  bool announcing_ = false;
  bool nudged_ = false;
  bool stopping_ = false;
  bool ended_ = false;
  std::chrono::steady_clock::time_point stop_by_{};  // with stopping_; told before, or then
  Random random_;
  std::thread thread_;  // started at the first loss
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/fallback.ipp"
#endif
