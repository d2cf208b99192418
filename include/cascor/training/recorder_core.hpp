// What a recorder has taken over and not sent yet, and the thread that sends it.
//
// Locking rule: mutex_ guards what is waiting and the counts; the thread sends without it. Under it nothing is waited
// for but a write to the spool's file, which only a caller past max_pending makes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/codec/json.hpp"
#include "cascor/training/history_store.hpp"
#include "cascor/training/journal.hpp"
#include "cascor/training/recorder_options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

namespace detail {

/// Records are numbered as they come, by the calendar and past the one before, so that however often one is sent it is
/// in the run once. Safe from any thread.
template <class CascorWhenUsed = void>
class RecorderCore {
 public:
  using Life = HistoryLife<CascorWhenUsed>;

  RecorderCore(std::shared_ptr<Life> life, std::string_view run, const RecorderOptions& options);
  RecorderCore(const RecorderCore&) = delete;
  RecorderCore& operator=(const RecorderCore&) = delete;
  ~RecorderCore();

  bool epoch(json record);
  bool topology(json value);
  bool flush(milliseconds within);
  std::size_t backlog() const;
  bool is_ours() const noexcept { return life_->made_under == forks().load(std::memory_order_relaxed); }
  Life& life() const noexcept { return *life_; }
  const std::string& run() const noexcept { return run_; }

 private:
  using Json = Dependent<json, CascorWhenUsed>;
  using Store = HistoryStore<CascorWhenUsed>;
  using Lock = std::unique_lock<std::mutex>;
  struct Given {
    RecordId id;
    WallTime when;
    Json record;
  };
  struct Batch {
    std::vector<Dependent<LogEntry, CascorWhenUsed>> entries;
    std::optional<Json> newest;  // as it was given
    RecordId from_spool;         // its end there; 0: it is from memory
    bool fresh = true;           // numbered by this process, so that nobody has sent it under this number
  };

  RecordId numbered(std::uint64_t epoch, WallTime when) noexcept;
  static std::string text_of(Given given);
  bool spool(Given given);
  void run_thread() noexcept;
  bool take(Lock& lock);
  bool send(bool publish_now);
  void sent(const Batch& batch);
  void put_aside(const std::vector<Dependent<LogEntry, CascorWhenUsed>>& entries, const std::string& why);
  void publish(Store& store, const Json& newest);
  void send_topology(Engine& engine);
  bool is_drained() const noexcept;
  bool drain(std::chrono::steady_clock::time_point end);
  void keep_rest() noexcept;
  TimePoint soon(const Engine& engine) const;

  const std::shared_ptr<Life> life_;
  const std::string run_;
  const RecorderOptions options_;
  std::shared_ptr<const Clock> clock_;
  Log log_;
  milliseconds timeout_{0};
  milliseconds shutdown_timeout_{0};
  std::string set_aside_;    // the file of what the run refuses
  std::string destination_;  // of the spool
  bool in_one_step_ = false;

  mutable std::mutex mutex_;
  std::condition_variable wake_;  // the thread
  std::condition_variable done_;  // who flushes
  Dependent<std::deque<Given>, CascorWhenUsed> waiting_;
  Dependent<std::optional<Json>, CascorWhenUsed> topology_;
  Dependent<std::optional<Json>, CascorWhenUsed> newest_;  // to be published
  Dependent<std::optional<Json>, CascorWhenUsed> newest_spooled_;
  RecordId last_;
  std::size_t sending_ = 0;  // records in the thread's hands
  std::size_t spooled_ = 0;  // records in the file that are not in the thread's hands
  bool spooling_ = false;
  bool refused_ = false;  // the run has refused records since the last flush
  bool ended_ = false;    // the cache has
  int flushing_ = 0;
  bool stopping_ = false;
  std::optional<std::chrono::steady_clock::time_point> ends_by_;  // once the recorder ends
  std::unique_ptr<Journal<CascorWhenUsed>> spool_;
  // The thread's own:
  Batch batch_;
  milliseconds patience_{0};  // what a call of it may take
  RecordId spool_read_;       // so far the file is sent
  RecordId inherited_;        // so far the file is an earlier recorder's
  std::chrono::steady_clock::time_point last_published_{};
  std::thread thread_;
};

}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/recorder_core.ipp"
#endif
