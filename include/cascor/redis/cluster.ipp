#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "cascor/redis/cluster.hpp"
#include "cascor/redis/node_list.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// A redirect is followed so many times in one call, and so many times a node that is away, or says that the cluster is
// changing, is asked for again.
inline constexpr int most_redirects = 16;
inline constexpr int most_failures = 4;
// Past so many redirects two nodes do not agree yet: there is no hurry then.
inline constexpr int redirects_in_haste = 3;
// The map is asked for once in this time at the most, however many calls find it old.
inline constexpr milliseconds between_refreshes{50};
// How long one node may take to tell it, while there are others to ask.
inline constexpr milliseconds patience_with_a_node{1000};
// How long a node is kept that a redirect has named, and the map has not.
inline constexpr milliseconds patience_with_the_map{10'000};
// So many of these are kept: a cluster takes in a few at a time, and a node that is none of it may name ever new ones.
inline constexpr std::ptrdiff_t most_named = 64;

}  // namespace detail

template <class CascorWhenUsed>
Cluster<CascorWhenUsed>::Cluster(RedisOptions each, std::vector<Endpoint> seeds, Log log)
    : each_{std::move(each)}, seeds_{std::move(seeds)}, log_{std::move(log)}, random_{each_.random} {}

// ---- sending

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::execute(const Server& pinned, const Commands& batch, std::span<Reply> replies,
                                      const Terms& terms, Deadline by) {
  const std::vector<Unit> units = Route::units_of(batch);
  std::vector<Traveller> travellers;
  travellers.reserve(units.size());
  for (const Unit& unit : units) travellers.push_back({&unit, pinned});
  Backoff backoff{milliseconds{10}, milliseconds{200}};
  std::fill(replies.begin(), replies.end(), Reply{});
  // What has no key is for the server that it was meant for: another one's answer would be no answer.
  const auto home = [&pinned](const Unit& unit) { return unit.slot == Unit::any_slot ? pinned : nullptr; };
  int failures = 0;
  for (int redirects = 0;; ++redirects) {
    const bool may_fail = failures < detail::most_failures && redirects < detail::most_redirects && !by.passed();
    // Half of what is left, while there is another try: a node that hangs may have been replaced meanwhile.
    const milliseconds patience =
        may_fail && each_.retry && terms.repeat == Repeat::safe ? by.remaining() / 2 + milliseconds{1} : by.remaining();
    take_owners(travellers, by);
    send(travellers, batch, terms, Deadline::sooner(by, {by.clock(), patience}));
    if (stopper_.stopped()) stopper_.raise();

    std::vector<Traveller> again;
    bool changing = false;
    for (Traveller& traveller : travellers) {
      const Reply* refusal = nullptr;
      for (const Reply& answer : traveller.answers) {
        if (answer.is_error() && says_changing(answer.text)) refusal = &answer;
      }
      if (traveller.outcome.error) {
        suspect();
        const bool final = traveller.outcome.may_have_run && (terms.repeat == Repeat::unsafe || !each_.retry);
        const ErrorCode code = traveller.outcome.error->code();
        const bool of_the_node = code == ErrorCode::connection || code == ErrorCode::timeout;
        if (final || !may_fail || !of_the_node) {
          if (!traveller.to->has_stopped()) traveller.outcome.error->raise();
          throw ConnectionError{"Lost the connection to Redis on " + to_string(traveller.to->endpoint()) +
                                    ": it did not answer, and another node of the cluster has its place",
                                "Make the call again: it goes to that node."};
        }
        changing = true;
        again.push_back({traveller.unit, home(*traveller.unit)});
      } else if (refusal == nullptr || !may_fail) {
        Route::place(*traveller.unit, traveller.answers, replies);
      } else if (const auto redirect =
                     redirect_in(refusal->text, traveller.to ? traveller.to->endpoint() : Endpoint{})) {
        if (traveller.to && SlotMap<CascorWhenUsed>::same(redirect->to, traveller.to->endpoint())) {
          // What answered is no longer what is there: a connection through something on the way, or an older map.
          traveller.to->close_idle();
          suspect();
          changing = true;
          again.push_back({traveller.unit, home(*traveller.unit)});
          continue;
        }
        Server to = node_at(redirect->to, true);
        if (redirect->kind == Redirect::Kind::moved) suspect(to);
        // A transaction cannot be asked for elsewhere while its keys move: it waits until they have.
        const bool asking = redirect->kind == Redirect::Kind::ask;
        const bool wait = asking && traveller.unit->commands(batch).commands() > 1;
        changing = changing || wait;
        again.push_back({traveller.unit, wait ? nullptr : std::move(to), asking && !wait});
      } else {
        suspect();
        changing = true;
        again.push_back({traveller.unit, home(*traveller.unit)});
      }
    }
    if (again.empty()) return;
    travellers = std::move(again);
    if (changing) ++failures;
    if (!changing && redirects < detail::redirects_in_haste) continue;
    const milliseconds delay = backoff.next([this] { return random_(); });
    stopper_.pause(std::min(delay, by.remaining()));
  }
}

