#include "api/control_api.hpp"

#include <chrono>
#include <random>
#include <string_view>
#include <utility>

namespace canopy {

using cascor::json;

namespace {

constexpr std::chrono::seconds patience{5};
constexpr std::chrono::milliseconds again_after{500};

/// Tells this server's requests from those of others, on other machines too.
std::string random_name() {
  std::random_device system;
  return std::to_string(system()) + std::to_string(system());
}

json params_of(const Request& request) {
  if (request.body.empty()) return json::object();
  json params = json::parse(request.body, nullptr, false);
  if (!params.is_object()) throw BadRequest{"the body is to be a JSON object, or nothing"};
  return params;
}

}  // namespace

ControlApi::ControlApi(cascor::CacheManager& cache, SessionsApi& sessions, Viewers& viewers)
    : cache_{cache},
      sessions_{sessions},
      viewers_{viewers},
      name_{random_name()},
      events_{cache.subscribe({cache.config().key_namespace + "events"},
                              [this](const cascor::Message& message) { hear(message); })} {}

void ControlApi::add_to(Routes& routes) {
  for (const std::string command : {"start", "pause", "resume", "stop", "reset"}) {
    routes.on("POST", "/api/train/" + command, [this, command](const Request& request, Response& response) {
      sessions_.check(request);
      send(command, request, response);
    });
  }
}

void ControlApi::send(const std::string& command, const Request& request, Response& response) {
  json params = params_of(request);
  std::unique_lock lock{mutex_};
  const std::string id = name_ + "-" + std::to_string(++requests_);
  under_way_[id] = nullptr;
  lock.unlock();
  params["request"] = id;
  const json message{{"command", command}, {"params", std::move(params)}};
  const auto until = std::chrono::steady_clock::now() + patience;
  // A message may be lost while Redis comes back, so it is sent again. The trainer obeys a request once.
  do {
    cache_.publish_event(cascor::Channel::control, "command", message);
    lock.lock();
    answered_.wait_for(lock, again_after, [&] { return !under_way_.at(id).is_null(); });
    if (!under_way_.at(id).is_null()) break;
    lock.unlock();
  } while (std::chrono::steady_clock::now() < until);
  if (!lock.owns_lock()) lock.lock();
  const json answer = std::move(under_way_.at(id));
  under_way_.erase(id);
  lock.unlock();
  if (answer.is_null()) throw BadRequest{"no trainer has answered", 503};
  const bool done = answer.value("status", "") == "done";
  send_json(response,
            {{"command", command},
             {"status", answer.value("status", "")},
             {"run", answer.value("run", "")},
             {"error", answer.value("error", json{})}},
            done ? 200 : 500);
}

void ControlApi::hear(const cascor::Message& message) {
  const json event = message.json();
  if (!event.is_object() || event.value("type", "") != "command_acknowledged") return;
  const json data = event.value("data", json::object());
  viewers_.tell(Topic::command, event_text("command", "",
                                           text_of({{"command", data.value("command", "")},
                                                    {"status", data.value("status", "")},
                                                    {"run", data.value("run", "")}})));
  const json params = data.value("params", json::object());
  const std::string id = params.is_object() ? params.value("request", "") : "";
  const std::lock_guard lock{mutex_};
  const auto found = under_way_.find(id);
  if (found == under_way_.end()) return;
  found->second = data;
  answered_.notify_all();
}

}  // namespace canopy
