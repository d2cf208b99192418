#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "cascor/redis/master_finder.hpp"
#include "cascor/redis/redirect.hpp"
#include "cascor/redis/server_error.hpp"
#include "cascor/redis/slot_map.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// How long one Sentinel may take, while there are others to ask.
inline constexpr milliseconds patience_with_a_sentinel{500};
inline constexpr std::size_t most_sentinels = 64;

}  // namespace detail

template <class CascorWhenUsed>
MasterFinder<CascorWhenUsed>::MasterFinder(RedisOptions each, std::vector<Endpoint> sentinels, std::string master_name)
    : each_{std::move(each)}, master_name_{std::move(master_name)} {
  for (Endpoint& sentinel : sentinels) sentinels_.push_back({std::move(sentinel)});
}

template <class CascorWhenUsed>
Endpoint MasterFinder<CascorWhenUsed>::find(Deadline by) {
  std::unique_lock lock{mutex_};
  while (asking_) {
    const milliseconds patience = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
    if (!answered_.wait_for(lock, patience, [this] { return !asking_; })) return master_in({});
    if (last_.cut_short && !by.passed()) continue;  // there is time yet to ask longer
    const Answer answer = last_;
    lock.unlock();
    return master_in(answer);
  }
  last_ = {};
  last_.cut_short = true;  // until there is an answer: who waits asks for itself where this throws
  asking_ = true;
  lock.unlock();
  const Turn turn{*this};
  Answer answer = ask_all(by);
  answer.cut_short = !answer.there && by.passed();
  lock.lock();
  last_ = answer;
  lock.unlock();
  return master_in(answer);
}

template <class CascorWhenUsed>
Endpoint MasterFinder<CascorWhenUsed>::master_in(const Answer& answer) {
  if (answer.there) return answer.master;
  if (answer.error) answer.error->raise();
  throw TimeoutError{"Error connecting to Redis: timeout while the Sentinels were asked for the master",
                     "See whether the Sentinels in redis_url answer."};
}

template <class CascorWhenUsed>
auto MasterFinder<CascorWhenUsed>::ask_all(Deadline by) -> Answer {
  std::vector<Sentinel> sentinels;
  {
    const std::lock_guard lock{mutex_};
    sentinels = sentinels_;
  }
  Answer unknown;
  std::vector<Sentinel> more;
  for (std::size_t i = 0; i < sentinels.size(); ++i) {
    if (stopper_.stopped()) stopper_.raise();
    // None for so long that there is no time for the next.
    const bool last = i + 1 == sentinels.size();
    Answer answer = ask(sentinels[i], more, last ? by : Deadline{by.clock(), by.remaining() / 2});
    sentinels[i].silent = !answer.there;
    if (!answer.there) {
      // One that answers, and knows nothing, says more than one that is away.
      const bool says_more = !unknown.error || unknown.error->code() != ErrorCode::connection ||
                             std::string_view{answer.error->what()}.find("know no master") != std::string_view::npos;
      if (says_more) unknown = std::move(answer);
      continue;
    }
    std::rotate(sentinels.begin(), sentinels.begin() + static_cast<std::ptrdiff_t>(i),
                sentinels.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    for (Sentinel& one : more) {
      const bool known = std::any_of(sentinels.begin(), sentinels.end(), [&one](const Sentinel& other) {
        return SlotMap<CascorWhenUsed>::same(one.at, other.at);
      });
      if (!known && sentinels.size() < detail::most_sentinels) sentinels.push_back(std::move(one));
    }
    std::stable_partition(sentinels.begin(), sentinels.end(), [](const Sentinel& one) { return !one.silent; });
    const std::lock_guard lock{mutex_};
    sentinels_ = std::move(sentinels);
    next_ = 0;
    return answer;
  }
  return unknown;
}

template <class CascorWhenUsed>
RedisOptions MasterFinder<CascorWhenUsed>::options_for(const Sentinel& sentinel) const {
  RedisOptions options = each_;
  options.endpoint = sentinel.at;
  options.database = 0;
  if (!sentinel.wants_credentials) {
    options.username.clear();
    options.password = nullptr;
  }
  return options;
}

template <class CascorWhenUsed>
auto MasterFinder<CascorWhenUsed>::ask(Sentinel& sentinel, std::vector<Sentinel>& more, Deadline by) -> Answer {
  const Deadline soon = Deadline::sooner(by, {by.clock(), detail::patience_with_a_sentinel});
  Batch<CascorWhenUsed> batch;
  batch.add({redis::Answer::any}, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name_);
  batch.add({redis::Answer::any}, "SENTINEL", "SENTINELS", master_name_);
  Answer answer;
  try {
    std::vector<Reply> replies;
    while (replies.empty()) {
      try {
        Connection<CascorWhenUsed> connection{options_for(sentinel), soon, &stopper_};
        replies = connection.execute(batch, soon);
      } catch (const AuthenticationError&) {
        if (sentinel.wants_credentials || !each_.password) throw;
        sentinel.wants_credentials = true;
      }
    }
    if (replies[0].is_error()) server_error(replies[0].text, "Error connecting to Redis by its Sentinels: ")->raise();
    const auto& address = replies[0].elements;
    if (address.size() != 2) {
      throw ConnectionError{"Error connecting to Redis: the Sentinels know no master named " + readable(master_name_),
                            "Name the master in redis_url as sentinel.conf does (sentinel monitor <name> …)."};
    }
    const std::string& port = address[1].text;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), answer.master.port);
    if (error != std::errc{} || end != port.data() + port.size() || answer.master.port == 0 ||
        !is_host(address[0].text)) {
      throw ConnectionError{"Error connecting to Redis: a Sentinel names a master that is no address",
                            "Something other than a Sentinel answers there: look at redis_url."};
    }
    answer.master.host = address[0].text;
    answer.there = true;
    for (const Reply& one : replies[1].elements) {  // pairs of a field's name and its value
      Sentinel other{.at = {}, .wants_credentials = sentinel.wants_credentials, .silent = false};
      other.at.port = 0;
      for (std::size_t i = 0; i + 1 < one.elements.size(); i += 2) {
        const std::string& value = one.elements[i + 1].text;
        if (one.elements[i].text == "ip") other.at.host = value;
        if (one.elements[i].text == "port")
          (void)std::from_chars(value.data(), value.data() + value.size(), other.at.port);
      }
      if (other.at.port != 0 && is_host(other.at.host)) more.push_back(std::move(other));
    }
  } catch (const CacheError& error) {
    answer.error = error.share();
  }
  return answer;
}

