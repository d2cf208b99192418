// Viewers' sessions: a cookie that no script can read, a token that no other site can know, and the viewer's settings.
#pragma once

#include <cascor/cache.hpp>
#include <string>

#include "http/reply.hpp"
#include "http/routes.hpp"

namespace canopy {

/// Refers to the cache, which must outlive it. Safe from any thread.
class SessionsApi {
 public:
  explicit SessionsApi(cascor::CacheManager& cache) : sessions_{cache.sessions()} {}
  void add_to(Routes& routes);

  /// Throws BadRequest, 401 without a session, 403 where the request does not carry the session's token.
  void check(const Request& request);

 private:
  void show(const Request& request, Response& response);
  void change(const Request& request, Response& response);

  cascor::Sessions<>& sessions_;
};

}  // namespace canopy
