// What an application asks of its cache: the fields of docs/configuration.md, read from a file, from the environment,
// or set in code. A plain aggregate; this header is cheap to include.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/config/environment.hpp"
#include "cascor/core/event.hpp"
#include "cascor/core/eviction.hpp"
#include "cascor/core/history_fsync.hpp"
#include "cascor/core/log.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

class Clock;

/// Where values are kept.
enum class CacheType { redis, memory };

/// "redis", "memory": the words of the configuration. O(1); never throws.
constexpr std::string_view to_string(CacheType type) noexcept {
  switch (type) {
    case CacheType::redis: return "redis";
    case CacheType::memory: return "memory";
  }
  return "unknown";
}

struct ConnectionPoolConfig {
  std::size_t max_connections = 50;          ///< Most connections held at once; 1 to 10,000.
  std::chrono::milliseconds timeout{5'000};  ///< For a whole call, whatever it waits for; more than 0, up to an hour.
  bool retry_on_timeout = true;              ///< Retry what is safe to send twice, within one deadline.
  bool socket_keepalive = true;              ///< TCP keepalive.
  std::chrono::milliseconds max_idle{300'000};        ///< A connection unused for so long is closed; 0: never.
  std::chrono::milliseconds max_lifetime{3'600'000};  ///< A connection is closed at about this age; 0: never.
};

/// Full prefixes, each inside the namespace. Empty: the namespace, the field's name and a colon.
struct KeyPrefixes {
  std::string metrics{};
  std::string topology{};
  std::string session{};
  std::string history{};
  std::string control{};
};

/// How long what is stored under a prefix lives; 0 = no expiry.
struct PrefixTtl {
  std::chrono::milliseconds metrics{1'000};
  std::chrono::milliseconds topology{5'000};
  std::chrono::milliseconds session{86'400'000};
  std::chrono::milliseconds history{60'000};
  std::chrono::milliseconds control{5'000};
};

struct NearCacheConfig {
  bool enabled = true;
  std::vector<std::string> prefixes{};  ///< Names of `KeyPrefixes`' fields. Empty: metrics, topology, history.
  std::size_t max_memory_mb = 32;       ///< MiB.
};

struct FallbackConfig {
  bool enabled = true;                           ///< Redis away: serve from memory, replay writes on return.
  std::chrono::milliseconds stale_for{300'000};  ///< How far past its TTL a value may be served meanwhile.
};

struct WriteBehindConfig {
  bool enabled = false;
  std::size_t max_pending = 10'000;  ///< Keys waiting; past it a write waits.
};

struct HistoryConfig {
  std::filesystem::path directory = "data/history";  ///< The memory backend's journals, and what waits for Redis.
  std::size_t max_records = 0;                       ///< Per run; 0 = unbounded.
  HistoryFsync fsync = HistoryFsync::always;         ///< When an append to a journal must be on the disk.
};

/// For `rediss://`. Files in PEM form; an empty `ca_file` means the system's CAs.
struct TlsConfig {
  std::string ca_file{};
  std::string cert_file{};
  std::string key_file{};
  bool verify = true;
  std::string server_name{};  ///< Empty: the URL's host.
};

/// Where the values of a loaded configuration came from; `CacheConfig` keeps it for to_yaml(). Nothing to set in code.
struct ConfigOrigins {
  struct Origin {
    std::string text{};   ///< The value as it was loaded: one that differs now was changed by code.
    std::string place{};  ///< "default", "app.yaml:3:11", "CASCOR_CACHE_TYPE", "code".
  };
  std::shared_ptr<const std::map<std::string, Origin, std::less<>>> loaded{};  ///< By key; null: built in code.
};

/// A cache's configuration. An aggregate: set fields, or use designated initialisers. Copying it is as cheap as copying
/// its strings. A const object may be read from any thread; a changing one is its owner's to guard.
struct CacheConfig {
  bool enabled = true;  ///< Off: reads are misses, writes false, nothing connects.
  CacheType type = CacheType::redis;
  std::string redis_url = "redis://localhost:6379/0";  ///< The forms that RedisUrl::parse takes.
  std::chrono::milliseconds ttl{3'600'000};            ///< For keys with no TTL of their own; 0 = no expiry.
  std::size_t max_memory_mb = 100;                     ///< The memory backend's bound in MiB.
  std::string key_namespace = "cascor:";               ///< Every key is under it; 1 to 256 bytes of text.
  bool strict = false;                                 ///< Throw where it would fall back.
  std::chrono::milliseconds shutdown_timeout{2'000};   ///< To drain at destruction; 0 to an hour.
  ConnectionPoolConfig connection_pool{};
  KeyPrefixes key_prefixes{};
  PrefixTtl prefix_ttl{};
  Eviction eviction = Eviction::lru;
  NearCacheConfig near_cache{};
  FallbackConfig fallback{};
  WriteBehindConfig write_behind{};
  HistoryConfig history{};
  TlsConfig tls{};
  std::string password{};  ///< Used where the URL names none.

  // From here on what a file cannot say.
  std::shared_ptr<const Clock> clock{};               ///< Null: the system's.
  LogSink log_sink{};                                 ///< Empty: the process-wide one.
  std::function<void(const CacheEvent&)> on_event{};  ///< See CacheEvent.
  std::function<std::string()> password_provider{};   ///< Asked at each dial, before `password`.
  std::function<std::uint64_t()> random{};            ///< For backoff and jitter. Empty: the system's.

  ConfigOrigins origins{};

  /// Reads `backend.cache` of the file, then `environment` (left out, process_environment()), which wins. Unknown keys
  /// and unknown `CASCOR_CACHE_*` variables are a WARNING with the nearest known name. The result has every field
  /// filled in and checked. Throws ConfigError, with `file:line:column` or the variable's name, for a file that cannot
  /// be read or is over 1 MiB and for everything that docs/configuration.md lists. Thread-safe; O(size of the file).
  CASCOR_CACHE_FN static CacheConfig load(const std::filesystem::path& path, const Environment& environment);
  CASCOR_CACHE_FN static CacheConfig load(const std::filesystem::path& path);

  /// The same for text that is at hand; `source_name` stands for the file's name in errors.
  CASCOR_CACHE_FN static CacheConfig parse(std::string_view yaml_text, std::string_view source_name,
                                           const Environment& environment);
  CASCOR_CACHE_FN static CacheConfig parse(std::string_view yaml_text, std::string_view source_name);

  /// What a program that names no configuration gets: the file that `CASCOR_CACHE_CONFIG` names, else
  /// `conf/app_config.yaml` if it is there, else the defaults; then `environment`, as in load().
  CASCOR_CACHE_FN static CacheConfig load_default(const Environment& environment);
  CASCOR_CACHE_FN static CacheConfig load_default();

  /// A copy with every default filled in (the key prefixes, `near_cache.prefixes`), checked as load() checks. What
  /// load() returned may have been changed since: a prefix that was a default follows the namespace. Throws ConfigError
  /// with "code" as the place of what was set in code. Checking what is checked changes nothing.
  CASCOR_CACHE_FN CacheConfig checked() const;

  /// The effective configuration as YAML that load() takes, each value with a comment that tells where it came from:
  /// `default`, `app.yaml:3:11`, `CASCOR_CACHE_TYPE`, or `code` where code set or changed it. Passwords are `***`.
  /// A literal `${` in a value would be read as a variable. Throws nothing but bad_alloc, checked or not.
  CASCOR_CACHE_FN std::string to_yaml() const;

  /// The full key prefixes that `near_cache.prefixes` names, without those that another one covers, sorted.
  /// Of a checked configuration; names that are none are left out.
  CASCOR_CACHE_FN std::vector<std::string> near_prefixes() const;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/cache_config.ipp"
#endif
