#include "http/origin_guard.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "http/reply.hpp"

namespace canopy {
namespace {

/// "name" of "Name:8050", "::1" of "[::1]:8050".
std::string name_in(std::string_view host) {
  if (host.starts_with('[')) {
    host.remove_prefix(1);
    return std::string{host.substr(0, host.find(']'))};
  }
  std::string name{host.substr(0, host.find(':'))};
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> ignored{};
  return ::inet_pton(AF_INET, name.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), ignored.data()) == 1;
}

}  // namespace

void OriginGuard::check(const Request& request) const {
  const std::string host = request.get_header_value("Host");
  if (request.get_header_value_count("Host") != 1 || !is_ours(host)) {
    throw BadRequest{"this server is not known under that name: see --allow-host", 421};
  }
  if (!request.has_header("Origin")) return;
  const std::string origin = request.get_header_value("Origin");
  if (origin != "http://" + host && origin != "https://" + host) {
    throw BadRequest{"pages of other sites may not ask here", 403};
  }
}

bool OriginGuard::is_ours(const std::string& host) const {
  const std::string name = name_in(host);
  return name == "localhost" || is_address(name) || std::find(names_.begin(), names_.end(), name) != names_.end();
}

}  // namespace canopy
