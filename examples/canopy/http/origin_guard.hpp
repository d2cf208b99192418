// Who may ask: pages of this server. A page of somebody else's can make a browser send requests here, under a name that
// it has made to point here (DNS rebinding), or across sites.
#pragma once

#include <string>
#include <vector>

#include "http/routes.hpp"

namespace canopy {

/// Immutable: safe from any thread.
class OriginGuard {
 public:
  /// `names`: under which the server is known besides "localhost", and besides all addresses, which nobody can rebind.
  explicit OriginGuard(std::vector<std::string> names) : names_{std::move(names)} {}
  /// Throws BadRequest: 421 for a Host that is not ours, 403 for an Origin that is not that Host.
  void check(const Request& request) const;

 private:
  bool is_ours(const std::string& host) const;

  const std::vector<std::string> names_;
};

}  // namespace canopy
