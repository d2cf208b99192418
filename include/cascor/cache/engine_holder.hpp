// Which engine a manager's calls go to: the one it was made with, or, in a forked child, one of the child's own.
#pragma once

#include <pthread.h>

#include <atomic>
#include <memory>

#include "cascor/cache/tiered_engine.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// How often this process was forked off since its first cache was made: another number than an engine was made under
/// means that its threads stayed behind in a parent, and that its locks may be held by them for ever. One relaxed load.
inline std::atomic<unsigned>& forks() noexcept {
  static std::atomic<unsigned> count{0};
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { count.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
  return count;
}

/// Holds no lock, so that a child never finds one held. The first of several threads in a child to make its engine
/// wins. An engine of a parent's is abandoned: nothing of it is touched, its memory and sockets stay until the child
/// ends. Safe from any thread.
template <class CascorWhenUsed = void>
class EngineHolder {
  template <class T>
  using Later = Dependent<T, CascorWhenUsed>;

 public:
  explicit EngineHolder(const CacheConfig& config) : config_{config}, held_{new Held{make_engine(config_)}} {}
  EngineHolder(const EngineHolder&) = delete;
  EngineHolder& operator=(const EngineHolder&) = delete;
  ~EngineHolder() {
    if (Held* const held = held_.load(std::memory_order_acquire); held->is_ours()) held->engine->end_events();
    if (void* const kept = kept_.load(std::memory_order_acquire)) end_kept_.load(std::memory_order_relaxed)(kept);
    std::unique_ptr<Held> held{held_.load(std::memory_order_acquire)};
    if (!held->is_ours()) (void)held.release();
  }

  Engine& get() {
    Held* const held = held_.load(std::memory_order_acquire);
    return held->is_ours() ? *held->engine : renewed(held);
  }
  /// What lasts as long as this, whatever engine there is, made as `Kept{*this}` at its first use. There is one type of
  /// it, and what it holds is nothing that must not be shared with a child.
  template <class Kept>
  Kept& kept() {
    if (void* const there = kept_.load(std::memory_order_acquire)) return *static_cast<Kept*>(there);
    auto made = std::make_unique<Kept>(*this);
    end_kept_.store([](void* kept) { delete static_cast<Kept*>(kept); }, std::memory_order_relaxed);
    void* none = nullptr;
    if (kept_.compare_exchange_strong(none, made.get(), std::memory_order_acq_rel)) return *made.release();
    return *static_cast<Kept*>(none);
  }

 private:
  struct Held {
    std::unique_ptr<Later<Engine>> engine;
    unsigned made_under = forks().load(std::memory_order_relaxed);
    bool is_ours() const noexcept { return made_under == forks().load(std::memory_order_relaxed); }
  };
  Engine& renewed(Held* old) {
    auto fresh = std::make_unique<Held>(Held{make_engine(config_)});
    if (held_.compare_exchange_strong(old, fresh.get(), std::memory_order_acq_rel)) return *fresh.release()->engine;
    return *old->engine;
  }

  const Later<CacheConfig> config_;
  std::atomic<Held*> held_;
  std::atomic<void*> kept_{nullptr};
  std::atomic<void (*)(void*)> end_kept_{nullptr};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
