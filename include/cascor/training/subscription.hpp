// The handle on something that goes on calling a handler of the application's until it is closed.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "cascor/cache/engine_holder.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

/// What a Subscription closes.
class Closable {
 public:
  Closable() = default;
  Closable(const Closable&) = delete;
  Closable& operator=(const Closable&) = delete;
  virtual ~Closable() = default;
  /// Ends it; no handler runs after this returns. From inside its own handler it returns at once, and that handler's
  /// call is the last. May be called again, and by several threads.
  virtual void close() noexcept = 0;
  virtual bool is_open() const noexcept = 0;
};

}  // namespace detail

/// A subscription, for as long as this object lives. It belongs to the manager that it came from: when that is
/// destroyed it is closed, and closing it again later does nothing. In a child that was forked it is nothing: the
/// parent's goes on. One object is for one thread at a time; several may be closed at once.
class [[nodiscard("it ends when this object does")]] Subscription {
 public:
  /// None.
  Subscription() = default;
  explicit Subscription(std::shared_ptr<detail::Closable> of)
      : of_{std::move(of)}, made_under_{detail::forks().load(std::memory_order_relaxed)} {}
  Subscription(Subscription && other) noexcept : of_{std::move(other.of_)}, made_under_{other.made_under_} {}
  /// Closes the one it was.
  Subscription& operator=(Subscription&& other) noexcept {
    if (this != &other) {
      close();
      of_ = std::move(other.of_);
      made_under_ = other.made_under_;
    }
    return *this;
  }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription() { close(); }

  /// Ends it. No handler runs after this returns: one that is running is waited for, so two handlers must not close
  /// each other's. From inside its own handler it returns at once, and no other call follows. Never throws; doing it
  /// again does nothing.
  void close() noexcept {
    if (!of_) return;
    if (made_under_ == detail::forks().load(std::memory_order_relaxed)) {
      of_->close();
      of_.reset();
    } else {  // its thread stayed in the parent, with whatever it had locked: not even its end is safe
      static_cast<void>(new (std::nothrow) std::shared_ptr<detail::Closable>{std::move(of_)});
    }
  }
  /// Does it still go on? False too once its manager is gone.
  bool is_open() const noexcept {
    return of_ && made_under_ == detail::forks().load(std::memory_order_relaxed) && of_->is_open();
  }
  explicit operator bool() const noexcept { return is_open(); }

 private:
  std::shared_ptr<detail::Closable> of_;
  unsigned made_under_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
