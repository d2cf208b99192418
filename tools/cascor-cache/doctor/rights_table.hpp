// Which commands this library sends, in a form that changes nothing, and what is off without each.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <string>
#include <vector>

namespace tool::doctor {

struct Attempt {
  std::string right;                 ///< "get": the command's name
  std::vector<std::string> command;  ///< of a key that is not there, so that it does nothing
  std::string keys;                  ///< which keys it is about, as an ACL's pattern; empty: those of the namespace
  std::string off;                   ///< what goes without it
  bool essential = true;
};

/// All but the commands of messages. `name` is that of a key which nobody has.
std::vector<Attempt> rights_to_try(const cascor::CacheConfig& config, const std::string& name, bool sentinel);

}  // namespace tool::doctor