template <class CascorWhenUsed>
void MasterFinder<CascorWhenUsed>::look_around(NodeList<CascorWhenUsed>& list, Deadline by) {
  by = Deadline::sooner(by, {by.clock(), 2 * detail::patience_with_a_sentinel});
  std::vector<Sentinel> sentinels;
  {
    const std::lock_guard lock{mutex_};
    sentinels = sentinels_;
  }
  Batch<CascorWhenUsed> batch;
  for (const char* what : {"MASTER", "REPLICAS", "SENTINELS"}) {
    batch.add({redis::Answer::any}, "SENTINEL", what, master_name_);
  }
  bool told = false;
  for (const Sentinel& sentinel : sentinels) {
    if (told) {
      NodeState& known = list.at("sentinel", sentinel.at);
      if (sentinel.silent) known.state = "down";
      continue;
    }
    try {
      const Deadline soon =
          Deadline::sooner({by.clock(), by.remaining() / 2}, {by.clock(), detail::patience_with_a_sentinel});
      Connection<CascorWhenUsed> connection{options_for(sentinel), soon, &stopper_};
      const std::vector<Reply> replies = connection.execute(batch, soon);
      list.add_told("master", replies[0]);
      list.add_told("replica", replies[1]);
      list.at("sentinel", sentinel.at).state = "up";
      list.add_told("sentinel", replies[2]);
      told = true;
    } catch (const CacheError& error) {
      NodeState& away = list.at("sentinel", sentinel.at);
      away.state = "down";
      away.last_error = error.what();
    }
  }
}

template <class CascorWhenUsed>
void MasterFinder<CascorWhenUsed>::doubt() {
  const std::lock_guard lock{mutex_};
  const auto answers = [](const Sentinel& one) { return !one.silent; };
  auto end = std::find_if_not(sentinels_.begin(), sentinels_.end(), answers);
  if (end - sentinels_.begin() < 2) end = sentinels_.end();
  std::rotate(sentinels_.begin(), sentinels_.begin() + 1, end);
}

template <class CascorWhenUsed>
RedisOptions MasterFinder<CascorWhenUsed>::next_sentinel() {
  const std::lock_guard lock{mutex_};
  return options_for(sentinels_[next_++ % sentinels_.size()]);
}

#if defined(CASCOR_CACHE_COMPILED)
template class MasterFinder<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
