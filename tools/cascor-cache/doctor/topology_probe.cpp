#include "topology_probe.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <utility>

namespace tool::doctor {
namespace {

using cascor::Reply;
using cascor::redis::Endpoint;

constexpr std::size_t most_nodes = 64;

std::uint64_t number_in(const std::string& text) {
  std::uint64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// A field of what SENTINEL MASTER says: name, value, name, value.
std::string field(const Reply& pairs, std::string_view name) {
  for (std::size_t i = 0; i + 1 < pairs.elements.size(); i += 2)
    if (pairs.elements[i].text == name) return pairs.elements[i + 1].text;
  return {};
}

void ask_sentinel(Prober::Connection& connection, const Prober& prober, SentinelFacts::One& one,
                  std::optional<Endpoint>& master) {
  const std::string& name = prober.url().master_name;
  const auto replies =
      answers_of(connection, {{"SENTINEL", "MASTER", name}, {"SENTINEL", "CKQUORUM", name}}, prober.patience());
  if (replies[0].is_error() || replies[0].elements.empty()) return;
  Endpoint at;
  at.host = field(replies[0], "ip");
  at.port = static_cast<std::uint16_t>(number_in(field(replies[0], "port")));
  if (at.host.empty() || at.port == 0) return;
  one.knows_master = true;
  one.master = to_string(at);
  one.replicas = number_in(field(replies[0], "num-slaves"));
  one.others = number_in(field(replies[0], "num-other-sentinels"));
  if (replies[1].is_error()) one.quorum_words = replies[1].text;
  if (!master) master = std::move(at);
}

// A node as CLUSTER SLOTS has it: address, port, …. No address: the one that was asked.
std::optional<Endpoint> node_in(const Reply& node, const Endpoint& asked) {
  if (node.elements.size() < 2 || node.elements[1].integer <= 0 || node.elements[1].integer > 65'535)
    return std::nullopt;
  Endpoint at;
  at.host = node.elements[0].text.empty() ? asked.host : node.elements[0].text;
  at.port = static_cast<std::uint16_t>(node.elements[1].integer);
  return at;
}

/// The nodes of the map, each once.
class NodesInMap {
 public:
  void add(const Endpoint& at, bool master, std::uint64_t replicas) {
    const auto [known, fresh] = nodes_.try_emplace(to_string(at), Known{at, master, replicas});
    if (fresh) return;
    known->second.master = known->second.master || master;
    known->second.replicas = std::max(known->second.replicas, replicas);
  }
  struct Known {
    Endpoint at;
    bool master;
    std::uint64_t replicas;
  };
  const std::map<std::string, Known>& all() const noexcept { return nodes_; }

 private:
  std::map<std::string, Known> nodes_;
};

void read_slots(const Reply& slots, const Endpoint& asked, ClusterFacts& facts, NodesInMap& nodes) {
  std::vector<std::pair<std::size_t, std::size_t>> covered;
  for (const Reply& range : slots.elements) {
    if (range.elements.size() < 3 || range.elements[0].integer < 0 || range.elements[1].integer < 0) continue;
    covered.emplace_back(static_cast<std::size_t>(range.elements[0].integer),
                         static_cast<std::size_t>(range.elements[1].integer));
    for (std::size_t i = 2; i < range.elements.size(); ++i) {
      const auto at = node_in(range.elements[i], asked);
      if (at) nodes.add(*at, i == 2, i == 2 ? range.elements.size() - 3 : 0);
    }
  }
  facts.uncovered = gaps_between(std::move(covered));
}

}  // namespace

SentinelFacts probe_sentinels(const Prober& prober, std::optional<Endpoint>& master) {
  SentinelFacts facts;
  facts.master_name = prober.url().master_name;
  for (const auto& node : prober.url().nodes) {
    SentinelFacts::One& one = facts.all.emplace_back();
    const auto connection = prober.dial({node.host, node.port, {}}, one.dial, true);
    if (!connection) continue;
    try {
      ask_sentinel(*connection, prober, one, master);
    } catch (const cascor::CacheError& error) {
      one.dial.reached = false;
      one.dial.error = error.what();
      one.dial.hint = error.hint();
    }
  }
  return facts;
}

ClusterFacts probe_cluster(const Prober& prober, std::vector<Endpoint>& masters) {
  ClusterFacts facts;
  facts.wanted = true;
  NodesInMap nodes;
  for (const auto& seed : prober.url().nodes) {
    DialFacts dial;
    const Endpoint at{seed.host, seed.port, {}};
    const auto connection = prober.dial(at, dial);
    if (!connection) {
      facts.seeds_away.push_back(std::move(dial));
      continue;
    }
    if (!facts.asked.empty()) continue;
    facts.asked = dial.peer;
    try {
      const auto replies = answers_of(*connection, {{"CLUSTER", "INFO"}, {"CLUSTER", "SLOTS"}}, prober.patience());
      for (const Reply& reply : replies)
        if (reply.is_error() && facts.error.empty()) facts.error = reply.text;
      const InfoText info{replies[0].text};
      facts.state = info.text("cluster_state");
      facts.failed_slots = info.number("cluster_slots_fail").value_or(0);
      if (facts.error.empty()) read_slots(replies[1], at, facts, nodes);
    } catch (const cascor::CacheError& error) {
      facts.error = error.what();
    }
  }
  for (const auto& [name, known] : nodes.all()) {
    if (facts.nodes.size() == most_nodes) break;
    ClusterFacts::Node& node = facts.nodes.emplace_back();
    node.master = known.master;
    node.replicas = known.replicas;
    // Told already, as a seed.
    const auto away = std::find_if(facts.seeds_away.begin(), facts.seeds_away.end(),
                                   [&name = name](const DialFacts& seed) { return seed.peer == name; });
    if (away != facts.seeds_away.end()) {
      node.dial = *away;
      facts.seeds_away.erase(away);
    } else {
      (void)prober.dial(known.at, node.dial);
    }
    if (node.master && node.dial.reached) masters.push_back(known.at);
  }
  return facts;
}

}  // namespace tool::doctor
