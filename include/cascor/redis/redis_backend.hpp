// The Redis engine: keys and values on one server, through a pool of connections.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/random.hpp"
#include "cascor/core/store.hpp"
#include "cascor/redis/batch.hpp"
#include "cascor/redis/breaker_guard.hpp"
#include "cascor/redis/pipeline.hpp"
#include "cascor/redis/pool.hpp"
#include "cascor/redis/retry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// See KeyValueStore. Dials at the first call. Calls that are made at once share batches; see pipeline.hpp. Must
/// outlive every call on it: stop() ends those under way, and the caller waits for them.
template <class CascorWhenUsed = void>
class RedisBackend final : public KeyValueStore {
 public:
  explicit RedisBackend(RedisOptions options);

  StoreAnswer get(std::string_view key, Deadline by) override;
  std::vector<StoreAnswer> get_many(std::span<const std::string_view> keys, Deadline by) override;
  std::vector<StoreOutcome> set_many(std::span<const StoreEntry> entries, Deadline by) override;
  std::size_t erase_many(std::span<const std::string_view> keys, Deadline by) override;
  bool contains(std::string_view key, Deadline by) override;
  std::size_t erase_matching(const std::string& pattern, const std::function<bool(std::string_view)>& may_erase,
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
  PoolState pool() const override;
  RemoteStats stats() const override;
  void stop() noexcept override { pipeline_.stop(); }

 private:
  // What may be done with a batch.
  struct Terms {
    Repeat repeat = Repeat::safe;
    bool may_share = true;
    bool past_breaker = false;  // asked even while other calls fail at once
  };

  // Has every command of the batch answered, trying again as RetryPolicy says. Throws what went wrong otherwise; error
  // replies are answers.
  void run(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, const Terms& terms, Deadline by);
  std::vector<Reply> run(const Batch<CascorWhenUsed>& batch, const Terms& terms, Deadline by);
  // The same for a single command; throws its error reply.
  Reply run_one(const Batch<CascorWhenUsed>& batch, const Terms& terms, Deadline by);

  RedisOptions options_;
  cascor::detail::Random random_;
  ConnectionPool<CascorWhenUsed> pool_;
  Pipeline<CascorWhenUsed> pipeline_;
  BreakerGuard<CascorWhenUsed> breaker_;
  std::atomic<std::uint64_t> retries_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/redis_backend.ipp"
#endif
