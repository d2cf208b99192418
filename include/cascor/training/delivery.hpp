// Threads that call an application's handlers, how each is closed, and how all of them end with their engine.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/cache/parts_above.hpp"
#include "cascor/core/log.hpp"
#include "cascor/training/subscription.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// One thread that delivers. A class below it says what in deliver(), and calls the application through call_handler()
/// only. The mutex guards the thread's end; nothing is called under it. Safe from any thread.
template <class CascorWhenUsed = void>
class Delivery : public Closable {
 public:
  /// `what` names it in log lines: "a subscription to cascor:training".
  Delivery(Log log, std::string what) : log_{std::move(log)}, what_{std::move(what)} {}

  /// Starts the thread. Throws std::system_error where the system has none; it is closed then. `self` owns this.
  void start(const std::shared_ptr<Delivery>& self);
  void close() noexcept override;
  bool is_open() const noexcept override { return !closing(); }
  /// Has the thread ended, so that close() would not wait?
  bool has_ended() const;
  /// Is the caller its thread?
  bool is_here() const noexcept { return runs_on_.load(std::memory_order_acquire) == std::this_thread::get_id(); }

 protected:
  /// The thread's work. Must return soon once closing() is true; what it throws is logged and ends it.
  virtual void deliver() = 0;
  /// Called by close() once closing() is true, on the closer's thread: wakes deliver(), and takes it off its source.
  virtual void on_close() noexcept = 0;
  bool closing() const noexcept { return closing_.load(std::memory_order_acquire); }
  /// Calls the application, unless it is closing. What that throws is logged (the first, second, fourth, … time, so
  /// that a handler that always throws does not fill the log) and delivery goes on.
  template <class Call>
  void call_handler(const Call& call) noexcept {
    if (closing()) return;
    try {
      call();
    } catch (const std::exception& error) {
      threw(error.what());
    } catch (...) {
      threw("something that is no std::exception");
    }
  }

 private:
  void run() noexcept;
  void threw(std::string_view what) noexcept;

  const Log log_;
  const std::string what_;
  std::atomic<bool> closing_{false};
  std::atomic<std::thread::id> runs_on_{};
  std::uint64_t thrown_ = 0;  // of the thread's own

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;  // taken out by the one who joins it
  bool ended_ = true;   // no thread, or one that is joined
  bool done_ = false;   // deliver() has returned
};

/// All deliveries of an engine, which end with it. The mutex guards the list; none is closed under it.
template <class CascorWhenUsed = void>
class Deliveries final : public PartAbove {
 public:
  static constexpr std::string_view part_name = "deliveries";
  explicit Deliveries(Engine& engine) : engine_{engine} {}

  /// Starts `delivery`, and remembers it until it has ended. Throws std::system_error where there is no thread for it,
  /// ConnectionError once the engine is about to go.
  void start(const std::shared_ptr<Delivery<CascorWhenUsed>>& delivery);
  /// Closes all. On a thread that delivers it is a mistake that cannot be made good: a line says so, and the program
  /// ends.
  void end() noexcept override;

 private:
  Engine& engine_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Delivery<CascorWhenUsed>>> all_;
  bool over_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/delivery.ipp"
#endif
