// The facade: what an application makes.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "cascor/cache/cache_view.hpp"
#include "cascor/cache/report.hpp"
#include "cascor/config/cache_config.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

// Of the room above, training/, which defines the members that name it.
template <class CascorWhenUsed>
class History;

// Of the room above, training/, which defines the member that names it.
template <class CascorWhenUsed = void>
class Sessions;

/// A cache: Redis or memory as the configuration says, with values encoded by `C`. Its calls are those of
/// BasicCacheView.
///
/// Every member may be called from any thread at once. Movable, not copyable; a manager that was moved from may only be
/// destroyed or assigned to. Destruction drains what is pending within `shutdown_timeout`; not from inside a handler of
/// the same cache. After fork() the child's first call makes an engine of the child's own, dialling anew; what memory
/// holds is then the parent's alone. (vfork() and clone() are not seen.)
template <Codec C = JsonCodec>
class BasicCacheManager : public BasicCacheView<C> {
  using View = BasicCacheView<C>;
  using Holder = detail::Dependent<detail::EngineHolder<>, C>;

 public:
  /// From `$CASCOR_CACHE_CONFIG`, else conf/app_config.yaml if it is there, then `CASCOR_CACHE_*`. Throws ConfigError.
  BasicCacheManager() : BasicCacheManager{CacheConfig::load_default()} {}
  /// From `config` as it is; the environment is not asked. Dials (within `connection_pool.timeout`), and falls back.
  /// Throws ConfigError, and with `strict` what dialling throws.
  explicit BasicCacheManager(const CacheConfig& config) : BasicCacheManager{std::make_unique<Holder>(config)} {}

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

  // ---- the durable record of training runs

  /// The history of a run: a cheap handle, which asks nothing yet. Throws DataError for a name that can be none: empty,
  /// over 128 bytes, not UTF-8, beginning with a dot, or with a slash, a backslash or a control character in it.
  template <class CascorWhenUsed = void>
  History<CascorWhenUsed> history(std::string_view run);
  /// The names of all runs, in the order of their start. One round trip; in memory one look at each journal.
  template <class CascorWhenUsed = void>
  std::vector<std::string> runs();
  /// Writes a run's records, or adds those that the file lacks, to a journal at `path` (JSON Lines); how many the run
  /// has. In pages: memory stays bounded. Throws ResponseError where the file cannot be written or holds another run,
  /// and what a server that is away says.
  template <class CascorWhenUsed = void>
  std::size_t export_run(std::string_view run, const std::filesystem::path& path);
  /// Appends the records of a journal to a run, those that it lacks; how many the file has. As export_run().
  template <class CascorWhenUsed = void>
  std::size_t import_run(const std::filesystem::path& path, std::string_view run);

  // ---- sessions of users

  /// Who is logged in. Valid as long as this manager, wherever it is moved.
  Sessions<>& sessions();

  // ---- seeing inside

  /// Asks the server (PING, INFO; one or two round trips). While Redis is away it tells what the last attempt to reach
  /// it said, and has the next one made at once. Never throws for a server's sake, `strict` or not.
  detail::Dependent<Health, C> health() { return this->engine().health(); }
  /// What was counted since the manager was made. O(1).
  detail::Dependent<Stats, C> stats() const { return this->engine().stats(); }
  /// The effective configuration, every default filled in.
  const CacheConfig& config() const { return this->engine().config(); }

 private:
  explicit BasicCacheManager(std::unique_ptr<Holder> holder) : View{*holder}, owned_{std::move(holder)} {}

  std::unique_ptr<Holder> owned_;
};

/// The cache of JSON text.
using CacheManager = BasicCacheManager<>;

}  // namespace cascor::inline CASCOR_CACHE_ABI
