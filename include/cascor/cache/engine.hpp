// The cache below the codec: which tier answers, what happens when Redis is away, who counts. No template, no JSON
// value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache/computation.hpp"
#include "cascor/cache/compute_options.hpp"
#include "cascor/cache/near_value.hpp"
#include "cascor/cache/report.hpp"
#include "cascor/config/cache_config.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/invalidations.hpp"
#include "cascor/core/key.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/reply.hpp"
#include "cascor/core/result.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/entry.hpp"
#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
class EventBus;
class EventSink;
class KeyValueStore;
}  // namespace cascor::inline CASCOR_CACHE_ABI

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed = void>
class PartsAbove;

/// What a read found, still encoded or in whatever form memory keeps it.
struct Found {
  CacheHandle<StoredValue> held;             ///< in memory; empty otherwise
  CacheHandle<NearValue> near;               ///< in the near cache, maybe since this read; empty otherwise
  std::shared_ptr<const std::string> bytes;  ///< read from Redis; null otherwise
  ReadFacts facts;
  std::shared_ptr<const CacheError> error;

  /// The value in whichever memory has it; null: none.
  const StoredValue* stored() const noexcept { return held ? held.get() : near ? &near->value : nullptr; }
};

/// What get_or_compute gives: what was found, or what was computed just now.
struct ComputeAnswer {
  Found found;  ///< with `computed`, its facts only
  StoredValue value;
  bool computed = false;
};

/// One entry to write, under its full key.
struct Write {
  std::string_view key;
  Prefix prefix = Prefix::other;
  StoredValue value;
  Ttl ttl;
  OnlyIf only_if = OnlyIf::always;
  bool background = false;  ///< queue it, whatever the configuration says
};

/// What is to be done with the server by who knows more commands than the engine does. May be called again after it has
/// failed.
class RemoteCall {
 public:
  RemoteCall() = default;
  RemoteCall(const RemoteCall&) = delete;
  RemoteCall& operator=(const RemoteCall&) = delete;
  virtual ~RemoteCall() = default;
  virtual void operator()(KeyValueStore& store, Deadline by) const = 0;
};
template <class Call>
class RemoteCallOf final : public RemoteCall {
 public:
  explicit RemoteCallOf(const Call& call) noexcept : call_{call} {}
  void operator()(KeyValueStore& store, Deadline by) const override { call_(store, by); }

 private:
  const Call& call_;
};

/// By when a call has to end at the latest, whatever the configuration grants it: what with_deadline() asks for.
inline constexpr TimePoint whenever = TimePoint::max();

/// One cache. Every member may be called from any thread at once. Keys and patterns are full ones, checked by the
/// caller. With `strict` a server that is away, or that refuses, is thrown as its error; otherwise it is in the result.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual const KeySpace& key_space() const noexcept = 0;
  virtual const CacheConfig& config() const noexcept = 0;
  virtual const Log& log() const noexcept = 0;
  virtual const Clock& clock() const noexcept = 0;
  /// Is memory the configured backend, so that a write may hand over a decoded value instead of bytes?
  virtual bool keeps_decoded() const noexcept = 0;

  /// At most one round trip.
  virtual Found read(Prefix prefix, std::string_view key, TimePoint until) = 0;
  /// One round trip for all; answers in the order asked.
  virtual std::vector<Found> read_many(std::span<const std::string_view> keys, TimePoint until) = 0;
  /// Counts a read once its value is decoded, or did not decode.
  virtual void count_read(Prefix prefix, CacheStatus status, CacheTier tier = CacheTier::memory) noexcept = 0;
  /// Puts `value`, which has one more decoded form, in the place of what was found in memory, if that is still there.
  virtual void remember(std::string_view key, const Found& found, StoredValue value) noexcept = 0;

  /// Reads the key, else has `work` run once however many ask, and stores what it gives. Throws what `work` throws
  /// where nothing stands in, DataError for options that cannot be, or for a computation that waits for itself.
  virtual ComputeAnswer get_or_compute(Prefix prefix, std::string_view key, Computation& work,
                                       const ComputeOptions& options, TimePoint until) = 0;

  /// Throws DataError for a TTL that cannot be; nothing is written then. At most one round trip for all.
  virtual std::vector<StoreResult> write(std::span<Write> writes, TimePoint until) = 0;
  virtual bool erase(std::string_view key, TimePoint until) = 0;
  virtual bool contains(std::string_view key, TimePoint until) = 0;
  virtual std::optional<milliseconds> ttl(std::string_view key, TimePoint until) = 0;
  virtual bool touch(Prefix prefix, std::string_view key, Ttl ttl, TimePoint until) = 0;
  virtual CacheResult<std::int64_t> increment(Prefix prefix, std::string_view key, std::int64_t by, Ttl ttl,
                                              TimePoint until) = 0;
  /// Removes what matches and is no key of the library's own; how many went.
  virtual std::size_t erase_matching(const std::string& pattern, TimePoint until) = 0;
  /// Removes what carries the tag, by its full name; how many went.
  virtual std::size_t erase_tagged(const std::string& tag, TimePoint until) = 0;
  /// Keys that match and are none of the library's own.
  virtual std::vector<std::string> keys_matching(const std::string& pattern, std::size_t limit, TimePoint until) = 0;
  virtual Reply command(std::span<const std::string_view> arguments, TimePoint until) = 0;

  /// Sends a message; how many it reached. With memory, and while Redis is away, those are listeners `here`.
  virtual std::size_t publish(std::string_view channel, std::string_view payload, EventSink& here, TimePoint until) = 0;
  /// Redis's channels; null where memory is the backend, or the cache is disabled.
  virtual EventBus* events() noexcept = 0;
  /// Has the call done if Redis is the backend and serves; false where it is not, or is away and who calls is to keep
  /// what there is: also a call that failed may have had its effect. Throws what the server refuses, and, with `strict`
  /// or without a fallback, that it is away.
  virtual bool remotely(const RemoteCall& call, TimePoint until) = 0;
  /// Such a call has changed the key.
  virtual void changed(std::string_view key) noexcept = 0;
  /// Would remotely() ask the server now?
  virtual bool is_served_remotely() const noexcept = 0;
  /// What the rooms above keep with this engine.
  virtual PartsAbove<>& above() noexcept = 0;
  /// By when a round trip of a call that has to end by `until` has to end.
  virtual Deadline deadline(TimePoint until) const = 0;

  /// The cache is about to end, and all of it is there still: what has happened is told, and nothing from then on.
  virtual void end_events() noexcept = 0;
  /// Waits until what was written before is in the backend; false when `until` comes first, or something was refused.
  virtual bool flush(TimePoint until) = 0;
  virtual Health health() = 0;
  virtual Stats stats() const = 0;
  /// From now on `listener`, which the engine keeps, hears of changes, those that the server tells of too. Once.
  virtual void listen(std::shared_ptr<ChangeListener> listener) = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
