// The Redis engine: keys and values as commands, on whatever servers there are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/core/store.hpp"
#include "cascor/redis/batch.hpp"
#include "cascor/redis/topology.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// See KeyValueStore. Dials at the first call. Calls that are made at once share batches; see pipeline.hpp. Must
/// outlive every call on it: stop() ends those under way, and the caller waits for them.
template <class CascorWhenUsed = void>
class RedisBackend final : public KeyValueStore {
 public:
  /// Of one server.
  explicit RedisBackend(RedisOptions options)
      : RedisBackend{std::make_unique<Standalone<CascorWhenUsed>>(std::move(options))} {}
  explicit RedisBackend(std::unique_ptr<Topology<CascorWhenUsed>> servers) : servers_{std::move(servers)} {}

  StoreAnswer get(std::string_view key, Deadline by) override;
  std::vector<cascor::detail::Dependent<StoreAnswer, CascorWhenUsed>> get_many(std::span<const std::string_view> keys,
                                                                               Deadline by) override {
    return read_many(keys, 0, by, witness_);
  }
  std::vector<cascor::detail::Dependent<StoreAnswer, CascorWhenUsed>> get_with_ttl(
      std::span<const std::string_view> keys, std::size_t asking, Deadline by) override {
    return read_many(keys, asking, by, witness_);
  }
  std::vector<cascor::detail::Dependent<StoreAnswer, CascorWhenUsed>> peek_many(std::span<const std::string_view> keys,
                                                                                Deadline by) override {
    return read_many(keys, 0, by, nullptr);
  }
  std::vector<cascor::detail::Dependent<StoreOutcome, CascorWhenUsed>> set_many(std::span<const StoreEntry> entries,
                                                                                Deadline by) override;
  std::size_t erase_many(std::span<const std::string_view> keys, Deadline by) override;
  bool erase_with(std::string_view key, std::string_view also, Deadline by) override;
  bool contains(std::string_view key, Deadline by) override;
  std::size_t erase_matching(const std::string& pattern, const std::function<bool(std::string_view)>& may_erase,
                             const std::function<Deadline()>& next_deadline) override;
  void retag(std::string_view key, std::span<const std::string> tags, milliseconds ttl, Deadline by) override;
  std::size_t erase_tagged(const std::string& tag, const std::function<bool(std::string_view)>& may_erase,
                           const std::function<Deadline()>& next_deadline) override;

  std::optional<milliseconds> ttl(std::string_view key, Deadline by) override;
  bool touch(std::string_view key, milliseconds ttl, Deadline by) override;
  std::int64_t increment(std::string_view key, std::int64_t by_how_much, milliseconds ttl, Deadline by) override;
  std::vector<std::string> keys(const std::string& pattern, std::size_t limit,
                                const std::function<bool(std::string_view)>& may_list,
                                const std::function<Deadline()>& next_deadline) override;
  Reply command(std::span<const std::string_view> arguments, Deadline by) override;

  void ping(Deadline by) override;
  ServerInfo info(Deadline by) override;
  std::vector<NodeState> nodes(Deadline by) override { return servers_->nodes(by); }
  PoolState pool() const override { return servers_->pool(); }
  RemoteStats stats() const override { return servers_->stats(); }
  Topology<CascorWhenUsed>& servers() noexcept { return *servers_; }
  void when_replaced(std::function<void()> tell) override { servers_->when_replaced(std::move(tell)); }
  void tell_values(ValueWitness* witness) noexcept override { witness_ = witness; }
  void stop() noexcept override { servers_->stop(); }

 private:
  using Commands = Batch<CascorWhenUsed>;
  using Server = typename Topology<CascorWhenUsed>::Server;

  // Has every command of the batch answered. Throws what went wrong otherwise; error replies are answers.
  void run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) {
    servers_->run(batch, replies, terms, by);
  }
  std::vector<Reply> run(const Commands& batch, const Terms& terms, Deadline by);
  std::vector<cascor::detail::Dependent<StoreAnswer, CascorWhenUsed>> read_many(std::span<const std::string_view> keys,
                                                                                std::size_t asking, Deadline by,
                                                                                ValueWitness* told);
  // The same for a single command; throws its error reply.
  Reply run_one(const Commands& batch, const Terms& terms, Deadline by);
  // As run(), on one server; throws what error reply there is.
  std::vector<Reply> run_on(const Server& server, const Commands& batch, const Terms& terms, Deadline by);
  template <class Walk>
  void on_every_master(const std::function<Deadline()>& next_deadline, const Walk& walk);

  std::unique_ptr<Topology<CascorWhenUsed>> servers_;
  ValueWitness* witness_ = nullptr;  // null: nobody wants to know
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/redis_backend.ipp"
#endif
