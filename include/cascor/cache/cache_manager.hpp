// The facade: what an application calls.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cascor/cache/engine.hpp"
#include "cascor/cache/report.hpp"
#include "cascor/codec/json.hpp"
#include "cascor/config/cache_config.hpp"
#include "cascor/core/result.hpp"
#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// How a value is stored. All of it may be left out.
struct SetOptions {
  Ttl ttl{};  ///< left out: that of the longest prefix that the key starts with, else `ttl_seconds`
};

namespace detail {
template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view>;
/// A range of pairs of key and value: a std::map, a vector of pairs.
template <class R>
concept EntryRange = std::ranges::input_range<R> && requires(std::ranges::range_reference_t<R> entry) {
  { entry.first } -> std::convertible_to<std::string_view>;
  entry.second;
};
template <class R>
concept KeyRange =
    std::ranges::input_range<R> && std::convertible_to<std::ranges::range_reference_t<R>, std::string_view>;
}  // namespace detail

/// A cache: Redis or memory as the configuration says, with values encoded by `C`.
///
/// Every member may be called from any thread at once. Movable, not copyable; a manager that was moved from may only be
/// destroyed or assigned to. By default a lost Redis never throws: reads fall back to memory, writes are kept for its
/// return and say false. With `strict` the same events throw ConnectionError, TimeoutError, AuthenticationError or
/// ResponseError. A key or TTL that cannot be, or a value that does not encode, is a DataError at once, always, with
/// nothing changed.
template <Codec C = JsonCodec>
class BasicCacheManager {
 public:
  /// From `$CASCOR_CACHE_CONFIG`, else conf/app_config.yaml if it is there, then `CASCOR_CACHE_*`. Throws ConfigError.
  BasicCacheManager() : BasicCacheManager{CacheConfig::load_default()} {}
  /// From `config` as it is; the environment is not asked. Dials (within `connection_pool.timeout`), and falls back.
  /// Throws ConfigError, and with `strict` what dialling throws.
  explicit BasicCacheManager(const CacheConfig& config) : engine_{detail::make_engine(config)} {}

  /// From `backend.cache` of the file, then `CASCOR_CACHE_*`.
  static BasicCacheManager from_file(const std::filesystem::path& path) {
    return BasicCacheManager{CacheConfig::load(path)};
  }
  /// Defaults, with Redis at `url`. The environment is not asked.
  static BasicCacheManager from_url(std::string_view url) {
    CacheConfig config;
    config.redis_url = url;
    return BasicCacheManager{config};
  }

  // ---- metrics, topology, history: a value and its name under a prefix with a TTL of its own

