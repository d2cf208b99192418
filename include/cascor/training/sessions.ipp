#pragma once

#include <array>
#include <chrono>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/script.hpp"
#include "cascor/training/message.hpp"
#include "cascor/training/session_id.hpp"
#include "cascor/training/session_index.hpp"
#include "cascor/training/session_scripts.hpp"
#include "cascor/training/sessions.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

// What keeps Redis from an answer: thrown with `strict`, else the result's. False: memory is to be asked.
template <class Call>
bool asked_remotely(Engine& engine, std::shared_ptr<const CacheError>& error, const Call& call) {
  try {
    return engine.remotely(RemoteCallOf{call}, whenever);
  } catch (const CacheError& failed) {
    if (engine.config().strict) throw;
    error = failed.share();
    return true;
  }
}

template <class CascorWhenUsed>
SessionIndex<CascorWhenUsed>& session_index(Engine& engine) {
  return engine.above().template get<SessionIndex<CascorWhenUsed>>(engine);
}

}  // namespace detail

template <class CascorWhenUsed>
void Sessions<CascorWhenUsed>::check_user(std::string_view user) {
  constexpr std::size_t most = 900;  // with the prefix no longer than a key may be
  if (user.empty() || user.size() > most) {
    throw DataError{
        user.empty() ? "a session without a user" : "a user's name of " + std::to_string(user.size()) + " bytes",
        "Name the user by 1 to 900 bytes."};
  }
}

template <class CascorWhenUsed>
std::string Sessions<CascorWhenUsed>::key_of(const detail::Engine& engine, std::string_view id) {
  return engine.key_space().text(Prefix::session) + std::string{id};
}

template <class CascorWhenUsed>
auto Sessions<CascorWhenUsed>::find(detail::Engine& engine, const std::string& key, bool slide) -> Kept {
  Kept kept;
  const milliseconds ttl = engine.config().prefix_ttl.session;
  const std::string sliding = std::to_string(slide ? ttl.count() : 0);
  const bool asked = detail::asked_remotely(engine, kept.error, [&](KeyValueStore& store, Deadline by) {
    detail::session_index<CascorWhenUsed>(engine).replay(store, by);
    const std::array<std::string_view, 1> arguments{sliding};
    Reply reply = redis::run_script(store, detail::slide_script, key, arguments, by);
    kept.text = reply.is_nil() ? nullptr : std::make_shared<const std::string>(std::move(reply.text));
  });
  if (asked) {
    if (kept.error) kept.facts.status = CacheStatus::error;
    if (!kept.text) return kept;
    kept.facts.status = CacheStatus::hit;
    kept.facts.tier = CacheTier::redis;
  } else {
    kept.found = engine.read(Prefix::session, key, detail::whenever);
    kept.facts = kept.found.facts;
    kept.error = kept.found.error;
    if (kept.found.stored() != nullptr) kept.text = kept.found.stored()->bytes();
    if (kept.found.bytes) kept.text = kept.found.bytes;
    if (!kept.text) return kept;
    if (slide) (void)engine.touch(Prefix::session, key, ttl, detail::whenever);
  }
  if (slide) kept.facts.ttl = ttl == no_expiry ? std::nullopt : std::optional{ttl};
  return kept;
}

template <class CascorWhenUsed>
CacheResult<Session> Sessions<CascorWhenUsed>::get(std::string_view id) {
  auto session = read(id);
  engine().count_read(Prefix::session, session.status());
  return session;
}

template <class CascorWhenUsed>
CacheResult<Session> Sessions<CascorWhenUsed>::read(std::string_view id) {
  if (!detail::is_session_id(id)) return {};
  detail::Engine& engine = this->engine();
  if (!engine.config().enabled) {
    ReadFacts facts;
    facts.status = CacheStatus::disabled;
    return CacheResult<Session>{facts};
  }
  const std::string key = key_of(engine, id);
  Kept kept = find(engine, key, true);
  if (!kept.text) return CacheResult<Session>{kept.facts, kept.error};
  std::shared_ptr<Session> session;
  try {
    session = std::make_shared<Session>(detail::decode_session(*kept.text));
  } catch (const DataError& error) {
    kept.facts.status = CacheStatus::error;
    return CacheResult<Session>{kept.facts, error.share()};
  }
  note_use(engine, key, id, kept, *session);
  session->last_seen = engine.clock().wall();
  return {std::move(session), kept.facts, kept.error};
}

