// From a configuration to the engine that it asks for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cascor/config/cache_config.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/events.hpp"
#include "cascor/core/invalidations.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What a link that tells of changes is to be like.
struct LinkTerms {
  std::vector<std::string> prefixes;  ///< none inside another
  std::string other_channel;          ///< for an account that may not have Redis's own
  std::function<bool()> may_dial;
};

/// A key-value store and how messages name its server.
template <class CascorWhenUsed = void>
struct RemoteStore {
  using Link = Dependent<InvalidationLink, CascorWhenUsed>;
  std::unique_ptr<Dependent<KeyValueStore, CascorWhenUsed>> store;
  std::unique_ptr<Dependent<EventBus, CascorWhenUsed>> events;  ///< uses the store
  /// A link to the same server, not opened yet. The sink must live until it is closed.
  std::function<std::unique_ptr<Link>(Dependent<LinkTerms, CascorWhenUsed> terms, InvalidationSink& told)> make_link;
  std::string server;  ///< "localhost:6379", "/run/redis.sock"
  std::string host;    ///< or the path
  int port = 0;        ///< 0 for a Unix socket
};

/// The store that `config.redis_url` names, not dialled yet. Throws ConfigError for a URL that is none, and for
/// a file of `config.tls` that is not what it should be.
CASCOR_CACHE_FN RemoteStore<CascorWhenUsed> make_remote_store(const CacheConfig& config,
                                                              const std::shared_ptr<const Clock>& clock);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/backend_choice.ipp"
#endif
