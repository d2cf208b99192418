#include "api/stream_api.hpp"

#include <charconv>
#include <cstdint>
#include <limits>
#include <vector>

#include "api/views.hpp"
#include "http/reply.hpp"
#include "http/server.hpp"

namespace canopy {

using cascor::json;

namespace {

constexpr std::size_t most_viewers = 10'000;
constexpr std::size_t most_missed = 500;  ///< epochs that are sent to who comes back

// No length: the stream's end is the connection's.
constexpr std::string_view head =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/event-stream\r\n"
    "Cache-Control: no-store\r\n"
    "X-Accel-Buffering: no\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Connection: close\r\n"
    "\r\n"
    "retry: 1000\n\n";

std::string metrics_event(const json& latest, const std::string& run) {
  json data = metrics_view(latest);
  const std::int64_t epoch = latest.value("epoch", std::int64_t{0});
  data["epoch"] = epoch;
  data["run"] = run;
  return event_text("metrics", run + ":" + std::to_string(epoch), text_of(data));
}

}  // namespace

StreamApi::StreamApi(cascor::CacheManager& cache, TrainingApi& training, Viewers& viewers)
    : cache_{cache},
      training_{training},
      viewers_{viewers},
      training_channel_{cache.config().key_namespace + "training"},
      subscription_{cache.subscribe({training_channel_, cache.config().key_namespace + "topology"},
                                    [this](const cascor::Message& message) { hear(message); },
                                    {.on_gap = [this] { tell_what_is(); }})} {
  tell_what_is();
}

void StreamApi::add_to(Routes& routes) {
  routes.on("GET", "/api/stream", [this](const Request& request, Response& response) { open(request, response); });
}

void StreamApi::open(const Request& request, Response& response) {
  if (request.method == "HEAD") return response.set_content("", "text/event-stream");
  if (viewers_.count() >= most_viewers) throw BadRequest{"there are as many viewers as there may be", 503};
  const char* const header = "Last-Event-ID";
  std::string beginning{head};
  if (request.has_header(header)) beginning += missed_since(request.get_header_value(header));
  Server::become_stream(std::move(beginning));
}

std::string StreamApi::missed_since(const std::string& last_event) {
  const std::string run = training_.current_run();
  const auto colon = last_event.rfind(':');
  if (run.empty() || colon == std::string::npos || last_event.substr(0, colon) != run) return {};
  std::int64_t epoch = 0;
  const char* const end = last_event.data() + last_event.size();
  const auto [stop, problem] = std::from_chars(last_event.data() + colon + 1, end, epoch);
  if (problem != std::errc{} || stop != end || epoch < 0) return {};
  const auto missed = cache_.history(run).range(epoch + 1, std::numeric_limits<std::int64_t>::max());
  if (missed.empty()) return {};
  const std::string newest = run + ":" + std::to_string(missed.back().at("epoch").get<std::int64_t>());
  json data = history_view(fewer(missed, most_missed));
  data["run"] = run;
  return event_text("history", newest, text_of(data));
}

void StreamApi::hear(const cascor::Message& message) {
  const json event = message.json();
  if (!event.is_object() || !event.value("data", json{}).is_object()) return;
  const json& data = event.at("data");
  if (message.channel == training_channel_) return tell_metrics(data);
  viewers_.tell(Topic::topology, event_text("topology", "",
                                            text_of({{"hidden_units", data.value("hidden_units", 0)},
                                                     {"total_connections", data.value("total_connections", 0)}})));
}

void StreamApi::tell_metrics(const json& latest) {
  viewers_.tell(Topic::metrics, metrics_event(latest, training_.current_run()));
}

/// Messages may have been missed.
void StreamApi::tell_what_is() {
  if (const auto latest = cache_.get_cached_metrics()) tell_metrics(*latest);
}

}  // namespace canopy
