#include "survey.hpp"

#include <algorithm>

#include "node_info.hpp"
#include "shown.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;
using cascor::Prefix;

KeyCounts count_keys(Session& session) {
  const auto began = std::chrono::steady_clock::now();
  const cascor::KeySpace names = key_space(session.config());
  KeyCounts counts;
  auto keys = session.cache().keys("*", KeyCounts::most_keys);
  counts.more = keys.size() >= KeyCounts::most_keys;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());  // SCAN may tell a key twice
  for (const std::string& key : keys) {
    const Prefix prefix = names.prefix_of(key);
    if (prefix == Prefix::session && !is_session(session.config(), key)) continue;  // a user's list
    ++counts.by_prefix[static_cast<std::size_t>(prefix)];
    ++counts.total;
  }
  counts.took_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return counts;
}

constexpr std::array<const char*, 14> info_numbers{"used_memory",          "maxmemory",
                                                   "connected_clients",    "maxclients",
                                                   "blocked_clients",      "tracking_clients",
                                                   "evicted_keys",         "instantaneous_ops_per_sec",
                                                   "keyspace_hits",        "keyspace_misses",
                                                   "expired_keys",         "total_commands_processed",
                                                   "rejected_connections", "total_connections_received"};

bool is_cluster(Session& session) {
  return cascor::RedisUrl::parse(session.config().redis_url).kind == cascor::RedisUrl::Kind::cluster;
}

}  // namespace

Survey survey(Session& session, const KeyCounts* counted) {
  Survey found;
  cascor::CacheManager& cache = session.cache();
  found.at = std::chrono::steady_clock::now();
  found.health = cache.health();
  const auto try_to = [&](const char* what, const auto& look) {
    if (found.health.status != cascor::HealthStatus::up) return;
    try {
      look();
    } catch (const cascor::CacheError& error) {
      found.problems.push_back(std::string{what} + ": " + error.what());
    }
  };
  if (is_cluster(session)) {
    const NodeInfo node_info{session.config()};
    for (const auto& node : found.health.details.nodes) {
      if (node.role != "master" || node.state == "down") continue;
      const std::string what = "INFO of " + node.address;
      try_to(what.c_str(), [&] {
        const ServerInfo& told = found.nodes[node.address] = node_info.of(node.address);
        found.info.add(told);
      });
    }
  } else {
    try_to("INFO", [&] {
      const cascor::Reply reply = cache.command({"INFO"});
      if (reply.kind == cascor::Reply::Kind::string) found.info = ServerInfo{reply.text};
    });
  }
  try_to("counting keys", [&] { found.keys = counted != nullptr ? *counted : count_keys(session); });
  try_to("runs", [&] { found.runs = cache.runs().size(); });
  return found;
}

namespace {

json numbers_of(const ServerInfo& info) {
  if (info.empty()) return nullptr;
  json numbers = json::object();
  for (const char* name : info_numbers) {
    const auto value = info.number(name);
    numbers[name] = value ? json(static_cast<std::int64_t>(*value)) : json(nullptr);
  }
  numbers["maxmemory_policy"] = json_text(info.text("maxmemory_policy"));
  return numbers;
}

}  // namespace

json survey_json(Session& session, const Survey& survey) {
  json keys = nullptr;
  if (survey.keys) {
    keys = {{"total", survey.keys->total}, {"complete", !survey.keys->more}};
    for (std::size_t p = 0; p < cascor::prefix_count; ++p) {
      keys["prefixes"][std::string{to_string(static_cast<Prefix>(p))}] = survey.keys->by_prefix[p];
    }
  }
  json nodes = json::object();
  for (const auto& [address, info] : survey.nodes) nodes[json_text(address)] = numbers_of(info);
  json problems = json::array();
  for (const std::string& problem : survey.problems) problems.push_back(json_text(problem));
  return {{"health", survey.health},           {"namespace", json_text(session.config().key_namespace)},
          {"keys", std::move(keys)},           {"runs", survey.runs ? json(*survey.runs) : json(nullptr)},
          {"server", numbers_of(survey.info)}, {"nodes", std::move(nodes)},
          {"problems", std::move(problems)}};
}

}  // namespace tool