  /// Stores `value` under `key` of the metrics prefix (`cascor:metrics:<key>`), or under "latest", for `ttl`, by
  /// default that of the prefix. True when the configured backend holds it. One round trip; in memory O(size of the
  /// value).
  StoreResult cache_metrics(std::string_view key, json value, Ttl ttl = {}) requires Encodes<C, json> {
    return put_named(Prefix::metrics, key, std::move(value), ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult cache_metrics(std::string_view key, const T& value, Ttl ttl = {}) {
    return put_named(Prefix::metrics, key, value, ttl);
  }
  StoreResult cache_metrics(json value) requires Encodes<C, json> { return cache_metrics("latest", std::move(value)); }
  template <class T>
  requires(Encodes<C, T> && !detail::TextLike<T>) StoreResult cache_metrics(const T& value) {
    return cache_metrics("latest", value);
  }
  /// A text alone would be a key whose value was forgotten.
  template <detail::TextLike T>
  StoreResult cache_metrics(const T& value) = delete;

  /// Reads it back: a hit, a miss, or an error that error() explains, such as bytes that do not decode as T (the entry
  /// stays). In memory one look-up and no allocation; on Redis one round trip.
  template <class T = json>
  CacheResult<T> get_cached_metrics(std::string_view key = "latest") {
    return get_under<T>(Prefix::metrics, key);
  }

  /// The same under the topology prefix.
  StoreResult cache_topology(std::string_view key, json value, Ttl ttl = {}) requires Encodes<C, json> {
    return put_named(Prefix::topology, key, std::move(value), ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult cache_topology(std::string_view key, const T& value, Ttl ttl = {}) {
    return put_named(Prefix::topology, key, value, ttl);
  }
  StoreResult cache_topology(json value) requires Encodes<C, json> {
    return cache_topology("latest", std::move(value));
  }
  template <class T>
  requires(Encodes<C, T> && !detail::TextLike<T>) StoreResult cache_topology(const T& value) {
    return cache_topology("latest", value);
  }
  template <detail::TextLike T>
  StoreResult cache_topology(const T& value) = delete;
  template <class T = json>
  CacheResult<T> get_cached_topology(std::string_view key = "latest") {
    return get_under<T>(Prefix::topology, key);
  }

  /// The same under the history prefix: cached answers to expensive history queries, not the record itself.
  StoreResult cache_history(std::string_view key, json value, Ttl ttl = {}) requires Encodes<C, json> {
    return put_named(Prefix::history, key, std::move(value), ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult cache_history(std::string_view key, const T& value, Ttl ttl = {}) {
    return put_named(Prefix::history, key, value, ttl);
  }
  StoreResult cache_history(json value) requires Encodes<C, json> { return cache_history("latest", std::move(value)); }
  template <class T>
  requires(Encodes<C, T> && !detail::TextLike<T>) StoreResult cache_history(const T& value) {
    return cache_history("latest", value);
  }
  template <detail::TextLike T>
  StoreResult cache_history(const T& value) = delete;
  template <class T = json>
  CacheResult<T> get_cached_history(std::string_view key = "latest") {
    return get_under<T>(Prefix::history, key);
  }

  // ---- any key of the namespace

  /// Stores `value` under `key` of the namespace. As cache_metrics, but that the TTL comes from the key's longest
  /// prefix. Throws DataError too for the library's own keys (run:, runs, lock:, tag:).
  StoreResult set(std::string_view key, json value, const SetOptions& options = {}) requires Encodes<C, json> {
    return put(Prefix::other, key, std::move(value), options.ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult set(std::string_view key, const T& value, const SetOptions& options = {}) {
    return put(Prefix::other, key, value, options.ttl);
  }
  /// Reads `key` of the namespace as get_cached_metrics does.
  template <class T = json>
  CacheResult<T> get(std::string_view key) {
    return get_under<T>(Prefix::other, key);
  }
  /// Removes it; was it there? One round trip.
  bool erase(std::string_view key) { return engine_->erase(keys().full_to_change(Prefix::other, key).view()); }
  /// Is there a live entry? One round trip; counts as no read.
  bool contains(std::string_view key) { return engine_->contains(keys().full(Prefix::other, key).view()); }

  /// Reads all `keys` in one round trip (512 a command); answers in the order asked.
  template <class T = json>
  std::vector<CacheResult<T>> get_many(std::initializer_list<std::string_view> wanted) {
    return get_all<T>(wanted);
  }
  template <class T = json, detail::KeyRange R>
  std::vector<CacheResult<T>> get_many(const R& wanted) {
    return get_all<T>(wanted);
  }
  /// Stores all entries in one round trip (512 a pipeline), not atomically; results in the order given.
  std::vector<StoreResult> set_many(std::initializer_list<std::pair<std::string_view, json>> entries,
                                    const SetOptions& options = {}) requires Encodes<C, json> {
    return set_all(entries, options);
  }
  template <detail::EntryRange R>
  std::vector<StoreResult> set_many(const R& entries, const SetOptions& options = {}) {
    return set_all(entries, options);
  }

  // ---- removing many

  /// Removes every entry whose full key matches the Redis glob, and returns how many live ones went. What is outside
  /// the namespace gets it in front, so that "metrics:*" works and nothing of another application is reached; the
  /// durable record and locks stay. In memory O(entries); on Redis SCAN and UNLINK, one round trip a page of 1,000
  /// keys, each with its own deadline, without blocking the server. Throws DataError for an empty pattern.
  std::size_t invalidate_cache(std::string_view pattern) { return engine_->erase_matching(keys().pattern(pattern)); }
  /// Removes every entry of this cache's namespace and nothing else; how many went. As invalidate_cache("*").
  std::size_t clear_all_cache() { return invalidate_cache("*"); }

  // ---- seeing inside

  /// Asks the server (PING, INFO; one or two round trips). While Redis is away it tells what the last attempt to reach
  /// it said, and has the next one made at once. Never throws for a server's sake, `strict` or not.
  Health health() { return engine_->health(); }
  /// What was counted since the manager was made. O(1).
  Stats stats() const { return engine_->stats(); }
  /// The effective configuration, every default filled in.
  const CacheConfig& config() const noexcept { return engine_->config(); }

 private:
  const KeySpace& keys() const noexcept { return engine_->keys(); }

  // A value as it goes to the engine: its bytes, or, where memory is the backend and the codec can tell what would be
  // read back, a JSON value decoded.
  template <class T>
  detail::StoredValue to_store(const T& value, std::string_view key) const {
    return encoded(key,
                   [&value] { return detail::StoredValue{std::make_shared<const std::string>(C::encode(value))}; });
  }
  detail::StoredValue to_store(json value, std::string_view key) const {
    return encoded(key, [this, &value] {
      if constexpr (requires { C::settle(value); }) {
        if (engine_->keeps_decoded()) {
          C::settle(value);
          return detail::StoredValue{detail::Form::of(std::make_shared<const json>(std::move(value))),
                                     [](const void* form) { return C::encode(*static_cast<const json*>(form)); }};
        }
      }
      return detail::StoredValue{std::make_shared<const std::string>(C::encode(value))};
    });
  }
  template <class Encode>
  detail::StoredValue encoded(std::string_view key, const Encode& encode) const {
    try {
      return encode();
    } catch (const CacheError&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      throw DataError{"the value for the key " + shown(key) + " does not encode: " + error.what(),
                      "Store what the codec can write: for JSON text, UTF-8 strings and types with to_json."};
    }
  }
  // Session ids are secrets: no message shows one.
  std::string shown(std::string_view key) const {
    const FullKey full = keys().full(Prefix::other, key);
    return keys().prefix_of(full.view()) == Prefix::session ? keys().text(Prefix::session) + "***"
                                                            : std::string{full.view()};
  }

  template <class T>
  StoreResult put(Prefix under, std::string_view key, T&& value, Ttl ttl) {
    const FullKey full = keys().full_to_change(under, key);
    detail::Write write;
    write.key = full.view();
    write.prefix = under == Prefix::other ? keys().prefix_of(full.view()) : under;
    write.value = to_store(std::forward<T>(value), full.view());
    write.ttl = ttl;
    return std::move(engine_->write({&write, 1}).front());
  }
  template <class T>
  StoreResult put_named(Prefix prefix, std::string_view key, T&& value, Ttl ttl) {
    StoreResult stored = put(prefix, key, std::forward<T>(value), ttl);
    if (stored && engine_->log().wants(LogLevel::debug)) {
      engine_->log().debug("Cached " + std::string{to_string(prefix)} + ": " + std::string{key});
    }
    return stored;
  }

  template <class T>
  CacheResult<T> get_under(Prefix under, std::string_view key) {
    const FullKey full = keys().full(under, key);
    const Prefix prefix = under == Prefix::other ? keys().prefix_of(full.view()) : under;
    return decoded<T>(prefix, full.view(), engine_->read(prefix, full.view()));
  }
  template <class T>
  CacheResult<T> decoded(Prefix prefix, std::string_view key, const detail::Found& found) {
    CacheResult<T> result = decode<T>(key, found);
    engine_->count_read(prefix, result.status());
    return result;
  }
  template <class T>
  CacheResult<T> decode(std::string_view key, const detail::Found& found) {
    if (!found.held && !found.bytes) return CacheResult<T>{found.facts, found.error};
    if (found.held) {
      if (auto value = found.held->template form<T>()) return {std::move(value), found.facts, found.error};
    }
    ReadFacts facts = found.facts;
    try {
      const auto bytes = found.held ? found.held->bytes() : found.bytes;
      auto value = std::make_shared<const T>(C::template decode<T>(*bytes));
      if (found.held) engine_->remember(key, found.held, found.held->with(detail::Form::of(value)));
      return {std::move(value), facts, found.error};
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      facts.status = CacheStatus::error;
      return CacheResult<T>{facts, std::make_shared<const DataError>(
                                       "the value under " + shown(key) + " does not decode: " + error.what(),
                                       "Read it as the type it was written as, or erase it.")};
    }
  }

  template <class T, class R>
  std::vector<CacheResult<T>> get_all(const R& wanted) {
    std::vector<std::string> full;
    for (const auto& key : wanted) full.emplace_back(keys().full(Prefix::other, key).view());
    const std::vector<std::string_view> views{full.begin(), full.end()};
    const std::vector<detail::Found> found = engine_->read_many(views);
    std::vector<CacheResult<T>> results;
    results.reserve(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      results.push_back(decoded<T>(keys().prefix_of(views[i]), views[i], found[i]));
    }
    return results;
  }
  template <class R>
  std::vector<StoreResult> set_all(const R& entries, const SetOptions& options) {
    std::vector<std::string> full;
    for (const auto& entry : entries) full.emplace_back(keys().full_to_change(Prefix::other, entry.first).view());
    std::vector<detail::Write> writes;
    writes.reserve(full.size());
    for (const auto& entry : entries) {
      const std::string& key = full[writes.size()];
      detail::Write& write = writes.emplace_back();
      write.key = key;
      write.prefix = keys().prefix_of(key);
      write.value = to_store(entry.second, key);
      write.ttl = options.ttl;
    }
    return engine_->write(writes);
  }

  std::unique_ptr<detail::Engine> engine_;
};

/// The cache of JSON text.
using CacheManager = BasicCacheManager<>;

}  // namespace cascor::inline CASCOR_CACHE_ABI