// Of a slot that nobody has the answer is there then.
template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::take_owners(std::vector<Traveller>& travellers, Deadline by) {
  std::shared_ptr<const View> now;
  for (Traveller& traveller : travellers) {
    if (traveller.to) continue;
    if (!now) now = view(by);
    const std::size_t slot = traveller.unit->slot;
    std::size_t owner = slot == Unit::any_slot ? random_() % now->servers.size() : std::size_t{now->map.owner(slot)};
    if (traveller.unit->anywhere) owner = one_for_all(*now, owner);
    if (owner < now->servers.size()) {
      traveller.to = now->servers[owner];
      continue;
    }
    Reply& nobody = traveller.answers.emplace_back();
    nobody.kind = Reply::Kind::error;
    nobody.text = "CLUSTERDOWN Hash slot not served: no node has slot " + std::to_string(slot);
  }
}

// Where any master will do, and the same one for everybody.
template <class CascorWhenUsed>
std::size_t Cluster<CascorWhenUsed>::one_for_all(const View& now, std::size_t preferred) {
  if (preferred < now.servers.size() && !now.servers[preferred]->seems_away()) return preferred;
  const auto first =
      std::find_if(now.servers.begin(), now.servers.end(), [](const Server& one) { return !one->seems_away(); });
  if (first != now.servers.end()) return static_cast<std::size_t>(first - now.servers.begin());
  return preferred < now.servers.size() ? preferred : 0;
}

template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::grouped(std::vector<Traveller>& travellers, const Commands& batch) -> std::vector<Group> {
  std::vector<Group> groups;
  for (Traveller& traveller : travellers) {
    if (!traveller.to) continue;
    auto group =
        std::find_if(groups.begin(), groups.end(), [&traveller](const Group& one) { return one.to == traveller.to; });
    if (group == groups.end()) group = groups.insert(group, Group{traveller.to});
    group->travellers.push_back(&traveller);
  }
  // Two calls that each wait for a connection of the other's node would wait for ever: everybody asks in one order.
  std::sort(groups.begin(), groups.end(), [](const Group& one, const Group& other) { return one.to < other.to; });
  for (Group& group : groups) {
    if (group.travellers.size() == 1 && !group.travellers.front()->asking) {
      group.whole = &group.travellers.front()->unit->commands(batch);
    } else {
      for (const Traveller* const traveller : group.travellers) {
        if (traveller->asking) group.own.add(Answer{Answer::status}, "ASKING");
        group.own.add_batch(traveller->unit->commands(batch));
      }
    }
    group.replies.resize(group.commands().commands());
  }
  return groups;
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::send(std::vector<Traveller>& travellers, const Commands& batch, const Terms& terms,
                                   Deadline by) {
  std::vector<Group> groups = grouped(travellers, batch);
  if (groups.size() == 1) {
    Group& only = groups.front();
    only.outcome = only.to->try_run(only.commands(), only.replies, terms, by);
    return hand_out(only, batch);
  }
  std::vector<typename Node<CascorWhenUsed>::Flight> flights;
  flights.reserve(groups.size());
  for (Group& group : groups) flights.push_back(group.to->launch(group.commands(), by));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].outcome = groups[i].to->land(std::move(flights[i]), groups[i].commands(), groups[i].replies, by);
    hand_out(groups[i], batch);
  }
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::hand_out(Group& group, const Commands& batch) {
  auto next = group.replies.begin();
  for (Traveller* const traveller : group.travellers) {
    traveller->outcome = group.outcome;
    if (group.outcome.error) continue;
    if (traveller->asking) ++next;
    const auto end = next + static_cast<std::ptrdiff_t>(traveller->unit->commands(batch).commands());
    traveller->answers.assign(std::make_move_iterator(next), std::make_move_iterator(end));
    next = end;
  }
}

