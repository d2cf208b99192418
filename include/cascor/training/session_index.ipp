#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <limits>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/script.hpp"
#include "cascor/redis/server_error.hpp"
#include "cascor/training/session_index.hpp"
#include "cascor/training/session_scripts.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

inline constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::max();

template <class CascorWhenUsed>
std::int64_t SessionIndex<CascorWhenUsed>::now_ms() const {
  return std::chrono::floor<std::chrono::milliseconds>(engine_.clock().wall().time_since_epoch()).count();
}

template <class CascorWhenUsed>
std::string SessionIndex<CascorWhenUsed>::key_of(std::string_view user) const {
  return engine_.key_space().text(Prefix::session) + "user:" + std::string{user};
}

template <class CascorWhenUsed>
template <class Call>
bool SessionIndex<CascorWhenUsed>::remotely(const Call& call) {
  const auto after_replay = [&](KeyValueStore& store, Deadline by) {
    replay(store, by);
    call(store, by);
  };
  return engine_.remotely(RemoteCallOf{after_replay}, whenever);
}

template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::add_remotely(KeyValueStore& store, const std::string& key, std::string_view id,
                                                std::int64_t expires_ms, Deadline by) const {
  const std::int64_t now = now_ms();
  const bool forever = expires_ms == never_ms;
  const std::string score = forever ? "+inf" : std::to_string(expires_ms);
  const std::string oldest = std::to_string(now - slack_ms);
  const std::string ttl = forever ? "0" : std::to_string(std::max<std::int64_t>(expires_ms - now, 0) + slack_ms);
  const std::array<std::string_view, 4> arguments{score, id, oldest, ttl};
  (void)redis::run_script(store, enter_script, key, arguments, by);
}

template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::remove_remotely(KeyValueStore& store, const std::string& key, const Ids& ids,
                                                   Deadline by) const {
  constexpr std::size_t most = 512;
  for (std::size_t at = 0; at < ids.size(); at += most) {
    std::vector<std::string_view> words{"ZREM", key};
    for (std::size_t i = at; i < std::min(ids.size(), at + most); ++i) words.emplace_back(ids[i]);
    const Reply reply = store.command(words, by);
    if (reply.is_error()) redis::server_error(reply.text)->raise();
  }
}

template <class CascorWhenUsed>
auto SessionIndex<CascorWhenUsed>::ids_remotely(KeyValueStore& store, const std::string& key, Deadline by) const
    -> Ids {
  const std::string oldest = std::to_string(now_ms() - slack_ms);
  const std::array<std::string_view, 1> arguments{oldest};
  Reply reply = redis::run_script(store, list_script, key, arguments, by);
  Ids ids;
  for (Reply& id : reply.elements) ids.push_back(std::move(id.text));
  return ids;
}

template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::add(std::string_view user, std::string_view id, milliseconds ttl) {
  const std::int64_t expires_ms = ttl == no_expiry ? never_ms : now_ms() + ttl.count();
  if (remotely([&](KeyValueStore& store, Deadline by) { add_remotely(store, key_of(user), id, expires_ms, by); })) {
    return;
  }
  const std::lock_guard lock{mutex_};
  Entry& entry = here_.users[std::string{user}][std::string{id}];
  if (entry.expires_ms == 0) ++entries_;
  entry = {expires_ms, false};
  waiting_ = true;
  if (engine_.events() == nullptr) sweep();
}

template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::remove(std::string_view user, const Ids& ids) {
  if (ids.empty()) return;
  if (remotely([&](KeyValueStore& store, Deadline by) { remove_remotely(store, key_of(user), ids, by); })) return;
  const bool remote = engine_.events() != nullptr;
  const std::lock_guard lock{mutex_};
  for (const std::string& id : ids) {
    if (remote) {
      here_.users[std::string{user}][id] = {now_ms(), true};
      waiting_ = true;
    } else if (const auto of_user = here_.users.find(std::string{user}); of_user != here_.users.end()) {
      entries_ -= of_user->second.erase(id);
      if (of_user->second.empty()) here_.users.erase(of_user);
    }
  }
}

