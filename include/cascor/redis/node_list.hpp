// The servers that a node of a cluster, or a Sentinel, tells of, as health() shows them. No I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/reply.hpp"
#include "cascor/core/stats.hpp"
#include "cascor/redis/options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// A list that is put together from what several servers say; each address is in it once. For one thread.
template <class CascorWhenUsed = void>
class NodeList {
 public:
  using Nodes = std::vector<cascor::detail::Dependent<NodeState, CascorWhenUsed>>;

  /// What a node at `said_by` answers to CLUSTER NODES. What is no address is passed over.
  void add_cluster(std::string_view text, const Endpoint& said_by);
  /// What a Sentinel answers to SENTINEL MASTER, or to SENTINEL REPLICAS or SENTINELS.
  void add_told(std::string_view role, const Reply& reply);
  /// The one at the address, added as `role` in the state "unknown" where it is none yet.
  NodeState& at(std::string_view role, const Endpoint& endpoint);
  Nodes take() && { return std::move(nodes_); }

 private:
  static constexpr std::size_t most = 2'000;  // who tells of more is not believed
  static bool lists(std::string_view flags, std::string_view flag) noexcept;
  void add_one(std::string_view role, const Reply& fields);

  Nodes nodes_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/node_list.ipp"
#endif
