// The cache below the codec: which tier answers, what happens when Redis is away, who counts. No template, no JSON
// value.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache/report.hpp"
#include "cascor/config/cache_config.hpp"
#include "cascor/core/key.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/result.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/entry.hpp"
#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What a read found, still encoded or in whatever form memory keeps it.
struct Found {
  CacheHandle<StoredValue> held;             ///< in memory; empty otherwise
  std::shared_ptr<const std::string> bytes;  ///< read from Redis; null otherwise
  ReadFacts facts;
  std::shared_ptr<const CacheError> error;
};

/// One entry to write, under its full key.
struct Write {
  std::string_view key;
  Prefix prefix = Prefix::other;
  StoredValue value;
  Ttl ttl;
};

/// One cache. Every member may be called from any thread at once. Keys and patterns are full ones, checked by the
/// caller. With `strict` a server that is away, or that refuses, is thrown as its error; otherwise it is in the result.
class Engine {
 public:
  /// Dials, and falls back. Throws ConfigError, and with `strict` what dialling throws.
  explicit Engine(const CacheConfig& config);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  const KeySpace& keys() const noexcept;
  const CacheConfig& config() const noexcept;
  const Log& log() const noexcept;
  /// Is memory the configured backend, so that a write may hand over a decoded value instead of bytes?
  bool keeps_decoded() const noexcept;

  /// At most one round trip.
  Found read(Prefix prefix, std::string_view key);
  /// One round trip for all; answers in the order asked.
  std::vector<Found> read_many(std::span<const std::string_view> keys);
  /// Counts a read once its value is decoded, or did not decode.
  void count_read(Prefix prefix, CacheStatus status) noexcept;
  /// Puts `value`, which has one more decoded form, in the place of what `held` holds, if that is still there.
  void remember(std::string_view key, const CacheHandle<StoredValue>& held, StoredValue value) noexcept;

  /// Throws DataError for a TTL that cannot be; nothing is written then. At most one round trip for all.
  std::vector<StoreResult> write(std::span<Write> writes);
  bool erase(std::string_view key);
  bool contains(std::string_view key);
  /// Removes what matches and is no key of the library's own; how many went.
  std::size_t erase_matching(const std::string& pattern);

  Health health();
  Stats stats() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/engine.ipp"
#endif
