// Which function answers what.
#pragma once

#include <httplib.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace canopy {

using Request = httplib::Request;
using Response = httplib::Response;
using Handler = std::function<void(const Request&, Response&)>;

/// Paths and the methods that they know. Made before the server starts, then only read: safe from any thread.
class Routes {
 public:
  Routes& on(std::string_view method, std::string_view path, Handler handler);
  /// Answers what no path is named for: false where there is nothing under the request's path either.
  void otherwise(std::function<bool(const Request&, Response&)> files) { files_ = std::move(files); }

  /// Answers: 404 for what is unknown, 405 for a method that the path does not know. HEAD is a GET whose body is not
  /// sent.
  void answer(const Request& request, Response& response) const;

 private:
  std::map<std::string, std::map<std::string, Handler, std::less<>>, std::less<>> paths_;
  std::function<bool(const Request&, Response&)> files_;
};

}  // namespace canopy
