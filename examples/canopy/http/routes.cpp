#include "http/routes.hpp"

#include "http/reply.hpp"

namespace canopy {

Routes& Routes::on(std::string_view method, std::string_view path, Handler handler) {
  paths_[std::string{path}][std::string{method}] = std::move(handler);
  return *this;
}

void Routes::answer(const Request& request, Response& response) const {
  const std::string_view method = request.method == "HEAD" ? std::string_view{"GET"} : request.method;
  const auto path = paths_.find(request.path);
  if (path == paths_.end()) {
    if (files_ && method == "GET" && files_(request, response)) return;
    return send_error(response, 404, "there is nothing at this path");
  }
  const auto handler = path->second.find(method);
  if (handler != path->second.end()) return handler->second(request, response);
  std::string known;
  for (const auto& [name, ignored] : path->second) {
    known += (known.empty() ? "" : ", ") + name + (name == "GET" ? ", HEAD" : "");
  }
  response.set_header("Allow", known);
  send_error(response, 405, "this path knows " + known);
}

}  // namespace canopy
