// The master that the Sentinels name, followed through failovers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/core/events.hpp"
#include "cascor/redis/master_finder.hpp"
#include "cascor/redis/subscriber.hpp"
#include "cascor/redis/topology.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Every dial asks the Sentinels and has the server say by ROLE that it is the master. A link to one of them, begun
/// with the first call that is answered and kept alive by PING, tells of a switch at once; so does a dial that finds
/// another master than the one before. Then every connection to the old master is closed, those of calls under way too,
/// so that a master that hangs holds nobody. One mutex guards who is told, and is held while that runs; the other one
/// what was found last, and nothing is done under it. Safe from any thread.
template <class CascorWhenUsed = void>
class Sentinel final : public Topology<CascorWhenUsed>, private EventSink {
 public:
  using typename Topology<CascorWhenUsed>::Commands;
  using typename Topology<CascorWhenUsed>::Masters;
  using typename Topology<CascorWhenUsed>::Server;

  /// `each` is how the master is talked to, its endpoint left out, and the Sentinels. Dials at the first call.
  Sentinel(const RedisOptions& each, std::vector<Endpoint> sentinels, std::string master_name);
  ~Sentinel() override {
    finder_.stop();
    watch_.reset();
  }

  void run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) override;
  void run_on(const Server& /*server*/, const Commands& batch, std::span<Reply> replies, const Terms& terms,
              Deadline by) override {
    run(batch, replies, terms, by);
  }
  Masters masters(Deadline /*by*/) override { return {{server_}, switches_.load()}; }
  Endpoint where(std::string_view /*key*/, Deadline by) override { return locate(by); }
  void when_replaced(std::function<void()> tell) override;
  PoolState pool() const override { return server_->pool(); }
  std::vector<NodeState> nodes(Deadline by) override;
  RemoteStats stats() const override { return server_->stats(); }
  void stop() noexcept override;

 private:
  void message(TopicKind kind, std::string_view name, std::string_view channel, std::string_view payload) override;
  void gap(TopicKind kind, std::string_view name) override;
  std::size_t publish_here(std::string_view /*channel*/, std::string_view /*payload*/) override { return 0; }
  Endpoint locate(Deadline by);
  void switched() noexcept;
  void start_watching() noexcept;
  void tell() noexcept;

  MasterFinder<CascorWhenUsed> finder_;
  const Server server_;
  std::atomic<std::uint64_t> switches_{0};
  std::atomic<bool> watching_{false};
  std::mutex last_mutex_;
  Endpoint last_;  // where the master was found last; no host: nowhere
  std::mutex mutex_;
  std::function<void()> tell_;
  std::unique_ptr<Subscriber<CascorWhenUsed>> watch_;  // set once, by whoever set watching_
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/sentinel.ipp"
#endif
