#pragma once

#include <algorithm>
#include <cstdint>

#include "cascor/codec/json.hpp"
#include "cascor/config/redis_url.hpp"
#include "cascor/core/log.hpp"
#include "cascor/training/destination.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
auto Destination<CascorWhenUsed>::of(const CacheConfig& config, std::string_view key_namespace) -> Destination {
  Destination made;
  made.kind = "memory";
  if (config.type != CacheType::redis) return made;
  const Dependent<RedisUrl, CascorWhenUsed> url = RedisUrl::parse(config.redis_url);
  switch (url.kind) {
    case RedisUrl::Kind::standalone: made.kind = "server"; break;
    case RedisUrl::Kind::unix_socket: made.kind = "socket"; break;
    case RedisUrl::Kind::sentinel: made.kind = "sentinel"; break;
    case RedisUrl::Kind::cluster: made.kind = "cluster"; break;
  }
  made.name = printable(url.kind == RedisUrl::Kind::unix_socket ? url.path : url.master_name);
  for (const auto& node : url.nodes) {
    std::string host = printable(node.host);
    std::transform(host.begin(), host.end(), host.begin(), [](char c) {  // names of hosts do not tell case
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    made.nodes.push_back(host + ':' + std::to_string(node.port));
  }
  std::sort(made.nodes.begin(), made.nodes.end());
  made.nodes.erase(std::unique(made.nodes.begin(), made.nodes.end()), made.nodes.end());
  made.database = url.database;
  made.key_namespace = printable(key_namespace);
  return made;
}

template <class CascorWhenUsed>
auto Destination<CascorWhenUsed>::parse(std::string_view text)
    -> Dependent<std::optional<Destination>, CascorWhenUsed> {
  using Json = Dependent<json, CascorWhenUsed>;
  try {
    check_json_text(text);
    const Json whole = Json::parse(text);
    Destination made;
    made.kind = whole.at("kind").template get<std::string>();
    made.name = whole.at("name").template get<std::string>();
    for (const auto& node : whole.at("nodes")) made.nodes.push_back(node.template get<std::string>());
    made.database = whole.at("database").template get<int>();
    made.key_namespace = whole.at("namespace").template get<std::string>();
    return made;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

template <class CascorWhenUsed>
std::string Destination<CascorWhenUsed>::text() const {
  Dependent<json, CascorWhenUsed> whole;
  whole["kind"] = kind;
  whole["name"] = name;
  whole["nodes"] = nodes;
  whole["database"] = database;
  whole["namespace"] = key_namespace;
  return whole.dump();
}

template <class CascorWhenUsed>
std::string Destination<CascorWhenUsed>::shown() const {
  std::string shown = name;
  for (const std::string& node : nodes) shown += (shown.empty() ? "" : " ") + node;
  return shown + '/' + std::to_string(database) + ", " + key_namespace;
}

template <class CascorWhenUsed>
std::string Destination<CascorWhenUsed>::folder() const {
  constexpr std::size_t longest = 100;
  if (kind == "memory") return kind;
  std::string about = name.empty() && !nodes.empty() ? nodes.front() : name;
  about += '-' + std::to_string(database) + '-' + key_namespace;
  std::string folder;
  for (const char c : about) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (plain || (!folder.empty() && folder.back() != '-')) folder += plain ? c : '-';
    if (folder.size() == longest) break;
  }
  if (!folder.empty() && folder.back() != '-') folder += '-';
  std::uint64_t hash = 14'695'981'039'346'656'037U;  // FNV-1a
  for (const char c : text()) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  std::string digits(16, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, hash >>= 4U)
    *digit = "0123456789abcdef"[hash & 15U];
  if (folder.starts_with('.')) folder.insert(0, 1, '-');
  return folder + digits;
}

template <class CascorWhenUsed>
bool Destination<CascorWhenUsed>::is_same(const Destination& other) const {
  if (kind != other.kind || name != other.name || database != other.database || key_namespace != other.key_namespace) {
    return false;
  }
  if (kind != "sentinel" && kind != "cluster") return nodes == other.nodes;
  return std::any_of(nodes.begin(), nodes.end(), [&other](const std::string& node) {
    return std::find(other.nodes.begin(), other.nodes.end(), node) != other.nodes.end();
  });
}

#if defined(CASCOR_CACHE_COMPILED)
template struct Destination<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
