// What the command's exit code says; documented in cascor-cache.1.
#pragma once

namespace tool {

enum ExitCode : int {
  done = 0,
  nothing_found = 1,    ///< a miss, no key or run of that name, or a finding that wants attention
  wrong_usage = 2,      ///< options, arguments, or the configuration
  unreachable = 3,      ///< the server does not answer, or not in time
  refused = 4,          ///< not permitted, refused by the server or the system, or not possible with this backend
  interrupted_by = 128  ///< plus the signal's number: 130 for Ctrl-C
};

}  // namespace tool
