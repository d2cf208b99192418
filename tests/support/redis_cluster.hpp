// A Redis Cluster of real processes: masters with their slots, each with a replica.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cascor/redis/options.hpp"
#include "cascor/redis/slot_map.hpp"
#include "cascor/redis/slots.hpp"
#include "support/eventually.hpp"
#include "support/redis_server.hpp"

namespace support {

class RedisCluster {
 public:
  /// Starts two processes a master and waits until all agree; throws, which fails the test, where that cannot be had.
  explicit RedisCluster(std::size_t masters = 3, const std::vector<std::string>& more = {}) : masters_{masters} {
    std::vector<std::string> arguments{"--cluster-enabled",
                                       "yes",
                                       "--cluster-node-timeout",
                                       "1000",
                                       "--cluster-allow-replica-migration",
                                       "no",
                                       "--repl-diskless-sync-delay",
                                       "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    for (std::size_t i = 0; i < 2 * masters; ++i) nodes_.push_back(std::make_unique<RedisServer>(arguments));
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      tell(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
      if (i > 0) tell(0, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port())});
    }
    for (std::size_t i = 0; i < masters; ++i) {
      tell(i, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first_slot(i)), std::to_string(first_slot(i + 1) - 1)});
    }
    for (std::size_t i = masters; i < nodes_.size(); ++i) {
      const std::string master = id(i - masters);
      wait_for([&] { return nodes_[i]->raw("CLUSTER", "REPLICATE", master).kind == cascor::Reply::Kind::status; });
    }
    await_agreement();
  }

  std::size_t size() const noexcept { return nodes_.size(); }
  /// The first half are the masters of the beginning; node(i + masters) is the replica of node(i).
  RedisServer& node(std::size_t i) { return *nodes_.at(i); }
  cascor::redis::Endpoint endpoint(std::size_t i) const {
    cascor::redis::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = static_cast<std::uint16_t>(nodes_.at(i)->port());
    return endpoint;
  }
  std::string url(std::size_t seeds = 2) const {
    std::string all = "redis://";
    for (std::size_t i = 0; i < seeds; ++i) all += (i == 0 ? "" : ",") + nodes_.at(i)->address();
    return all + "/0";
  }
  std::string id(std::size_t i) { return nodes_.at(i)->raw("CLUSTER", "MYID").text; }
  /// The slots of the master at the beginning are [first_slot(i), first_slot(i + 1)).
  std::size_t first_slot(std::size_t master) const noexcept { return cascor::redis::slot_count * master / masters_; }
  std::size_t master_of(std::size_t slot) const noexcept {
    std::size_t master = 0;
    while (slot >= first_slot(master + 1)) ++master;
    return master;
  }

  /// Every node that runs calls the cluster whole, and each replica is in step with its master.
  void await_agreement() {
    for (auto& node : nodes_) {
      wait_for([&] {
        const std::string info = node->raw("CLUSTER", "INFO").text;
        const auto says = [&info](const std::string& line) { return info.find(line + "\r") != std::string::npos; };
        return says("cluster_state:ok") && says("cluster_slots_ok:16384") &&
               says("cluster_known_nodes:" + std::to_string(nodes_.size())) &&
               (node->info("role") == "master" || node->info("master_link_status") == "up");
      });
    }
  }

  /// Makes a key's slot leave `from` for `to`, stopping in the middle: `from` answers ASK for what is not there any
  /// more. finish_move() hands it over.
  void begin_move(std::size_t slot, std::size_t from, std::size_t to) {
    const auto accepts = [&](std::size_t node, const char* what, std::size_t other) {
      wait_for(
          [&, other_id = id(other)] {
            return nodes_[node]->raw("CLUSTER", "SETSLOT", std::to_string(slot), what, other_id).kind ==
                   cascor::Reply::Kind::status;
          },
          std::chrono::seconds{5});
    };
    accepts(to, "IMPORTING", from);
    accepts(from, "MIGRATING", to);
  }
  void move_keys(std::size_t slot, std::size_t from, std::size_t to, std::size_t most = 1000) {
    const auto keys = nodes_[from]->raw("CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(most));
    for (const auto& key : keys.elements) {
      tell(from, {"MIGRATE", "127.0.0.1", std::to_string(nodes_[to]->port()), key.text, "0", "5000", "REPLACE"});
    }
  }
  void finish_move(std::size_t slot, std::size_t to) {
    const std::string owner = id(to);
    // A node that has not heard of the last move yet refuses this one.
    wait_for([&] {
      return nodes_[to]->raw("CLUSTER", "SETSLOT", std::to_string(slot), "NODE", owner).kind ==
             cascor::Reply::Kind::status;
    });
    for (std::size_t i = 0; i < masters_; ++i) {
      if (i != to) (void)nodes_[i]->raw("CLUSTER", "SETSLOT", std::to_string(slot), "NODE", owner);
    }
  }
  /// Waits until every master of the beginning knows who has the slot; throws where they go on disagreeing.
  void await_owner(std::size_t slot, std::size_t owner) {
    using Map = cascor::redis::SlotMap<>;
    wait_for(
        [&] {
          for (std::size_t i = 0; i < masters_; ++i) {
            const auto map = Map::from(nodes_[i]->raw("CLUSTER", "SLOTS"), endpoint(i));
            if (!map || map->owner(slot) == Map::nobody) return false;
            if (map->masters()[map->owner(slot)].port != endpoint(owner).port) return false;
          }
          return true;
        },
        std::chrono::seconds{5});
  }
  /// Moves a slot from node to node, so many times at most, and calls `between()` after each; how many moves there
  /// were. Fewer where two nodes go on claiming the slot, which Redis takes its time to decide.
  template <class Between>
  int keep_moving(std::size_t slot, int times, const Between& between) {
    std::size_t at = master_of(slot);
    std::size_t to = at;
    int moved = 0;
    try {
      for (; moved < times; ++moved) {
        to = (at + 1) % masters_;
        begin_move(slot, at, to);
        move_keys(slot, at, to);
        finish_move(slot, to);
        await_owner(slot, to);
        at = to;
        between();
      }
    } catch (const std::runtime_error&) {  // enough was moved
      settle(slot, to);
    }
    return moved;
  }

 private:
  // As `redis-cli --cluster fix` does: one node has the slot, by an epoch that no other has, and what is in it.
  void settle(std::size_t slot, std::size_t owner) {
    const std::string number = std::to_string(slot);
    for (std::size_t i = 0; i < masters_; ++i) (void)nodes_[i]->raw("CLUSTER", "SETSLOT", number, "STABLE");
    (void)nodes_[owner]->raw("CLUSTER", "SETSLOT", number, "NODE", id(owner));
    (void)nodes_[owner]->raw("CLUSTER", "BUMPEPOCH");
    for (std::size_t i = 0; i < masters_; ++i) {
      if (i == owner) continue;
      try {
        move_keys(slot, i, owner);
      } catch (const std::runtime_error&) {  // then the caller finds out who has the slot
      }
      (void)nodes_[i]->raw("CLUSTER", "SETSLOT", number, "NODE", id(owner));
    }
  }
  void tell(std::size_t i, const std::vector<std::string>& command) {
    const cascor::Reply reply = nodes_.at(i)->raw(command);
    if (reply.is_error()) throw std::runtime_error{command[0] + ' ' + command[1] + ": " + reply.text};
  }
  template <class Condition>
  static void wait_for(const Condition& condition, std::chrono::seconds patience = std::chrono::seconds{60}) {
    if (!eventually(condition, patience)) throw std::runtime_error{"the cluster does not come together"};
  }

  std::size_t masters_;
  std::vector<std::unique_ptr<RedisServer>> nodes_;
};

}  // namespace support