// The first use in each minute writes down when the session was used, for others to read, and how long it lives then.
template <class CascorWhenUsed>
void Sessions<CascorWhenUsed>::note_use(detail::Engine& engine, const std::string& key, std::string_view id,
                                        const Kept& kept, const Session& session) {
  const WallTime now = engine.clock().wall();
  if (std::chrono::floor<std::chrono::minutes>(now) == std::chrono::floor<std::chrono::minutes>(session.last_seen)) {
    return;
  }
  Session used = session;
  used.last_seen = now;
  try {
    const Text text = detail::encode_session(used);
    bool remote = false;
    // Where it was changed meanwhile, that change says when.
    (void)swap(engine, key, *kept.text, text, remote);
    if (!remote && kept.found.held) {
      engine.remember(key, kept.found, detail::StoredValue{std::make_shared<const Text>(text)});
    }
    detail::session_index<CascorWhenUsed>(engine).add(session.user, id, engine.config().prefix_ttl.session);
  } catch (const CacheError&) {  // the session was read all the same
    if (engine.config().strict) throw;
  }
}

// Puts one text in the place of another, if that is still there.
template <class CascorWhenUsed>
bool Sessions<CascorWhenUsed>::swap(detail::Engine& engine, const std::string& key, const std::string& old_text,
                                    const std::string& new_text, bool& remote) {
  bool swapped = false;
  const auto call = [&](KeyValueStore& store, Deadline by) {
    const std::string ttl = std::to_string(engine.config().prefix_ttl.session.count());
    const std::array<std::string_view, 3> arguments{old_text, new_text, ttl};
    swapped = redis::run_script(store, detail::swap_script, key, arguments, by).integer == 1;
  };
  remote = engine.remotely(detail::RemoteCallOf{call}, detail::whenever);
  if (remote) engine.changed(key);
  return swapped;
}

template <class CascorWhenUsed>
bool Sessions<CascorWhenUsed>::store(detail::Engine& engine, std::string_view id, const Session& session) {
  const std::string key = key_of(engine, id);
  const milliseconds ttl = engine.config().prefix_ttl.session;
  const Text text = detail::encode_session(session);
  std::shared_ptr<const CacheError> error;
  const bool asked = detail::asked_remotely(engine, error, [&](KeyValueStore& remote, Deadline by) {
    StoreEntry entry;
    entry.key = key;
    entry.bytes = text;
    entry.ttl = ttl;
    for (const auto& outcome : remote.set_many({&entry, 1}, by)) {
      if (outcome.error) outcome.error->raise();
    }
  });
  if (asked) return error == nullptr;
  detail::Write write;
  write.key = key;
  write.prefix = Prefix::session;
  write.value = detail::StoredValue{std::make_shared<const Text>(text)};
  write.ttl = ttl;
  const auto stored = engine.write({&write, 1}, detail::whenever);
  return stored.front() || stored.front().tier() != CacheTier::none;
}

template <class CascorWhenUsed>
std::string Sessions<CascorWhenUsed>::create(std::string_view user, const json& data) {
  check_user(user);
  detail::Engine& engine = this->engine();
  const WallTime now = engine.clock().wall();
  const Session session{std::string{user}, data, now, now};
  (void)detail::encode_session(session);  // throws before anything is stored
  if (!engine.config().enabled) return {};
  std::string id = detail::new_session_id();
  try {
    // Entered first: a session that is nowhere entered could not be ended with the others of its user.
    detail::session_index<CascorWhenUsed>(engine).add(user, id, engine.config().prefix_ttl.session);
    return store(engine, id, session) ? id : std::string{};
  } catch (const DataError&) {
    throw;
  } catch (const CacheError&) {
    if (engine.config().strict) throw;
    return {};
  }
}

