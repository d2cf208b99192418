// The links to all masters of a cluster, which tell as one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/core/invalidations.hpp"
#include "cascor/redis/cluster.hpp"
#include "cascor/redis/tracking.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// See InvalidationLink. It is up while there is a link to every master that a command may go to: it goes down before
/// the cluster sends anything to a master without one. Slots that move between linked masters change nothing: a key
/// that leaves is told of as removed, and what happens to it then is told by its new node. One mutex guards all but
/// `state_`, and is held while the sink is told, so that it is told by one at a time; its thread alone makes and ends
/// the single links, without it.
template <class CascorWhenUsed = void>
class ClusterLink final : public InvalidationLink {
 public:
  using Each = typename TrackingLink<CascorWhenUsed>::Options;

  /// `each` is how a master is listened to, its endpoint left out. `cluster` and `told` must live until close() has
  /// returned.
  ClusterLink(Each each, Cluster<CascorWhenUsed>& cluster, InvalidationSink& told)
      : each_{std::move(each)}, cluster_{cluster}, told_{told} {}
  ClusterLink(const ClusterLink&) = delete;
  ClusterLink& operator=(const ClusterLink&) = delete;
  ~ClusterLink() override { close(); }

  void open() noexcept override;
  void nudge() noexcept override;
  void renew() noexcept override;
  void close() noexcept override;
  LinkState state() const noexcept override { return state_.load(std::memory_order_relaxed); }

 private:
  // One master's link; hears for the whole.
  class Part final : public InvalidationSink {
   public:
    Part(ClusterLink& whole, Endpoint at) : whole_{whole}, at_{std::move(at)} {
      Each options = whole.each_;
      options.redis.endpoint = at_;
      link_ = std::make_unique<TrackingLink<CascorWhenUsed>>(std::move(options), *this);
    }
    void on_up() noexcept override { whole_.part_up(*this); }
    void on_key(std::string_view key) noexcept override { whole_.part_key(key); }
    void on_flush() noexcept override { whole_.part_flush(); }
    void on_down(const CacheError& why) noexcept override { whole_.part_down(*this, why); }
    void on_refused(const CacheError& why) noexcept override { whole_.part_refused(why); }
    const Endpoint& at() const noexcept { return at_; }
    InvalidationLink& link() noexcept { return *link_; }
    bool up = false;    // guarded by the whole's mutex, as
    bool gone = false;  // whether its master is none any more

   private:
    ClusterLink& whole_;
    const Endpoint at_;
    std::unique_ptr<TrackingLink<CascorWhenUsed>> link_;
  };
  using Parts = std::vector<std::unique_ptr<Part>>;

  void part_up(Part& part) noexcept;
  void part_key(std::string_view key) noexcept;
  void part_flush() noexcept;
  void part_down(Part& part, const CacheError& why) noexcept;
  void part_refused(const CacheError& why) noexcept;
  void masters_change() noexcept;
  void come_up() noexcept;
  void go_down(const CacheError& why) noexcept;
  void run() noexcept;
  void follow_masters();

  const Each each_;
  Cluster<CascorWhenUsed>& cluster_;
  InvalidationSink& told_;
  std::atomic<LinkState> state_{LinkState::unopened};

  std::mutex mutex_;
  std::condition_variable wake_;
  Parts parts_;
  bool changed_ = true;               // the masters, since they were last asked for
  std::atomic<bool> closing_{false};  // set under the mutex
  bool ended_ = false;                // the thread
  std::thread thread_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/cluster_link.ipp"
#endif
