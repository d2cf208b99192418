#pragma once

#include <algorithm>
#include <array>
#include <charconv>

#include "cascor/redis/node_list.hpp"
#include "cascor/redis/redirect.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
NodeState& NodeList<CascorWhenUsed>::at(std::string_view role, const Endpoint& endpoint) {
  const std::string address = to_string(endpoint);
  const auto found =
      std::find_if(nodes_.begin(), nodes_.end(), [&address](const auto& one) { return one.address == address; });
  if (found != nodes_.end()) return *found;
  auto& one = nodes_.emplace_back();
  one.role = role;
  one.address = address;
  return one;
}

// Flags stand between commas.
template <class CascorWhenUsed>
bool NodeList<CascorWhenUsed>::lists(std::string_view flags, std::string_view flag) noexcept {
  while (!flags.empty()) {
    const std::string_view one = flags.substr(0, flags.find(','));
    if (one == flag) return true;
    flags.remove_prefix(std::min(one.size() + 1, flags.size()));
  }
  return false;
}

// "<id> <host:port@bus-port[,name]> <flags> <master> <ping> <pong> <epoch> <link> <slots> ...", a line a node. A link
// that is down says that the one who tells cannot reach it.
template <class CascorWhenUsed>
void NodeList<CascorWhenUsed>::add_cluster(std::string_view text, const Endpoint& said_by) {
  while (!text.empty() && nodes_.size() < most) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::array<std::string_view, 8> words;
    for (std::string_view& word : words) {
      word = line.substr(0, line.find(' '));
      line.remove_prefix(std::min(word.size() + 1, line.size()));
    }
    const auto endpoint = node_address<CascorWhenUsed>(words[1].substr(0, words[1].find('@')), said_by);
    const bool master = lists(words[2], "master");
    if (!endpoint || (!master && !lists(words[2], "slave"))) continue;
    const bool down = lists(words[2], "fail") || lists(words[2], "fail?") || words[7] == "disconnected";
    at(master ? "master" : "replica", *endpoint).state = down ? "down" : "up";
  }
}

template <class CascorWhenUsed>
void NodeList<CascorWhenUsed>::add_told(std::string_view role, const Reply& reply) {
  if (!reply.elements.empty() && reply.elements.front().kind == Reply::Kind::string) return add_one(role, reply);
  for (const Reply& one : reply.elements) {
    if (nodes_.size() < most) add_one(role, one);
  }
}

// Pairs of a field's name and its value.
template <class CascorWhenUsed>
void NodeList<CascorWhenUsed>::add_one(std::string_view role, const Reply& fields) {
  Endpoint endpoint;
  endpoint.port = 0;
  std::string_view flags;
  for (std::size_t i = 0; i + 1 < fields.elements.size(); i += 2) {
    const std::string& name = fields.elements[i].text;
    const std::string& value = fields.elements[i + 1].text;
    if (name == "ip") endpoint.host = value;
    if (name == "port") (void)std::from_chars(value.data(), value.data() + value.size(), endpoint.port);
    if (name == "flags") flags = value;
  }
  if (endpoint.port == 0 || !is_host(endpoint.host)) return;
  const bool down = lists(flags, "s_down") || lists(flags, "o_down") || lists(flags, "disconnected");
  at(role, endpoint).state = down ? "down" : "up";
}

#if defined(CASCOR_CACHE_COMPILED)
template class NodeList<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
