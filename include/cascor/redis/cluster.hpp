// A Redis Cluster: commands go to the nodes that have their slots, and follow them when they move.
#pragma once

#include <atomic>
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

#include "cascor/core/log.hpp"
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
  /// least one each: when they become more, those in use beyond a node's new share end with their calls. Dials at the
  /// first call.
  Cluster(RedisOptions each, std::vector<Endpoint> seeds, Log log = Log{});

  void run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) override {
    execute(nullptr, batch, replies, terms, by);
  }
  void run_on(const Server& server, const Commands& batch, std::span<Reply> replies, const Terms& terms,
              Deadline by) override {
    execute(server, batch, replies, terms, by);
  }
  /// Those of the map, and those that a redirect has named lately, which may have slots soon: they have keys already.
  Masters masters(Deadline by) override { return masters(by, nullptr); }
  /// The same; ends soon once `given_up` is true and end_asking() is called.
  Masters masters(Deadline by, const std::atomic<bool>* given_up);
  void end_asking() noexcept;
  Endpoint where(std::string_view key, Deadline by) override;
  /// Has `tell` called before anything is sent to a server that was none of masters() before. Must be quick, and not
  /// use the cluster. Empty: nobody is told from then on, nor being told.
  void when_masters_change(std::function<void()> tell);
  /// The map may be old: it is asked for anew when it is next needed.
  void look_again() { suspect(); }
  PoolState pool() const override;
  std::vector<NodeState> nodes(Deadline by) override;
  RemoteStats stats() const override;
  void stop() noexcept override;

 private:
  using Route = Routing<CascorWhenUsed>;
  using Unit = typename Route::Unit;
  using Outcome = typename Node<CascorWhenUsed>::Outcome;
  struct View {
    SlotMap<CascorWhenUsed> map;
    std::vector<Server> servers;  // as map.masters()
  };
  struct Known {
    Server server;
    bool told = false;  // those who want to know of it
    bool in_map = false;
    std::chrono::steady_clock::time_point redirected{};  // last, to it
    bool is_only_named() const noexcept { return !in_map && redirected != std::chrono::steady_clock::time_point{}; }
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
  static std::size_t one_for_all(const View& now, std::size_t preferred);
  void send(std::vector<Traveller>& travellers, const Commands& batch, const Terms& terms, Deadline by);
  static std::vector<Group> grouped(std::vector<Traveller>& travellers, const Commands& batch);
  static void hand_out(Group& group, const Commands& batch);
  // When to stop asking for the map, and why it is not there.
  struct Question {
    Deadline by;
    const std::atomic<bool>* given_up = nullptr;
    std::shared_ptr<const CacheError> error{};
    bool over() const noexcept { return given_up != nullptr && *given_up; }
  };
  std::shared_ptr<const View> view(Deadline by, const std::atomic<bool>* given_up = nullptr);
  std::shared_ptr<const View> refreshed(std::unique_lock<std::mutex>& lock, Question question);
  std::optional<SlotMap<CascorWhenUsed>> ask_for_slots(const Server& server, Question& question, Deadline by);
  std::optional<SlotMap<CascorWhenUsed>> ask_for_slots(const std::vector<Server>& servers, Question& question);
  std::vector<Server> whom_to_ask(const Server& first);
  Server make_node(const Endpoint& endpoint, std::size_t max_connections) const;
  Server node_at(const Endpoint& endpoint, bool redirected);
  bool are_too_many_named() const noexcept;
  void forget_longest_named();
  void share_out();
  void forget_others(const View& now);
  void retire(const Server& node);
  void suspect(const Server& better = nullptr);

  void tell_of_change() noexcept;

  const RedisOptions each_;
  const std::vector<Endpoint> seeds_;
  const Log log_;
  cascor::detail::Random random_;
  Stopper<CascorWhenUsed> stopper_;

  std::mutex tell_mutex_;  // guards `tell_`, and is held while it runs
  std::function<void()> tell_;

  mutable std::mutex mutex_;
  std::condition_variable refreshed_;
  std::map<std::string, Known> nodes_;
  std::shared_ptr<const View> view_;  // null: never known
  std::uint64_t version_ = 0;         // another one once there are other nodes, or the map is another one
  bool suspected_ = false;            // that the view is old
  bool refreshing_ = false;
  bool told_too_many_ = false;       // once is enough
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