template <class CascorWhenUsed>
bool Sessions<CascorWhenUsed>::update(std::string_view id, const json& data) {
  const std::string checked = detail::encode_message(data);
  detail::Engine& engine = this->engine();
  if (!detail::is_session_id(id) || !engine.config().enabled) return false;
  const std::string key = key_of(engine, id);
  constexpr int most_attempts = 100;  // each one but the last was overtaken by another change
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const Kept kept = find(engine, key, true);
    if (!kept.text) return false;
    Session session;
    try {
      session = detail::decode_session(*kept.text);
    } catch (const DataError&) {
      return false;
    }
    session.data = data;
    session.last_seen = engine.clock().wall();
    const Text text = detail::encode_session(session);
    std::shared_ptr<const CacheError> error;
    bool swapped = false;
    bool remote = false;
    try {
      swapped = swap(engine, key, *kept.text, text, remote);
    } catch (const CacheError&) {
      if (engine.config().strict) throw;
      return false;
    }
    if (swapped) return true;
    if (remote) continue;
    detail::Write write;
    write.key = key;
    write.prefix = Prefix::session;
    write.value = detail::StoredValue{std::make_shared<const Text>(text)};
    write.ttl = engine.config().prefix_ttl.session;
    write.only_if = OnlyIf::present;
    const auto stored = engine.write({&write, 1}, detail::whenever);
    return stored.front() || stored.front().tier() != CacheTier::none;
  }
  return false;
}

template <class CascorWhenUsed>
bool Sessions<CascorWhenUsed>::destroy(std::string_view id) {
  if (!detail::is_session_id(id)) return false;
  detail::Engine& engine = this->engine();
  const std::string key = key_of(engine, id);
  const Kept kept = find(engine, key, false);
  const bool ended = engine.erase(key, detail::whenever);
  if (!kept.text) return ended;
  try {
    detail::session_index<CascorWhenUsed>(engine).remove(detail::decode_session(*kept.text).user, {std::string{id}});
  } catch (const CacheError&) {  // it drops out of there with its time
  }
  return ended;
}

template <class CascorWhenUsed>
std::string Sessions<CascorWhenUsed>::regenerate(std::string_view id) {
  const auto session = read(id);
  if (!session) return {};
  detail::Engine& engine = this->engine();
  std::string fresh = detail::new_session_id();
  try {
    detail::session_index<CascorWhenUsed>(engine).add(session->user, fresh, engine.config().prefix_ttl.session);
    if (!store(engine, fresh, *session)) return {};
  } catch (const CacheError&) {
    if (engine.config().strict) throw;
    return {};
  }
  if (destroy(id)) return fresh;
  destroy(fresh);  // it ended meanwhile, and ends with this
  return {};
}

template <class CascorWhenUsed>
auto Sessions<CascorWhenUsed>::of_user(std::string_view user) -> Ids {
  check_user(user);
  detail::Engine& engine = this->engine();
  if (!engine.config().enabled) return {};
  Ids ids;
  try {
    ids = detail::session_index<CascorWhenUsed>(engine).of(user);
  } catch (const CacheError&) {
    if (engine.config().strict) throw;
    return {};
  }
  std::vector<std::string> keys;
  for (const std::string& id : ids) keys.push_back(key_of(engine, id));
  const std::vector<std::string_view> views{keys.begin(), keys.end()};
  const auto found = engine.read_many(views, detail::whenever);
  Ids alive;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (found[i].held || found[i].bytes) alive.push_back(std::move(ids[i]));
  }
  return alive;
}

template <class CascorWhenUsed>
std::size_t Sessions<CascorWhenUsed>::destroy_all(std::string_view user) {
  check_user(user);
  detail::Engine& engine = this->engine();
  if (!engine.config().enabled) return 0;
  auto& index = detail::session_index<CascorWhenUsed>(engine);
  std::size_t ended = 0;
  try {
    const Ids ids = index.take_all(user);
    for (const std::string& id : ids) {
      if (engine.erase(key_of(engine, id), detail::whenever)) ++ended;
    }
    index.remove(user, ids);
  } catch (const CacheError& error) {
    if (engine.config().strict) throw;
    engine.log().warning(std::string{"Not all sessions of a user were ended: "} + error.what());
  }
  return ended;
}

CASCOR_CACHE_DEF void to_json(json& into, const Session& session) {
  into = detail::Dependent<json, CascorWhenUsed>::parse(detail::encode_session(session));
}

#if defined(CASCOR_CACHE_COMPILED)
template class Sessions<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI
