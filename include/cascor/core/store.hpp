// The boundary below the codec: bytes in, bytes out, batched. What a remote engine offers to the tiers above it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/reply.hpp"
#include "cascor/core/stats.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/core/value_witness.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// One entry to write: a full key, its bytes, its TTL (no_expiry: none).
struct StoreEntry {
  std::string_view key;
  std::string_view bytes;
  milliseconds ttl = no_expiry;
  OnlyIf only_if = OnlyIf::always;
  std::span<const std::string> tags{};         ///< keys of the sets that the key is to be in
  std::span<const std::string> former_tags{};  ///< of those that it is to be in no longer
  /// With a value: written only where these bytes are, or its own, or (but for OnlyIf::present) nothing.
  std::optional<std::string_view> in_place_of{};
};

/// What became of one write: held, refused with an error, or neither, as `only_if` did not hold.
struct StoreOutcome {
  bool stored = false;
  std::shared_ptr<const CacheError> error;
};

/// One entry read: its bytes, or nothing where there is none; `error` where this key's answer was one. `ttl` is what
/// was left of its life just after it was read, no_expiry where it does not expire; nothing where it was not asked for,
/// or the entry was gone by then.
struct StoreAnswer {
  std::optional<std::string> bytes;
  std::shared_ptr<const CacheError> error;
  std::optional<milliseconds> ttl;
};

/// What a server tells of itself, for health().
struct ServerInfo {
  std::string version;
  std::int64_t uptime_seconds = 0;
  std::int64_t connected_clients = 0;
  std::string used_memory_human;
  double ping_ms = 0;
  std::string info_error;  ///< why the rest is not known, where the account may PING but not INFO
};

/// Key and value. Every call ends by its deadline or throws TimeoutError; a server that is not to be had is a
/// ConnectionError. An error that concerns one key only stands in that key's answer. Safe from any thread.
class KeyValueStore {
 public:
  KeyValueStore() = default;
  KeyValueStore(const KeyValueStore&) = delete;
  KeyValueStore& operator=(const KeyValueStore&) = delete;
  virtual ~KeyValueStore() = default;

  /// One round trip each, but for batches over the engine's bound. Answers stand in the order asked.
  virtual StoreAnswer get(std::string_view key, Deadline by) = 0;
  virtual std::vector<StoreAnswer> get_many(std::span<const std::string_view> keys, Deadline by) = 0;
  /// The same, and the TTL of the first `asking` of them. An engine that cannot tell leaves them out.
  virtual std::vector<StoreAnswer> get_with_ttl(std::span<const std::string_view> keys, std::size_t /*asking*/,
                                                Deadline by) {
    return get_many(keys, by);
  }
  /// As get_many; the witness is not told.
  virtual std::vector<StoreAnswer> peek_many(std::span<const std::string_view> keys, Deadline by) {
    return get_many(keys, by);
  }
  virtual std::vector<StoreOutcome> set_many(std::span<const StoreEntry> entries, Deadline by) = 0;
  /// How many of them were there.
  virtual std::size_t erase_many(std::span<const std::string_view> keys, Deadline by) = 0;
  /// Removes a key, and `also`, which may be refused; was the key there? One round trip where the engine can.
  virtual bool erase_with(std::string_view key, std::string_view /*also*/, Deadline by) {
    return erase_many({&key, 1}, by) == 1;
  }
  virtual bool contains(std::string_view key, Deadline by) = 0;
  /// Removes what matches the pattern and passes `may_erase`; returns how many went. Many round trips, each by the
  /// deadline that `next_deadline` gives then; does not block the server.
  virtual std::size_t erase_matching(const std::string& pattern, const std::function<bool(std::string_view)>& may_erase,
                                     const std::function<Deadline()>& next_deadline) = 0;

  /// Has the sets of these tags know that the key has a new TTL. One round trip.
  virtual void retag(std::string_view key, std::span<const std::string> tags, milliseconds ttl, Deadline by) = 0;
  /// Removes what is in the set of a tag and passes `may_erase`, and the set; returns how many of them were there. Two
  /// round trips a thousand keys, each by the deadline that `next_deadline` gives then; looks at no other key.
  virtual std::size_t erase_tagged(const std::string& tag, const std::function<bool(std::string_view)>& may_erase,
                                   const std::function<Deadline()>& next_deadline) = 0;

  /// What is left of a key's life: no_expiry where it does not expire, nullopt where there is no such key.
  virtual std::optional<milliseconds> ttl(std::string_view key, Deadline by) = 0;
  /// Gives a key a new TTL (no_expiry: none); was it there?
  virtual bool touch(std::string_view key, milliseconds ttl, Deadline by) = 0;
  /// Adds `by_how_much` to the integer under the key, 0 where there is none, gives it the TTL, and returns the sum. In
  /// one step, and never twice. Throws ResponseError where no integer is, or the sum is none of 64 bits.
  virtual std::int64_t increment(std::string_view key, std::int64_t by_how_much, milliseconds ttl, Deadline by) = 0;
  /// Keys that match the pattern and pass `may_list`, each once, `limit` at most. As erase_matching.
  virtual std::vector<std::string> keys(const std::string& pattern, std::size_t limit,
                                        const std::function<bool(std::string_view)>& may_list,
                                        const std::function<Deadline()>& next_deadline) = 0;
  /// Any one command by its arguments; an error reply is a reply. Throws DataError for a command that would change the
  /// connection for others (SUBSCRIBE, MULTI, SELECT, …). Sent twice only if it is known to be safe.
  virtual Reply command(std::span<const std::string_view> arguments, Deadline by) = 0;

  /// Is it there and ready to serve? Throws what is wrong otherwise. One round trip.
  virtual void ping(Deadline by) = 0;
  virtual ServerInfo info(Deadline by) = 0;
  virtual PoolState pool() const = 0;
  /// Has the witness, which must live as long as this, told of each value under a key from now on. Before the first
  /// call. An engine that cannot tell has nothing to say.
  virtual void tell_values(ValueWitness* /*witness*/) noexcept {}
  /// The servers of a cluster, or those that Sentinels watch over and the Sentinels; empty for one server. Asks one of
  /// them, which takes a second at most; where none answers, what is known. Throws nothing of Redis's.
  virtual std::vector<NodeState> nodes(Deadline /*by*/) { return {}; }
  virtual RemoteStats stats() const = 0;
  /// Has `tell` called, on a thread of the engine's, whenever another server has taken a lost one's place: what failed
  /// may succeed now. Must not block. Empty: nobody is told from then on, nor being told.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): who overrides it keeps it
  virtual void when_replaced(std::function<void()> /*tell*/) {}
  /// Ends every call under way, and each later one, at once with a ConnectionError. For a manager that is being
  /// destroyed and will not wait for a server that hangs.
  virtual void stop() noexcept = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
