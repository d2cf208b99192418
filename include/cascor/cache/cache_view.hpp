// The calls of the facade, by the deadline that a view of it has.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cascor/cache/compute_options.hpp"
#include "cascor/cache/engine_holder.hpp"
#include "cascor/cache/tag_names.hpp"
#include "cascor/codec/json.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/reply.hpp"
#include "cascor/core/result.hpp"
#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

// Of the room above, training/, which defines the members that name them.
class Subscription;
struct SubscribeOptions;
enum class Channel : unsigned char;

/// How a value is stored. All of it may be left out.
struct SetOptions {
  Ttl ttl{};  ///< left out: that of the longest prefix that the key starts with, else `ttl_seconds`
  OnlyIf only_if = OnlyIf::always;  ///< `cascor::absent`, `cascor::present`: store only where there is none, or is one
  std::vector<std::string> tags{};  ///< names of groups, of which invalidate_tag() removes one
  /// Return once it is queued, to be sent in the background, as with `write_behind.enabled` every write does. One with
  /// only_if is never queued, as its caller wants to know.
  bool background = false;
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
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
struct ComputedType {
  using type = std::conditional_t<TextLike<T>, std::string, T>;
};
template <class T>
struct ComputedType<std::optional<T>> : ComputedType<T> {};
/// T, or, where that is void, what the function computes: not the optional around it, and a string for any text.
template <class T, class Compute>
using ComputedAs =
    typename std::conditional_t<std::is_void_v<T>, ComputedType<std::remove_cvref_t<std::invoke_result_t<Compute&>>>,
                                std::type_identity<T>>::type;
}  // namespace detail

/// The calls of a cache, all of which end by one moment at the latest. Cheap to copy; valid as long as the manager that
/// it is a view of. Every member may be called from any thread at once.
///
/// By default a lost Redis never throws: reads fall back to memory, writes are kept for its return and say false. With
/// `strict` the same events throw ConnectionError, TimeoutError, AuthenticationError or ResponseError. A key or TTL
/// that cannot be, or a value that does not encode, is a DataError at once, always, with nothing changed.
template <Codec C = JsonCodec>
class BasicCacheView {
  // T itself, made up where a program calls what names it and not in each that includes this.
  template <class T>
  using Later = detail::Dependent<T, C>;

 public:
  /// This view, with calls that end within `time` from now: one moment for all of them. A call that runs out of it is
  /// a TimeoutError, in its result or with `strict` thrown. What is in memory is still served then. Nothing is asked.
  template <class Rep, class Period>
  BasicCacheView with_deadline(std::chrono::duration<Rep, Period> time) const {
    BasicCacheView sooner = *this;
    constexpr long double most = 1e15;  // of milliseconds: more than a clock can tell
    const long double count = std::chrono::duration<long double, std::milli>{time}.count();
    const milliseconds within{count > 0 ? static_cast<milliseconds::rep>(std::ceil(std::min(count, most))) : 0};
    sooner.until_ = std::min(until_, Deadline{engine().clock(), within}.at());
    return sooner;
  }

  // ---- metrics, topology, history: a value and its name under a prefix with a TTL of its own

  /// Stores `value` under `key` of the metrics prefix (`cascor:metrics:<key>`), or under "latest", for `ttl`, by
  /// default that of the prefix. True when the configured backend holds it. One round trip; in memory O(size of the
  /// value).
  StoreResult cache_metrics(std::string_view key, json&& value, Ttl ttl = {}) requires Encodes<C, json> {
    return put_named(Prefix::metrics, key, std::move(value), ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult cache_metrics(std::string_view key, const T& value, Ttl ttl = {}) {
    return put_named(Prefix::metrics, key, value, ttl);
  }
  StoreResult cache_metrics(json&& value) requires Encodes<C, json> {
    return cache_metrics("latest", std::move(value));
  }
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
  StoreResult cache_topology(std::string_view key, json&& value, Ttl ttl = {}) requires Encodes<C, json> {
    return put_named(Prefix::topology, key, std::move(value), ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult cache_topology(std::string_view key, const T& value, Ttl ttl = {}) {
    return put_named(Prefix::topology, key, value, ttl);
  }
  StoreResult cache_topology(json&& value) requires Encodes<C, json> {
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
  StoreResult cache_history(std::string_view key, json&& value, Ttl ttl = {}) requires Encodes<C, json> {
    return put_named(Prefix::history, key, std::move(value), ttl);
  }
  template <class T>
  requires Encodes<C, T> StoreResult cache_history(std::string_view key, const T& value, Ttl ttl = {}) {
    return put_named(Prefix::history, key, value, ttl);
  }
  StoreResult cache_history(json&& value) requires Encodes<C, json> {
    return cache_history("latest", std::move(value));
  }
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
  StoreResult set(std::string_view key, json&& value, const SetOptions& options = {}) requires Encodes<C, json> {
    return put(Prefix::other, key, std::move(value), options);
  }
  template <class T>
  requires Encodes<C, T> StoreResult set(std::string_view key, const T& value, const SetOptions& options = {}) {
    return put(Prefix::other, key, value, options);
  }
  /// Reads `key` of the namespace as get_cached_metrics does.
  template <class T = json>
  CacheResult<T> get(std::string_view key) {
    return get_under<T>(Prefix::other, key);
  }
  /// Removes it; was it there? One round trip.
  bool erase(std::string_view key) { return engine().erase(names().full_to_change(Prefix::other, key).view(), until_); }
  /// Is there a live entry? One round trip; counts as no read.
  bool contains(std::string_view key) { return engine().contains(names().full(Prefix::other, key).view(), until_); }

  /// What is left of the entry's life: `cascor::no_expiry` where it does not expire, nullopt where there is none. One
  /// round trip; counts as no read.
  std::optional<Later<milliseconds>> ttl(std::string_view key) {
    return engine().ttl(names().full(Prefix::other, key).view(), until_);
  }
  /// Gives an entry a new TTL from now on, left out that of its prefix; is there one? One round trip. Throws DataError
  /// as set().
  bool touch(std::string_view key, Ttl ttl = {}) {
    const FullKey full = names().full_to_change(Prefix::other, key);
    return engine().touch(names().prefix_of(full.view()), full.view(), ttl, until_);
  }
  /// Adds `by` to the counter under `key`, 0 where there is none, gives it the TTL, and returns the sum; in one step
  /// and never twice. An error result where there is no integer, or the sum would be none of 64 bits. A call whose
  /// fate is not known is an error and is not repeated; with Redis away counting goes on in memory, and what was
  /// counted is added on its return. One round trip.
  CacheResult<Later<std::int64_t>> increment(std::string_view key, std::int64_t by = 1, Ttl ttl = {}) {
    const FullKey full = names().full_to_change(Prefix::other, key);
    return engine().increment(names().prefix_of(full.view()), full.view(), by, ttl, until_);
  }
  /// Full keys of live entries that match, in no order, `limit` at most; the pattern and what it reaches as in
  /// invalidate_cache. In memory O(entries); on Redis SCAN, one round trip a page of 1,000 keys.
  std::vector<std::string> keys(std::string_view pattern = "*",
                                std::size_t limit = std::numeric_limits<std::size_t>::max()) {
    return engine().keys_matching(names().pattern(pattern), limit, until_);
  }
  /// Runs any Redis command by its arguments, keys in full: nothing is put in front of them. An error reply is a reply,
  /// and so is, as an error, that Redis is away; with `strict` both are thrown. Throws ResponseError where memory is
  /// the backend, DataError for a command that would change the connection for others (SUBSCRIBE, MULTI, SELECT, …).
  /// Sent twice only if it is known to be safe. One round trip.
  Later<Reply> command(std::initializer_list<std::string_view> arguments) {
    return engine().command({arguments.begin(), arguments.size()}, until_);
  }
  Later<Reply> command(std::span<const std::string_view> arguments) { return engine().command(arguments, until_); }

  /// Reads all `keys` in one round trip (512 a command); answers in the order asked. Of several keys one that
  /// holds no string, so another program's, is a miss, as in MGET; alone it may be the server's WRONGTYPE, as in get().
  template <class T = json>
  std::vector<CacheResult<T>> get_many(std::initializer_list<std::string_view> wanted) {
    return get_all<T>(wanted);
  }
  template <class T = json, detail::KeyRange R>
  std::vector<CacheResult<T>> get_many(const R& wanted) {
    return get_all<T>(wanted);
  }
  /// Stores all entries in one round trip (512 a pipeline), not atomically; results in the order given.
  std::vector<Later<StoreResult>> set_many(std::initializer_list<std::pair<std::string_view, json>> entries,
                                           const SetOptions& options = {}) requires Encodes<C, json> {
    return set_all(entries, options);
  }
  template <detail::EntryRange R>
  std::vector<Later<StoreResult>> set_many(const R& entries, const SetOptions& options = {}) {
    return set_all(entries, options);
  }

  // ---- what is computed where it is not there

  /// Reads `key` of the namespace as get() does, and where there is no value, computes it: `compute()` gives a T, or an
  /// std::optional<T> whose emptiness says that there is none. T left out is what it gives. However many threads ask
  /// for the key at once, of whatever T, one computes; with `across_processes` one among processes. What was computed
  /// is stored and returned, true, with status miss, as a later hit gives it: decoded from its bytes.
  ///
  /// What something newer overtook (an erase, a matching invalidation, another value of the key) while it was computed
  /// goes to those who had asked by then, and is not stored. What `compute` throws is rethrown as it is, to exactly
  /// those who waited for that computation, or, with `stale_for`, they get the value before it, STALE, with the error.
  /// Bytes under the key that do not decode as T are an error result, as in get(): nothing is computed over them. A
  /// cache that is away or off computes all the same.
  ///
  /// `compute` runs in the calling thread, and no deadline ends it, that of this view neither: only its own return
  /// does. Who waits for the computation of another call waits for its end, or until the deadline of this view, and
  /// then gets a stale value or a TimeoutError. What was computed is stored within `connection_pool.timeout`.
  /// Computations may use the cache; one that waits for itself, over other keys and threads too, is a DataError. See
  /// ComputeOptions for what may run in the background: the manager's end waits for that. Throws DataError for a key as
  /// set(), for options that cannot be, and for a value that does not encode. A hit costs what get() costs; a miss on
  /// Redis one round trip more, two to four more with `across_processes`.
  template <class T = void, class Compute>
  CacheResult<detail::ComputedAs<T, Compute>> get_or_compute(std::string_view key, Compute&& compute,
                                                             const ComputeOptions& options = {});

  // ---- removing many

  /// Removes every entry whose full key matches the Redis glob, and returns how many live ones went. What is outside
  /// the namespace gets it in front, so that "metrics:*" works and nothing of another application is reached; the
  /// durable record and locks stay. In memory O(1) for a whole prefix or the namespace, whose memory the calls that
  /// follow give back, else O(entries of the prefixes it may reach); on Redis SCAN and UNLINK, one round trip a page of
  /// 1,000 keys, each with its own deadline, without blocking the server. Throws DataError for an empty pattern.
  std::size_t invalidate_cache(std::string_view pattern) {
    return engine().erase_matching(names().pattern(pattern), until_);
  }
  /// Removes every entry of this cache's namespace and nothing else; how many went. As invalidate_cache("*").
  std::size_t clear_all_cache() { return invalidate_cache("*"); }

  /// Removes every value that was stored with `tag` (`SetOptions{.tags}`) and has not expired; how many live ones went.
  /// A value that this process has written since without the tag stays; one that another process has may go too. Looks
  /// at no other key: on Redis two round trips for 1,000 keys, each with its own deadline; in memory O(keys of the
  /// tag). Throws DataError for an empty tag, or one over 1,024 bytes.
  std::size_t invalidate_tag(std::string_view tag) {
    return engine().erase_tagged(detail::tag_key(names(), tag), until_);
  }

  // ---- publish and subscribe

  /// Sends `message` as JSON text to whoever listens to `channel` now; how many it reached: connections, by Redis's
  /// count, or with memory this process's subscriptions. Names are taken as they are, without the namespace. At most
  /// once: never sent again, nor kept. With Redis away it reaches this process's subscriptions; 0 where it is not known
  /// what became of it. One round trip. Throws DataError for an empty name, and for a text that is not UTF-8.
  std::size_t publish(std::string_view channel, const json& message);
  /// The same of {"type": type, "timestamp": now in UTC after ISO 8601, "data": data}, on `<namespace>training` and so
  /// on, or on a channel by its name.
  std::size_t publish_event(Channel channel, std::string_view type, const json& data);
  std::size_t publish_event(std::string_view channel, std::string_view type, const json& data);

  /// Calls `handler(const Message&)` for each message on one of the channels, in the order of each, on a thread of this
  /// subscription's own. Returns once the server has confirmed it; with Redis away it is confirmed later, and nothing
  /// but this process's own messages come until then. It survives a lost connection, which on_gap tells of. 65,536
  /// messages wait for a slow handler, then the oldest go and on_gap is called. What a handler throws is logged. It may
  /// make any call on the cache, but not destroy it. Throws DataError for an empty name, AuthenticationError where the
  /// account may not listen there, and with `strict` what keeps it from being confirmed in time.
  template <class Handler>
  Subscription subscribe(std::initializer_list<std::string_view> channels, Handler handler,
                         const Later<SubscribeOptions>& options = {});
  template <detail::KeyRange Names, class Handler>
  Subscription subscribe(const Names& channels, Handler handler, const Later<SubscribeOptions>& options = {});
  /// The same for all channels whose names match one of the globs (as in invalidate_cache, but without a namespace); a
  /// message that several of them match comes once.
  template <class Handler>
  Subscription subscribe_pattern(std::initializer_list<std::string_view> patterns, Handler handler,
                                 const Later<SubscribeOptions>& options = {});
  template <detail::KeyRange Names, class Handler>
  Subscription subscribe_pattern(const Names& patterns, Handler handler, const Later<SubscribeOptions>& options = {});

  /// Calls `handler(std::string_view key)` with the full key of each entry that changes and matches the pattern, which
  /// is as in invalidate_cache: what this process writes and removes, and under the prefixes that are kept near
  /// (`near_cache.prefixes`) what anybody does, and what expires. Changes are told, not values: read the key. The rules
  /// for handlers are those of subscribe; on_gap is called where a change may not have been told, first when the server
  /// begins to tell. In memory what expires or is evicted is not told. Throws DataError for an empty pattern.
  template <class Handler>
  Subscription on_change(std::string_view pattern, Handler handler, const Later<SubscribeOptions>& options = {});

  // ---- writing behind

  /// Waits, `within` at most, until everything that was written or queued before is in the backend; is it? False too
  /// where Redis is away, or has refused a queued write since the last flush; `strict` or not, it never throws. At once
  /// where nothing is queued; in memory always.
  template <class Rep, class Period>
  bool flush(std::chrono::duration<Rep, Period> within) {
    return engine().flush(with_deadline(within).until_);
  }

 protected:
  explicit BasicCacheView(Later<detail::EngineHolder<>>& holder) noexcept : holder_{&holder} {}
  detail::Engine& engine() const { return holder_->get(); }

 private:
  template <class T, class Compute>
  class Computing;

  const KeySpace& names() const { return engine().key_space(); }

  // A value as it goes to the engine: its bytes, or, where memory is the backend and the codec can tell what would be
  // read back, a JSON value decoded.
  template <class T>
  detail::StoredValue to_store(const T& value, std::string_view key) const {
    if constexpr (std::is_same_v<T, json> && requires(json & copy) { C::settle(copy); }) {
      if (engine().keeps_decoded()) return to_store(json(value), key);  // else it is encoded as it is, without a copy
    }
    return encoded(key,
                   [&value] { return detail::StoredValue{std::make_shared<const std::string>(C::encode(value))}; });
  }
  detail::StoredValue to_store(json&& value, std::string_view key) const {
    return encoded(key, [&] {
      if constexpr (requires { C::settle(value); }) {
        if (engine().keeps_decoded()) {
          C::settle(value);
          return detail::StoredValue{detail::Form::of(std::make_shared<const json>(std::move(value))),
                                     [](const void* form) { return C::encode(*static_cast<const json*>(form)); }};
        }
      }
      return detail::StoredValue{std::make_shared<const std::string>(C::encode(value))};
    });
  }
  void tag(detail::Write& write, const std::vector<std::string>& tags) const {
    write.value = std::move(write.value).tagged(detail::tags_of(names(), write.key, tags));
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
      throw DataError{"the value for the key " + shown(key) + " does not encode" + why(key, error),
                      "Store what the codec can write: for JSON text, UTF-8 strings and types with to_json."};
    }
  }
  // A codec may quote what it stumbled on, which is nobody's in a session.
  std::string why(std::string_view key, const std::exception& error) const {
    const FullKey full = names().full(Prefix::other, key);
    return names().prefix_of(full.view()) == Prefix::session ? std::string{} : ": " + printable(error.what());
  }
  static std::string decode_hint(std::string_view why) {
    if constexpr (requires { C::decode_hint(why); }) {
      return C::decode_hint(why);
    } else {
      return "Read it as the type it was written as, or erase it.";
    }
  }
  // Session ids are secrets: no message shows one.
  std::string shown(std::string_view key) const {
    const FullKey full = names().full(Prefix::other, key);
    return names().prefix_of(full.view()) == Prefix::session ? names().text(Prefix::session) + "***"
                                                             : printable(full.view());
  }

  template <class T>
  StoreResult put(Prefix under, std::string_view key, T&& value, const SetOptions& options) {
    const FullKey full = names().full_to_change(under, key);
    detail::Write write;
    write.key = full.view();
    write.prefix = under == Prefix::other ? names().prefix_of(full.view()) : under;
    write.value = to_store(std::forward<T>(value), full.view());
    if (!options.tags.empty()) tag(write, options.tags);
    write.ttl = options.ttl;
    write.only_if = options.only_if;
    write.background = options.background;
    return std::move(engine().write({&write, 1}, until_).front());
  }
  template <class T>
  StoreResult put_named(Prefix prefix, std::string_view key, T&& value, Ttl ttl) {
    StoreResult stored = put(prefix, key, std::forward<T>(value), SetOptions{.ttl = ttl});
    if (stored && engine().log().wants(LogLevel::debug)) {
      engine().log().debug("Cached " + std::string{to_string(prefix)} + ": " + printable(key));
    }
    return stored;
  }

  template <class T>
  CacheResult<T> get_under(Prefix under, std::string_view key) {
    const FullKey full = names().full(under, key);
    const Prefix prefix = under == Prefix::other ? names().prefix_of(full.view()) : under;
    return decoded<T>(prefix, full.view(), engine().read(prefix, full.view(), until_));
  }
  template <class T>
  CacheResult<T> decoded(Prefix prefix, std::string_view key, const detail::Found& found) {
    CacheResult<T> result = decode<T>(key, found);
    engine().count_read(prefix, result.status(), result.tier());
    return result;
  }
  template <class T>
  CacheResult<T> decode(std::string_view key, const detail::Found& found) {
    const detail::StoredValue* const stored = found.stored();
    if (stored == nullptr && !found.bytes) return CacheResult<T>{found.facts, found.error};
    if (stored != nullptr) {
      if (auto value = stored->form<T>()) return {std::move(value), found.facts, found.error};
    }
    auto result = decoded_from<T>(key, found.bytes ? found.bytes : stored->bytes(), found.facts, found.error);
    if (stored != nullptr && result) engine().remember(key, found, stored->with(detail::Form::of(result.share())));
    return result;
  }
  template <class T>
  CacheResult<T> decoded_from(std::string_view key, const std::shared_ptr<const std::string>& bytes, ReadFacts facts,
                              const std::shared_ptr<const CacheError>& cause) const {
    try {
      return {std::make_shared<const T>(C::template decode<T>(*bytes)), facts, cause};
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      facts.status = CacheStatus::error;
      return CacheResult<T>{facts, std::make_shared<const DataError>(
                                       "the value under " + shown(key) + " does not decode" + why(key, error),
                                       decode_hint(error.what()))};
    }
  }

  template <class T, class R>
  std::vector<CacheResult<T>> get_all(const R& wanted) {
    std::vector<std::string> full;
    for (const auto& key : wanted) full.emplace_back(names().full(Prefix::other, key).view());
    const std::vector<Later<std::string_view>> views{full.begin(), full.end()};
    const std::vector<Later<detail::Found>> found = engine().read_many(views, until_);
    std::vector<CacheResult<T>> results;
    results.reserve(found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      results.push_back(decoded<T>(names().prefix_of(views[i]), views[i], found[i]));
    }
    return results;
  }
  template <class R>
  std::vector<Later<StoreResult>> set_all(const R& entries, const SetOptions& options) {
    std::vector<std::string> full;
    std::vector<Later<detail::Write>> writes;
    for (const auto& entry : entries) {  // once: it may be computed as it is walked
      const std::string& key = full.emplace_back(names().full_to_change(Prefix::other, entry.first).view());
      detail::Write& write = writes.emplace_back();
      write.prefix = names().prefix_of(key);
      write.value = to_store(entry.second, key);
      if (!options.tags.empty()) tag(write, options.tags);
      write.ttl = options.ttl;
      write.only_if = options.only_if;
      write.background = options.background;
    }
    for (std::size_t i = 0; i < writes.size(); ++i) writes[i].key = full[i];  // which do not move any more
    return engine().write(writes, until_);
  }

  Later<detail::EngineHolder<>>* holder_;
  TimePoint until_ = detail::whenever;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI

#include "cascor/cache/compute.hpp"
