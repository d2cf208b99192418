#include "dashboard.hpp"

namespace canopy {
namespace {

/// Tells the viewers when Redis goes and when it is back.
void tell_status(Viewers& viewers, const BackendState& state) {
  const auto& health = state.health;
  viewers.tell(Topic::status, event_text("status", "",
                                         text_of({{"status", to_string(health.status)},
                                                  {"mode", to_string(health.mode)},
                                                  {"message", health.message},
                                                  {"timestamp", health.timestamp}})));
}

}  // namespace

Dashboard::Dashboard(cascor::CacheManager& cache, const Settings& settings)
    : health_{cache, [this](const BackendState& state) { tell_status(viewers_, state); }},
      training_{cache, settings.use_cache},
      sessions_{cache},
      control_{cache, sessions_, viewers_},
      stream_{cache, training_, viewers_},
      server_api_{cache, training_, health_, viewers_},
      page_{settings.page},
      guard_{settings.known_names} {
  training_.add_to(routes_);
  sessions_.add_to(routes_);
  control_.add_to(routes_);
  stream_.add_to(routes_);
  server_api_.add_to(routes_);
  routes_.otherwise([this](const Request& request, Response& response) { return page_.serve(request, response); });
  server_.guard([this](const Request& request) { guard_.check(request); });
  port_ = server_.listen_at(settings.host, settings.port);
}

}  // namespace canopy
