// Whether Redis serves or memory does in its place, and the thread that brings Redis back.
#pragma once

#include <atomic>
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

#include "cascor/cache/pending_changes.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/event.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/random.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Does the error mean that the server as a whole is not to be had, rather than that it refused one command?
CASCOR_CACHE_FN bool means_away(const CacheError& error) noexcept;

/// What the fallback is told when it is made.
struct FallbackOptions {
  std::string server;      ///< as log lines name it: "localhost:6379"
  std::string everything;  ///< the pattern of all keys of the namespace
  std::size_t max_pending_bytes = 0;
  milliseconds timeout{5000};           ///< of each round trip of a return
  milliseconds shutdown_timeout{2000};  ///< for the last attempt to return, at destruction
  std::shared_ptr<const Clock> clock;
  Log log;
  std::function<void(const CacheEvent&)> on_event;
  std::function<std::uint64_t()> random;            ///< may be empty
  std::function<bool(std::string_view)> may_erase;  ///< which keys an invalidation may remove
  std::function<void()> forget_memory;              ///< called on return: Redis is the truth again
};

/// LIVE, or FALLBACK with a thread that asks for the server's return and then replays what it has missed. One mutex
/// guards the state's changes, the pending ones and the announcements; no I/O and no callback runs under it, but for
/// forget_memory and the caller's own store into memory in keep_…(). live() is one load. Safe from any thread.
class Fallback {
 public:
  CASCOR_CACHE_FN Fallback(KeyValueStore& store, FallbackOptions options);
  Fallback(const Fallback&) = delete;
  Fallback& operator=(const Fallback&) = delete;
  /// With something pending, makes one last attempt to return, of shutdown_timeout at most, and joins the thread. What
  /// is pending still is lost with the memory it stood for; a line says how much.
  ~Fallback();

  bool live() const noexcept { return live_.load(std::memory_order_acquire); }
  /// The server answered. Remembered for health().
  void reached() noexcept { ever_reached_.store(true, std::memory_order_relaxed); }
  /// The server is not to be had: FALLBACK, one WARNING, the thread starts asking. Again while in FALLBACK: nothing.
  /// False where no thread could be started: then it stays LIVE.
  CASCOR_CACHE_FN bool lost(const CacheError& error);

  /// While in FALLBACK, keeps a change for the return and calls `store_in_memory` with the state held; returns false,
  /// having done nothing, when Redis is back: the caller then goes there.
  CASCOR_CACHE_FN bool keep_write(std::string_view key, const std::shared_ptr<const std::string>& bytes,
                                  TimePoint expires, const std::function<void()>& store_in_memory);
  CASCOR_CACHE_FN bool keep_erasure(std::string_view key, const std::function<void()>& erase_in_memory);
  CASCOR_CACHE_FN bool keep_invalidation(const std::string& pattern, const std::function<void()>& erase_in_memory);

  /// Asks for the server's return now rather than after the backoff. Does not wait for the answer.
  CASCOR_CACHE_FN void nudge();

  struct State {
    bool live = true;
    bool ever_reached = false;
    std::uint64_t attempts = 0;  ///< to come back, since the server was lost
    std::size_t pending_writes = 0;
    std::shared_ptr<const CacheError> last_error;  ///< null: none yet
  };
  CASCOR_CACHE_FN State state() const;

 private:
  struct Replayed {
    std::uint64_t writes = 0;
    std::uint64_t invalidations = 0;
    std::uint64_t refused = 0;
    std::string why;  // in the server's words, of the last refusal
  };
  struct Announcement {
    LogLevel level = LogLevel::info;
    std::string line;
    std::string event;  // empty: none
  };
  template <class Change>
  bool keep(const Change& change);
  CASCOR_CACHE_FN void run();
  CASCOR_CACHE_FN bool wait_for_next_attempt(std::unique_lock<std::mutex>& lock, milliseconds& bound);
  CASCOR_CACHE_FN void try_return(Replayed& replayed);
  CASCOR_CACHE_FN void replay(PendingChanges::Changes& changes, Replayed& replayed);
  CASCOR_CACHE_FN void replay_removals(PendingChanges::Changes& changes, Replayed& replayed);
  CASCOR_CACHE_FN void replay_some_writes(PendingChanges::Changes& changes, Replayed& replayed);
  template <class Call>
  void unless_refused(Replayed& replayed, std::uint64_t changes, const Call& call);
  CASCOR_CACHE_FN Deadline round_trip(milliseconds most = milliseconds{2000}) const;
  CASCOR_CACHE_FN void add_return(const Replayed& replayed);
  CASCOR_CACHE_FN void announce(std::unique_lock<std::mutex>& lock);

  KeyValueStore& store_;
  const FallbackOptions options_;
  std::atomic<bool> live_{true};
  std::atomic<bool> ever_reached_{false};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  PendingChanges pending_;
  std::shared_ptr<const CacheError> last_error_;
  std::uint64_t attempts_ = 0;
  std::deque<Announcement> announcements_;  // in the order of the changes of state
  bool announcing_ = false;
  bool nudged_ = false;
  bool stopping_ = false;
  TimePoint stop_by_{};  // real time; with stopping_
  Random random_;
  std::thread thread_;  // started at the first loss
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/fallback.ipp"
#endif