// ---- who there is

template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::make_node(const Endpoint& endpoint, std::size_t max_connections) const -> Server {
  RedisOptions options = each_;
  options.endpoint = endpoint;
  options.max_connections = max_connections;
  if (each_.on_breaker) {
    options.on_breaker = [tell = each_.on_breaker, name = to_string(endpoint)](BreakerState state,
                                                                               std::string_view reason) {
      tell(state, name + ": " + std::string{reason});
    };
  }
  return std::make_shared<Node<CascorWhenUsed>>(std::move(options));
}

// One that is known, or a new one, of which those who want to know are told before anybody uses it.
template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::node_at(const Endpoint& endpoint, bool redirected) -> Server {
  const std::string name = to_string(endpoint);
  Server node;
  bool too_many = false;
  {
    const std::lock_guard lock{mutex_};
    auto known = nodes_.find(name);
    if (known == nodes_.end()) {
      known = nodes_.emplace(name, Known{make_node(endpoint, each_.max_connections)}).first;
      ++version_;
      if (stopper_.stopped()) known->second.server->stop();
    }
    if (redirected) known->second.redirected = std::chrono::steady_clock::now();
    node = known->second.server;
    if (known->second.told) return node;
    if (redirected && are_too_many_named()) {
      forget_longest_named();
      too_many = !std::exchange(told_too_many_, true);
    }
    share_out();
  }
  if (too_many) {
    log_.warning("Redis Cluster: its nodes send to ever more servers that its map does not know, the last of them " +
                 name + "; the " + std::to_string(detail::most_named) + " named last are kept");
  }
  // Behind its entry, so that whoever is told finds it; by everybody who is about to use it, so that none is early.
  tell_of_change();
  const std::lock_guard lock{mutex_};
  if (const auto known = nodes_.find(name); known != nodes_.end() && known->second.server == node) {
    known->second.told = true;
  }
  return node;
}

// Under the lock.
template <class CascorWhenUsed>
bool Cluster<CascorWhenUsed>::are_too_many_named() const noexcept {
  return std::count_if(nodes_.begin(), nodes_.end(), [](const auto& named) { return named.second.is_only_named(); }) >
         detail::most_named;
}

// Under the lock. Calls that use it go on.
template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::forget_longest_named() {
  auto longest = nodes_.end();
  for (auto one = nodes_.begin(); one != nodes_.end(); ++one) {
    const Known& known = one->second;
    if (!known.is_only_named()) continue;
    if (longest == nodes_.end() || known.redirected < longest->second.redirected) longest = one;
  }
  if (longest == nodes_.end()) return;
  retire(longest->second.server);
  nodes_.erase(longest);
  ++version_;
}

// Under the lock.
template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::share_out() {
  const std::size_t share = std::max<std::size_t>(each_.max_connections / nodes_.size(), 1);
  for (auto& [name, known] : nodes_) known.server->set_most(share);
}

// Under the lock: the nodes that are neither in the map nor, so it seems, about to be.
template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::forget_others(const View& now) {
  const auto recently = std::chrono::steady_clock::now() - detail::patience_with_the_map;
  for (auto& [name, known] : nodes_) {
    known.in_map = std::find(now.servers.begin(), now.servers.end(), known.server) != now.servers.end();
  }
  const std::size_t gone = std::erase_if(nodes_, [&](const auto& named) {
    const Known& known = named.second;
    if (known.in_map) return false;
    const bool away = known.server->seems_away();
    if (!away && known.redirected > recently) return false;
    retire(known.server);
    // What hangs there would hang until its deadline: its place may have been taken.
    if (away) known.server->stop();
    return true;
  });
  if (gone > 0) ++version_;  // who could not ask one of these need not
  if (!nodes_.empty()) share_out();
}