template <class CascorWhenUsed>
auto SessionIndex<CascorWhenUsed>::of(std::string_view user) -> Ids {
  Ids ids;
  if (remotely([&](KeyValueStore& store, Deadline by) { ids = ids_remotely(store, key_of(user), by); })) return ids;
  const std::int64_t oldest = now_ms() - slack_ms;
  std::vector<std::pair<std::int64_t, std::string>> by_expiry;
  {
    const std::lock_guard lock{mutex_};
    const auto of_user = here_.users.find(std::string{user});
    if (of_user == here_.users.end()) return {};
    for (const auto& [id, entry] : of_user->second) {
      if (!entry.removed && entry.expires_ms >= oldest) by_expiry.emplace_back(entry.expires_ms, id);
    }
  }
  std::sort(by_expiry.begin(), by_expiry.end());
  ids.clear();
  for (auto& [expires, id] : by_expiry) ids.push_back(std::move(id));
  return ids;
}

template <class CascorWhenUsed>
auto SessionIndex<CascorWhenUsed>::take_all(std::string_view user) -> Ids {
  Ids ids = of(user);
  if (engine_.events() != nullptr && !engine_.is_served_remotely()) {
    const std::lock_guard lock{mutex_};
    here_.ended.insert(std::string{user});
    waiting_ = true;
  }
  return ids;
}

template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::replay(KeyValueStore& store, Deadline by) {
  if (!waiting_.load(std::memory_order_acquire) || !waiting_.exchange(false)) return;
  Changes changes;
  {
    const std::lock_guard lock{mutex_};
    changes = std::exchange(here_, {});
    entries_ = 0;
  }
  try {
    while (!changes.ended.empty()) {
      const std::string& user = *changes.ended.begin();
      const auto made_since = changes.users.find(user);
      Ids ids = ids_remotely(store, key_of(user), by);
      if (made_since != changes.users.end()) {
        std::erase_if(ids, [&](const std::string& id) {
          const auto entry = made_since->second.find(id);
          return entry != made_since->second.end() && !entry->second.removed;
        });
      }
      std::vector<std::string> keys;
      for (const std::string& id : ids) keys.push_back(engine_.key_space().text(Prefix::session) + id);
      const std::vector<std::string_view> views{keys.begin(), keys.end()};
      (void)store.erase_many(views, by);
      remove_remotely(store, key_of(user), ids, by);
      changes.ended.erase(changes.ended.begin());
    }
    while (!changes.users.empty()) {
      auto& [user, entries] = *changes.users.begin();
      while (!entries.empty()) {
        const auto& [id, entry] = *entries.begin();
        if (entry.removed) {
          remove_remotely(store, key_of(user), {id}, by);
        } else if (entry.expires_ms > now_ms()) {
          add_remotely(store, key_of(user), id, entry.expires_ms, by);
        }
        entries.erase(entries.begin());
      }
      changes.users.erase(changes.users.begin());
    }
  } catch (...) {
    put_back(std::move(changes));
    throw;
  }
}

// Behind what has come since.
template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::put_back(Changes changes) {
  const std::lock_guard lock{mutex_};
  for (auto& [user, entries] : changes.users) here_.users[user].merge(entries);
  here_.ended.merge(changes.ended);
  waiting_ = true;
}

// Under the lock. What has expired goes, all of it, each time that as much has come as was left by the last time.
template <class CascorWhenUsed>
void SessionIndex<CascorWhenUsed>::sweep() {
  constexpr std::size_t few = 1000;
  if (entries_ < 2 * swept_ + few) return;
  const std::int64_t oldest = now_ms() - slack_ms;
  for (auto of_user = here_.users.begin(); of_user != here_.users.end();) {
    entries_ -= std::erase_if(of_user->second, [&](const auto& entry) { return entry.second.expires_ms < oldest; });
    of_user = of_user->second.empty() ? here_.users.erase(of_user) : std::next(of_user);
  }
  swept_ = entries_;
}

#if defined(CASCOR_CACHE_COMPILED)
template class SessionIndex<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
