#include "rights_table.hpp"

#include <cascor/config/fields.hpp>

namespace tool::doctor {

std::vector<Attempt> rights_to_try(const cascor::CacheConfig& config, const std::string& name, bool sentinel) {
  const std::string& space = config.key_namespace;
  const std::string key = space + name;
  std::vector<Attempt> all;
  const auto add = [&](std::vector<std::string> command, const char* off, bool essential = true) {
    std::string right = command.front();
    for (char& c : right) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    all.push_back({std::move(right), std::move(command), {}, off, essential});
  };
  add({"GET", key}, "reads");
  add({"MGET", key}, "get_many");
  add({"SET", key, "x", "PX", "1", "XX"}, "writes");
  add({"PTTL", key}, "ttl");
  add({"EXISTS", key}, "contains");
  add({"UNLINK", key}, "erase and invalidation");
  add({"PEXPIRE", key, "1"}, "touch");
  add({"SCAN", "0", "COUNT", "1"}, "patterns: invalidate_cache, clear_all_cache, keys");
  const char* const scripts = "increment, tags, sessions, the record of runs, locks";
  add({"EVAL", "return 1", "1", key}, scripts);
  add({"EVALSHA", std::string(40, '0'), "1", key}, scripts);
  const char* const sessions = "sessions and tags";
  add({"ZADD", key, "XX", "1", "x"}, "sessions, tags and the list of runs");
  add({"ZRANGE", key, "0", "0"}, sessions);
  add({"ZREM", key, "x"}, sessions);
  add({"INCRBY", key, "no number"}, "increment");
  const char* const record = "the record of runs, which goes to its journal";
  add({"XADD", key, "NOMKSTREAM", "*", "f", "v"}, record);
  add({"XRANGE", key, "-", "+", "COUNT", "1"}, record);
  add({"XREVRANGE", key, "+", "-", "COUNT", "1"}, record);
  add({"XLEN", key}, record);
  add({"XREAD", "COUNT", "1", "STREAMS", key, "0"}, "follow");
  if (sentinel) add({"ROLE"}, "whether a server is the master is not asked", false);

  // Each prefix, and the library's own keys: an account may have some of the namespace only.
  cascor::CacheConfig copy = config;
  for (const auto& prefix : cascor::detail::NamedPrefix<>::all_of(copy.key_prefixes)) {
    all.push_back({"get",
                   {"GET", *prefix.prefix + name},
                   *prefix.prefix + '*',
                   "what is under key_prefixes." + std::string{prefix.name}});
  }
  for (const char* const own : {"run:", "lock:", "tag:"}) {
    all.push_back({"exists", {"EXISTS", space + own + name}, space + own + '*', std::string{"keys under "} + own});
  }
  return all;
}

}  // namespace tool::doctor