// Under the lock.
template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::retire(const Server& node) {
  std::erase_if(retired_, [](const auto& one) { return one.expired(); });
  retired_.push_back(node);
  const RemoteStats counted = node->stats();
  of_retired_.commands += counted.commands;
  of_retired_.batches += counted.batches;
  of_retired_.retries += counted.retries;
  of_retired_.reconnects += counted.reconnects;
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::when_masters_change(std::function<void()> tell) {
  const std::lock_guard lock{tell_mutex_};
  tell_ = std::move(tell);
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::tell_of_change() noexcept {
  const std::lock_guard lock{tell_mutex_};
  if (tell_) tell_();
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::suspect(const Server& better) {
  const std::lock_guard lock{mutex_};
  suspected_ = true;
  if (better) better_ = better;
}

template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::view(Deadline by, const std::atomic<bool>* given_up) -> std::shared_ptr<const View> {
  Question question{by, given_up};
  std::unique_lock lock{mutex_};
  while (true) {
    const bool recently = std::chrono::steady_clock::now() - last_refresh_ < detail::between_refreshes;
    if (view_ && (!suspected_ || recently || refreshing_)) return view_;
    if (!refreshing_) return refreshed(lock, std::move(question));
    // Nobody knows yet: the one who is asking will.
    const bool in_time = refreshed_.wait_for(lock, std::min(by.remaining(), milliseconds{std::chrono::hours{24}}),
                                             [&] { return !refreshing_ || question.over(); });
    if (!in_time || question.over()) {
      throw TimeoutError{"Timeout while the nodes of the Redis Cluster were looked for",
                         "Give the call more time, or see whether the nodes in redis_url answer."};
    }
  }
}

// Under the lock, which it lets go of while it asks.
template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::refreshed(std::unique_lock<std::mutex>& lock, Question question)
    -> std::shared_ptr<const View> {
  refreshing_ = true;
  suspected_ = false;
  const Server better = std::exchange(better_, nullptr);
  lock.unlock();
  std::shared_ptr<View> fresh;
  std::exception_ptr failed;
  try {
    if (auto map = ask_for_slots(whom_to_ask(better), question)) {
      auto all = std::make_shared<View>();
      all->map = *std::move(map);
      for (const Endpoint& master : all->map.masters()) all->servers.push_back(node_at(master, false));
      fresh = std::move(all);
    }
  } catch (...) {  // out of memory
    failed = std::current_exception();
  }
  lock.lock();
  refreshing_ = false;
  being_asked_.clear();
  last_refresh_ = std::chrono::steady_clock::now();
  refreshed_.notify_all();
  if (fresh) {
    if (!view_ || !(fresh->map == view_->map)) ++version_;
    view_ = fresh;
    forget_others(*fresh);
    return view_;
  }
  suspected_ = true;
  if (view_) return view_;
  if (failed) std::rethrow_exception(failed);
  if (question.error) question.error->raise();
  throw ConnectionError{"Error connecting to Redis Cluster: no node in redis_url told of it",
                        "Name nodes of one cluster in redis_url."};
}

// Whoever seems to know more, then the masters in no order, those that seem away last, then the seeds by their names.
template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::whom_to_ask(const Server& first) -> std::vector<Server> {
  std::vector<Server> servers;
  {
    const std::lock_guard lock{mutex_};
    if (view_) servers = view_->servers;
  }
  for (std::size_t i = servers.size(); i > 1; --i) std::swap(servers[i - 1], servers[random_() % i]);
  if (first) servers.insert(servers.begin(), first);
  std::stable_partition(servers.begin(), servers.end(), [](const Server& one) { return !one->seems_away(); });
  for (const Endpoint& seed : seeds_) servers.push_back(make_node(seed, 1));
  const std::lock_guard lock{mutex_};
  if (stopper_.stopped()) stopper_.raise();  // or stop() will find them
  being_asked_ = servers;
  return servers;
}

// One after the other, and none for so long that there is no time for the next. Where a map is known the call that asks
// has something else to do yet.
template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::ask_for_slots(const std::vector<Server>& servers, Question& question)
    -> std::optional<SlotMap<CascorWhenUsed>> {
  const auto half_of = [](Deadline whole) { return Deadline{whole.clock(), whole.remaining() / 2}; };
  bool known = false;
  {
    const std::lock_guard lock{mutex_};
    known = view_ != nullptr;
  }
  const Deadline by = known ? half_of(question.by) : question.by;
  for (const Server& server : servers) {
    if (question.over()) break;
    const bool last = &server == &servers.back();
    if (auto map = ask_for_slots(server, question, last ? by : half_of(by))) return map;
  }
  return std::nullopt;
}

template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::ask_for_slots(const Server& server, Question& question, Deadline by)
    -> std::optional<SlotMap<CascorWhenUsed>> {
  Commands batch;
  batch.add({Answer::any}, "CLUSTER", "SLOTS");
  Reply reply;
  const Deadline soon = Deadline::sooner(by, {by.clock(), detail::patience_with_a_node});
  const Terms terms{.may_share = false, .past_breaker = true, .given_up = question.given_up};
  const Outcome outcome = server->try_run(batch, {&reply, 1}, terms, soon);
  if (outcome.error) {
    question.error = outcome.error;
    return std::nullopt;
  }
  if (reply.is_error()) {
    question.error = server_error(reply.text);
    return std::nullopt;
  }
  return SlotMap<CascorWhenUsed>::from(reply, server->endpoint());
}

template <class CascorWhenUsed>
auto Cluster<CascorWhenUsed>::masters(Deadline by, const std::atomic<bool>* given_up) -> Masters {
  (void)view(by, given_up);
  const std::lock_guard lock{mutex_};
  Masters all{view_->servers, version_};
  for (const auto& [name, known] : nodes_) {
    const bool in_map = std::find(view_->servers.begin(), view_->servers.end(), known.server) != view_->servers.end();
    if (!in_map) all.servers.push_back(known.server);
  }
  return all;
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::end_asking() noexcept {
  const std::lock_guard lock{mutex_};
  refreshed_.notify_all();
  for (const Server& node : being_asked_) node->drop_connections();
}

template <class CascorWhenUsed>
Endpoint Cluster<CascorWhenUsed>::where(std::string_view key, Deadline by) {
  suspect();  // whoever dials has none, or lost one
  const auto now = view(by);
  const std::size_t owner = key.empty() ? random_() % now->servers.size() : std::size_t{now->map.owner(slot_of(key))};
  return now->servers[owner < now->servers.size() ? owner : 0]->endpoint();
}

// ---- seen from outside

template <class CascorWhenUsed>
PoolState Cluster<CascorWhenUsed>::pool() const {
  const std::lock_guard lock{mutex_};
  PoolState all;
  for (const auto& [name, node] : nodes_) {
    const PoolState one = node.server->pool();
    all.size += one.size;
    all.in_use += one.in_use;
    all.waiting += one.waiting;
    all.max += one.max;
  }
  return all;
}

template <class CascorWhenUsed>
std::vector<NodeState> Cluster<CascorWhenUsed>::nodes(Deadline by) {
  by = Deadline::sooner(by, {by.clock(), detail::patience_with_a_node});
  std::vector<Server> masters;
  std::vector<Server> known;
  {
    const std::lock_guard lock{mutex_};
    if (view_) masters = view_->servers;
    for (const auto& [name, node] : nodes_) known.push_back(node.server);
  }
  std::stable_partition(masters.begin(), masters.end(), [](const Server& one) { return !one->seems_away(); });
  NodeList<CascorWhenUsed> list;
  Commands batch;
  batch.add({Answer::any}, "CLUSTER", "NODES");
  for (const Server& server : masters) {
    Reply reply;
    const Deadline soon{by.clock(), by.remaining() / 2};
    const Terms terms{.may_share = false, .past_breaker = true};
    if (server->try_run(batch, {&reply, 1}, terms, soon).error || reply.is_error()) continue;
    list.add_cluster(reply.text, server->endpoint());
    break;
  }
  for (const Server& server : known) {
    NodeState& node = list.at("master", server->endpoint());
    node.pool = server->pool();
    node.last_error = server->last_failure();
    if (server->seems_away()) node.state = "down";
  }
  for (const Endpoint& seed : seeds_) {
    if (known.empty()) (void)list.at("master", seed);
  }
  return std::move(list).take();
}

template <class CascorWhenUsed>
RemoteStats Cluster<CascorWhenUsed>::stats() const {
  const std::lock_guard lock{mutex_};
  RemoteStats all = of_retired_;
  for (const auto& [name, node] : nodes_) {
    const RemoteStats one = node.server->stats();
    all.commands += one.commands;
    all.batches += one.batches;
    all.retries += one.retries;
    all.reconnects += one.reconnects;
    if (one.breaker != "closed" && all.breaker != "open") all.breaker = one.breaker;
  }
  return all;
}

template <class CascorWhenUsed>
void Cluster<CascorWhenUsed>::stop() noexcept {
  stopper_.stop();
  const std::lock_guard lock{mutex_};
  for (const auto& [name, node] : nodes_) node.server->stop();
  for (const Server& node : being_asked_) node->stop();
  for (const auto& node : retired_) {
    if (const Server still = node.lock()) still->stop();
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class Cluster<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
