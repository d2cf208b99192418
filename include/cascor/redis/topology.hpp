// Which servers there are, and which of them a command goes to: one, or those of a cluster.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/core/store.hpp"
#include "cascor/redis/node.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Safe from any thread. Must outlive every call on it.
template <class CascorWhenUsed = void>
class Topology {
 public:
  using Server = std::shared_ptr<Node<CascorWhenUsed>>;
  using Commands = Batch<CascorWhenUsed>;
  /// The masters, and a number that is another one once they or what they hold have changed.
  struct Masters {
    std::vector<Server> servers;
    std::uint64_t version = 0;
  };

  Topology() = default;
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;
  virtual ~Topology() = default;

  /// Has every command answered, in order, by the server that it belongs to; error replies are answers. Throws what
  /// went wrong otherwise.
  virtual void run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) = 0;
  /// The same on one of masters(): what asks a server rather than the keys.
  virtual void run_on(const Server& server, const Commands& batch, std::span<Reply> replies, const Terms& terms,
                      Deadline by) = 0;
  /// Every server that a walk over all keys has to ask.
  virtual Masters masters(Deadline by) = 0;

  /// Where a connection of its own is to be dialled: to the master that has the key, with an empty key to any. Throws
  /// as run().
  virtual Endpoint where(std::string_view key, Deadline by) = 0;
  /// Has `tell` called, on a thread of the topology's, whenever another server has taken a lost one's place: what
  /// failed may succeed now. Must not block. Empty: nobody is told from then on, nor being told.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): who overrides it keeps it
  virtual void when_replaced(std::function<void()> /*tell*/) {}

  virtual PoolState pool() const = 0;
  /// See KeyValueStore.
  virtual std::vector<NodeState> nodes(Deadline /*by*/) { return {}; }
  virtual RemoteStats stats() const = 0;
  virtual void stop() noexcept = 0;
};

/// One server.
template <class CascorWhenUsed = void>
class Standalone final : public Topology<CascorWhenUsed> {
 public:
  using typename Topology<CascorWhenUsed>::Commands;
  using typename Topology<CascorWhenUsed>::Masters;
  using typename Topology<CascorWhenUsed>::Server;

  explicit Standalone(RedisOptions options) : server_{std::make_shared<Node<CascorWhenUsed>>(std::move(options))} {}

  void run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) override {
    server_->run(batch, replies, terms, by);
  }
  void run_on(const Server& server, const Commands& batch, std::span<Reply> replies, const Terms& terms,
              Deadline by) override {
    server->run(batch, replies, terms, by);
  }
  Masters masters(Deadline /*by*/) override { return {{server_}, 0}; }
  Endpoint where(std::string_view /*key*/, Deadline /*by*/) override { return server_->endpoint(); }
  PoolState pool() const override { return server_->pool(); }
  RemoteStats stats() const override { return server_->stats(); }
  void stop() noexcept override { server_->stop(); }

 private:
  const Server server_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
