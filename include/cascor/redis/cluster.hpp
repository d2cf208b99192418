// A Redis Cluster: commands go to the nodes that have their slots, and follow them when they move.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cascor/redis/redirect.hpp"
#include "cascor/redis/routing.hpp"
#include "cascor/redis/slot_map.hpp"
#include "cascor/redis/stopper.hpp"
#include "cascor/redis/topology.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Finds the nodes from its seeds, which are names to the end: each is looked up anew when it is asked. A call of one
/// slot takes one round trip, a call of many one on each node at the same time. The mutex guards the view, the nodes
/// and who is refreshing; nothing is asked under it. Safe from any thread.
template <class CascorWhenUsed = void>
class Cluster final : public Topology<CascorWhenUsed> {
 public:
  using typename Topology<CascorWhenUsed>::Commands;
  using typename Topology<CascorWhenUsed>::Masters;
  using typename Topology<CascorWhenUsed>::Server;

  /// `each` is how a node is talked to, its endpoint left out; max_connections is for all of them together, and at
  /// least one each. Dials at the first call.
  Cluster(RedisOptions each, std::vector<Endpoint> seeds);

  void run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) override {
    execute(nullptr, batch, replies, terms, by);
  }
  void run_on(const Server& server, const Commands& batch, std::span<Reply> replies, const Terms& terms,
              Deadline by) override {
    execute(server, batch, replies, terms, by);
  }
  Masters masters(Deadline by) override;
  Endpoint where(std::string_view key, Deadline by) override;
  /// Has `tell` called before anything is sent to a master that was none of masters() before. Must be quick, and not
  /// use the cluster. Empty: nobody is told from then on, nor being told.
  void when_masters_change(std::function<void()> tell);
  /// The map may be old: it is asked for anew when it is next needed.
  void look_again() { suspect(); }
  /// May a command go to a server that is none of these masters?
  bool knows_others(const std::vector<Server>& masters) const;
  PoolState pool() const override;
  RemoteStats stats() const override;
  void stop() noexcept override;

 private:
  using Route = Routing<CascorWhenUsed>;
  using Unit = typename Route::Unit;
  using Outcome = typename Node<CascorWhenUsed>::Outcome;
  struct View {
    SlotMap<CascorWhenUsed> map;
    std::vector<Server> servers;  // as map.masters()
    std::uint64_t version = 0;
  };
  // A unit on its way.
  struct Traveller {
    const Unit* unit = nullptr;
    Server to;  // null: to whoever has its slot
    bool asking = false;
    std::vector<Reply> answers{};
    Outcome outcome{};
  };
  // Those that go to one server together.
  struct Group {
    Server to;
    std::vector<Traveller*> travellers{};
    Commands own{};
    const Commands* whole = nullptr;  // instead of `own`: the commands of the one unit that it is of
    std::vector<Reply> replies{};
    Outcome outcome{};
    const Commands& commands() const { return whole != nullptr ? *whole : own; }
  };

  void execute(const Server& pinned, const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by);
  void take_owners(std::vector<Traveller>& travellers, Deadline by);
  void send(std::vector<Traveller>& travellers, const Commands& batch, const Terms& terms, Deadline by);
  static std::vector<Group> grouped(std::vector<Traveller>& travellers, const Commands& batch);
  static void hand_out(Group& group, const Commands& batch);
  std::shared_ptr<const View> view(Deadline by);
  std::shared_ptr<const View> refreshed(std::unique_lock<std::mutex>& lock, Deadline by);
  std::optional<SlotMap<CascorWhenUsed>> ask_for_slots(const Server& server, Deadline by,
                                                       std::shared_ptr<const CacheError>& error);
  std::optional<SlotMap<CascorWhenUsed>> ask_for_slots(const std::vector<Server>& servers, Deadline by,
                                                       std::shared_ptr<const CacheError>& error);
  std::vector<Server> whom_to_ask(const Server& first);
  Server make_node(const Endpoint& endpoint, std::size_t max_connections) const;
  Server node_at(const Endpoint& endpoint, std::size_t of_masters);
  void retire(const Server& node);
  void suspect(const Server& better = nullptr);

  void tell_of_change() noexcept;

  const RedisOptions each_;
  const std::vector<Endpoint> seeds_;
  cascor::detail::Random random_;
  Stopper<CascorWhenUsed> stopper_;

  std::mutex tell_mutex_;  // guards `tell_`, and is held while it runs
  std::function<void()> tell_;

  mutable std::mutex mutex_;
  std::condition_variable refreshed_;
  std::map<std::string, Server> nodes_;
  std::shared_ptr<const View> view_;  // null: never known
  bool suspected_ = false;            // that the view is old
  bool refreshing_ = false;
  std::vector<Server> being_asked_;  // for the map
  Server better_;                    // who seems to know more
  std::chrono::steady_clock::time_point last_refresh_{};
  std::vector<std::weak_ptr<Node<CascorWhenUsed>>> retired_;  // those on which calls may be under way yet
  RemoteStats of_retired_;                                    // what nodes had counted that are no more
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/cluster.ipp"
#endif
