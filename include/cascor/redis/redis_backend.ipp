#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <unordered_set>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/redis/command_rules.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/server_error.hpp"
#include "cascor/redis/tag_commands.hpp"
#include "cascor/redis/value_notes.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// How many keys one command or one pipeline takes: enough that the round trip no longer counts, few enough that no
// other client waits long for its turn.
inline constexpr std::size_t keys_a_batch = 512;
inline constexpr std::size_t bytes_a_batch = std::size_t{1} << 20;
inline constexpr std::size_t keys_a_page = 1'000;
inline constexpr std::string_view keys_a_scan = "1000";
inline constexpr std::size_t keys_to_share = 16;  // an MGET of more has a connection of its own

inline constexpr Answer ok{Answer::status};
inline constexpr Answer status_or_nil{Answer::status_or_nil};

// UNLINK and EXISTS answer how many of the keys asked were there.
CASCOR_CACHE_FN std::size_t count_in(const Reply& reply, std::size_t at_most) {
  if (reply.integer < 0 || static_cast<std::uint64_t>(reply.integer) > at_most) {
    throw ResponseError{
        "an answer that cannot be: " + std::to_string(reply.integer) + " of " + std::to_string(at_most) + " keys",
        "Something between this program and Redis changes its answers: look at proxies."};
  }
  return static_cast<std::size_t>(reply.integer);
}

// SCAN's place to go on from: a decimal number, and nothing else is sent back to the server.
CASCOR_CACHE_FN const std::string& cursor_in(const Reply& reply) {
  const std::string& cursor = reply.text;
  if (reply.kind != Reply::Kind::string || cursor.empty() || cursor.size() > 20 ||
      cursor.find_first_not_of("0123456789") != std::string::npos) {
    throw ResponseError{"an answer to SCAN without a cursor",
                        "Something between this program and Redis changes its answers: look at proxies."};
  }
  return cursor;
}

// One "name:value" line of INFO.
CASCOR_CACHE_FN std::string info_field(std::string_view info, std::string_view name) {
  for (std::size_t at = info.find(name); at != std::string_view::npos; at = info.find(name, at + 1)) {
    const bool starts_line = at == 0 || info[at - 1] == '\n';
    if (!starts_line || !info.substr(at + name.size()).starts_with(':')) continue;
    const std::string_view value = info.substr(at + name.size() + 1);
    return std::string{value.substr(0, value.find_first_of("\r\n"))};
  }
  return {};
}

CASCOR_CACHE_FN std::int64_t to_integer(std::string_view text) noexcept {
  std::int64_t value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// By its text: a batch does not wait for the answer that a server does not know it.
inline constexpr std::string_view in_place_script =
    "local held = redis.call('GET', KEYS[1]) "
    "if held and held ~= ARGV[3] and held ~= ARGV[1] or not held and ARGV[4] == 'XX' then return false end "
    "if ARGV[2] == '0' then return redis.call('SET', KEYS[1], ARGV[1]) end "
    "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])";

template <class CascorWhenUsed>
void add_in_place(Batch<CascorWhenUsed>& batch, const StoreEntry& entry) {
  batch.add({Answer::status_or_nil}, "EVAL", in_place_script, "1", entry.key, entry.bytes,
            std::to_string(entry.ttl.count()), *entry.in_place_of, entry.only_if == OnlyIf::present ? "XX" : "");
}

// What the commands of one batch may take at most.
CASCOR_CACHE_FN std::size_t bytes_to_set(std::span<const StoreEntry> entries) noexcept {
  constexpr std::size_t around_a_value = 128;  // SET, PX, NX, the lengths
  std::size_t bytes = 0;
  for (const StoreEntry& entry : entries.first(std::min(entries.size(), keys_a_batch))) {
    if (bytes > bytes_a_batch) break;
    bytes += entry.key.size() + entry.bytes.size() + around_a_value;
    if (entry.in_place_of) bytes += entry.in_place_of->size() + in_place_script.size();
  }
  return bytes;
}

// What PTTL said: nothing where there is no such key, or no answer. A key that is in its last millisecond has 0 left,
// which is not "no expiry".
CASCOR_CACHE_FN std::optional<milliseconds> ttl_in(const Reply& reply) {
  if (reply.kind != Reply::Kind::integer || reply.integer == -2) return std::nullopt;
  return reply.integer < 0 ? no_expiry : milliseconds{std::max<std::int64_t>(reply.integer, 1)};
}

}  // namespace detail

template <class CascorWhenUsed>
std::vector<Reply> RedisBackend<CascorWhenUsed>::run(const Batch<CascorWhenUsed>& batch, const Terms& terms,
                                                     Deadline by) {
  std::vector<Reply> replies(batch.commands());
  run(batch, replies, terms, by);
  return replies;
}

template <class CascorWhenUsed>
Reply RedisBackend<CascorWhenUsed>::run_one(const Batch<CascorWhenUsed>& batch, const Terms& terms, Deadline by) {
  Reply reply;
  run(batch, {&reply, 1}, terms, by);
  if (reply.is_error()) server_error(reply.text)->raise();
  return reply;
}

template <class CascorWhenUsed>
std::vector<Reply> RedisBackend<CascorWhenUsed>::run_on(const Server& server, const Commands& batch, const Terms& terms,
                                                        Deadline by) {
  std::vector<Reply> replies(batch.commands());
  servers_->run_on(server, batch, replies, terms, by);
  for (const Reply& reply : replies) {
    if (reply.is_error()) server_error(reply.text)->raise();
  }
  return replies;
}

// What moves from one server to another meanwhile may be missed on both: then all of them are walked again, as where
// one could not be asked any more because another one has its place.
template <class CascorWhenUsed>
template <class Walk>
void RedisBackend<CascorWhenUsed>::on_every_master(const std::function<Deadline()>& next_deadline, const Walk& walk) {
  constexpr int most_walks = 4;
  for (int walks = 0; walks < most_walks; ++walks) {
    const auto masters = servers_->masters(next_deadline());
    std::exception_ptr failed;
    try {
      for (const Server& server : masters.servers) walk(server);
    } catch (const CacheError&) {
      failed = std::current_exception();
    }
    const bool same = servers_->masters(next_deadline()).version == masters.version;
    if (failed && (same || walks + 1 == most_walks)) std::rethrow_exception(failed);
    if (same) return;
  }
}

template <class CascorWhenUsed>
StoreAnswer RedisBackend<CascorWhenUsed>::get(std::string_view key, Deadline by) {
  Batch<CascorWhenUsed> batch;
  batch.add({Answer::string}, "GET", key);
  Reply reply;
  run(batch, {&reply, 1}, {}, by);
  if (reply.is_error()) return {std::nullopt, server_error(reply.text), {}};
  if (reply.is_nil()) return {};
  if (witness_ != nullptr) witness_->saw(key, reply.text);
  return {std::move(reply.text), nullptr, {}};
}

template <class CascorWhenUsed>
std::vector<cascor::detail::Dependent<StoreAnswer, CascorWhenUsed>> RedisBackend<CascorWhenUsed>::read_many(
    std::span<const std::string_view> keys, std::size_t asking, Deadline by, ValueWitness* told) {
  std::vector<cascor::detail::Dependent<StoreAnswer, CascorWhenUsed>> answers;
  answers.reserve(keys.size());
  Batch<CascorWhenUsed> batch;
  if (keys.size() == 1 && asking == 1) {  // the common case needs no vector but the answer's
    std::array<Reply, 2> replies;
    batch.add({Answer::string}, "GET", keys[0]).add({Answer::integer}, "PTTL", keys[0]);
    run(batch, replies, {}, by);
    StoreAnswer& answer = answers.emplace_back();
    if (replies[0].is_error()) {
      answer.error = server_error(replies[0].text);
    } else if (!replies[0].is_nil()) {
      if (told != nullptr) told->saw(keys[0], replies[0].text);
      answer.bytes = std::move(replies[0].text);
      answer.ttl = detail::ttl_in(replies[1]);
    }
    return answers;
  }
  std::vector<cascor::detail::Dependent<std::string_view, CascorWhenUsed>> arguments;
  for (std::size_t at = 0; at < keys.size(); at += detail::keys_a_batch) {
    const auto some = keys.subspan(at, std::min(detail::keys_a_batch, keys.size() - at));
    arguments.assign(1, "MGET");
    arguments.insert(arguments.end(), some.begin(), some.end());
    batch.add_words({Answer::array, some.size()}, arguments);
  }
  if (batch.commands() == 0) return answers;
  const std::size_t reads = batch.commands();
  for (const std::string_view key : keys.first(asking)) batch.add({Answer::integer}, "PTTL", key);
  std::vector<Reply> replies = run(batch, {.may_share = keys.size() <= detail::keys_to_share}, by);
  for (Reply& reply : std::span{replies}.first(reads)) {
    const std::size_t expected = std::min(detail::keys_a_batch, keys.size() - answers.size());
    if (reply.is_error()) {
      answers.insert(answers.end(), expected, StoreAnswer{std::nullopt, server_error(reply.text), {}});
      continue;
    }
    for (Reply& element : reply.elements) {
      if (told != nullptr && element.kind == Reply::Kind::string) told->saw(keys[answers.size()], element.text);
      StoreAnswer& answer = answers.emplace_back();
      if (element.is_error()) {  // of a cluster: what the node of its slot said
        answer.error = server_error(element.text);
      } else if (element.kind == Reply::Kind::string) {
        answer.bytes = std::move(element.text);
      }
    }
  }
  for (std::size_t i = 0; i < asking; ++i) {
    if (answers[i].bytes) answers[i].ttl = detail::ttl_in(replies[reads + i]);
  }
  return answers;
}

template <class CascorWhenUsed>
std::vector<cascor::detail::Dependent<StoreOutcome, CascorWhenUsed>> RedisBackend<CascorWhenUsed>::set_many(
    std::span<const StoreEntry> entries, Deadline by) {
  std::vector<cascor::detail::Dependent<StoreOutcome, CascorWhenUsed>> outcomes;
  outcomes.reserve(entries.size());
  while (outcomes.size() < entries.size()) {
    Batch<CascorWhenUsed> batch;
    auto repeat = Repeat::safe;
    const auto some = entries.subspan(outcomes.size());
    const bool tagged = std::any_of(some.begin(), some.end(), [](const StoreEntry& entry) {
      return !entry.tags.empty() || !entry.former_tags.empty();
    });
    TagCommands<CascorWhenUsed> tags{some};
    std::size_t written = 0;
    if (entries.size() > 1) batch.reserve(detail::bytes_to_set(entries.subspan(outcomes.size())));
    for (const StoreEntry& entry : some) {
      if (written == detail::keys_a_batch || batch.bytes().size() > detail::bytes_a_batch) break;
      if (tagged) tags.before(batch, written);
      ++written;
      if (witness_ != nullptr) witness_->sending(entry.key, entry.bytes);
      if (entry.in_place_of) {
        detail::add_in_place(batch, entry);
        continue;
      }
      std::array<std::string_view, 6> words{"SET", entry.key, entry.bytes};
      std::size_t count = 3;
      std::array<char, 24> ttl{};
      if (entry.ttl != no_expiry) {
        words[count++] = "PX";
        words[count++] = {ttl.data(), std::to_chars(ttl.data(), ttl.data() + ttl.size(), entry.ttl.count()).ptr};
      }
      if (entry.only_if != OnlyIf::always) words[count++] = entry.only_if == OnlyIf::absent ? "NX" : "XX";
      // Sent twice, the second NX would find what the first one wrote.
      if (entry.only_if == OnlyIf::absent) repeat = Repeat::unsafe;
      batch.add_words(detail::status_or_nil, std::span{words}.first(count));
    }
    const auto note = [&](std::span<const Reply> replies) {
      for (const Reply& reply : replies) {
        outcomes.push_back({reply.kind == Reply::Kind::status, reply.is_error() ? server_error(reply.text) : nullptr});
      }
    };
    if (tagged) {
      tags.behind(batch);
      const std::size_t first = outcomes.size();
      const auto untagged = tags.outcomes(run(batch, {.repeat = repeat}, by), outcomes);
      if (!untagged.empty()) (void)erase_many(untagged, by);
      Batch<CascorWhenUsed> rest;
      tags.after(rest, std::span{outcomes}.subspan(first));
      if (rest.commands() > 0) (void)run(rest, {}, by);
    } else if (Reply reply; batch.commands() == 1) {  // the common case needs no vector
      run(batch, {&reply, 1}, {.repeat = repeat}, by);
      note({&reply, 1});
    } else {
      note(run(batch, {.repeat = repeat}, by));
    }
  }
  for (std::size_t i = 0; witness_ != nullptr && i < outcomes.size(); ++i) {
    if (outcomes[i].stored) witness_->saw(entries[i].key, entries[i].bytes);
  }
  return outcomes;
}

template <class CascorWhenUsed>
std::optional<milliseconds> RedisBackend<CascorWhenUsed>::ttl(std::string_view key, Deadline by) {
  return detail::ttl_in(run_one(Batch<CascorWhenUsed>{}.add({Answer::integer}, "PTTL", key), {}, by));
}

template <class CascorWhenUsed>
bool RedisBackend<CascorWhenUsed>::touch(std::string_view key, milliseconds ttl, Deadline by) {
  if (ttl != no_expiry) {
    return run_one(Batch<CascorWhenUsed>{}.add({Answer::integer}, "PEXPIRE", key, std::to_string(ttl.count())), {}, by)
               .integer == 1;
  }
  // PERSIST answers 0 for a key without expiry too: EXISTS in the same step tells.
  constexpr std::string_view script = "redis.call('PERSIST', KEYS[1]) return redis.call('EXISTS', KEYS[1])";
  return run_one(Commands{}.add({Answer::integer}, "EVAL", script, "1", key), {}, by).integer == 1;
}

template <class CascorWhenUsed>
std::int64_t RedisBackend<CascorWhenUsed>::increment(std::string_view key, std::int64_t by_how_much, milliseconds ttl,
                                                     Deadline by) {
  constexpr std::string_view script =
      "local sum = redis.call('INCRBY', KEYS[1], ARGV[1]) "
      "if ARGV[2] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
      "return redis.call('GET', KEYS[1])";  // as text: a Lua number has 53 bits
  if (witness_ != nullptr) witness_->lost_track(key);
  const Reply reply = run_one(Batch<CascorWhenUsed>{}.add({Answer::string}, "EVAL", script, "1", key,
                                                          std::to_string(by_how_much), std::to_string(ttl.count())),
                              {.repeat = Repeat::unsafe}, by);
  if (witness_ != nullptr) witness_->saw(key, reply.text);
  return detail::to_integer(reply.text);
}

template <class CascorWhenUsed>
std::vector<std::string> RedisBackend<CascorWhenUsed>::keys(const std::string& pattern, std::size_t limit,
                                                            const std::function<bool(std::string_view)>& may_list,
                                                            const std::function<Deadline()>& next_deadline) {
  std::unordered_set<cascor::detail::Dependent<std::string, CascorWhenUsed>> found;  // SCAN may name a key twice
  on_every_master(next_deadline, [&](const Server& server) {
    std::string cursor = "0";
    do {
      if (found.size() >= limit) break;
      Commands batch;
      batch.add({Answer::array, 2}, "SCAN", cursor, "MATCH", pattern, "COUNT", detail::keys_a_scan);
      Reply page = std::move(run_on(server, batch, {.may_share = false}, next_deadline()).front());
      cursor = detail::cursor_in(page.elements[0]);
      for (Reply& key : page.elements[1].elements) {
        if (found.size() < limit && may_list(key.text)) found.insert(std::move(key.text));
      }
    } while (cursor != "0");
  });
  std::vector<cascor::detail::Dependent<std::string, CascorWhenUsed>> keys{found.begin(), found.end()};
  std::sort(keys.begin(), keys.end());
  return keys;
}

template <class CascorWhenUsed>
Reply RedisBackend<CascorWhenUsed>::command(std::span<const std::string_view> arguments, Deadline by) {
  const CommandRule rule = rule_for(arguments);
  if (rule.refused) {
    throw DataError{arguments.empty() ? std::string{"a command without a name"}
                                      : readable(arguments[0]) + " would change a connection that other calls use",
                    "Use the call that is made for it (subscribe, set_many, the configuration), or a connection of "
                    "your own."};
  }
  Batch<CascorWhenUsed> batch;
  batch.add_words({Answer::any}, arguments);
  if (witness_ != nullptr) note_sending(*witness_, arguments);
  Reply reply;
  run(batch, {&reply, 1}, {.repeat = rule.repeat, .may_share = rule.may_share}, by);
  if (witness_ != nullptr) note_answer(*witness_, arguments, reply);
  return reply;
}

template <class CascorWhenUsed>
std::size_t RedisBackend<CascorWhenUsed>::erase_many(std::span<const std::string_view> keys, Deadline by) {
  std::size_t erased = 0;
  std::vector<cascor::detail::Dependent<std::string_view, CascorWhenUsed>> arguments;
  for (std::size_t at = 0; at < keys.size(); at += detail::keys_a_batch) {
    const auto some = keys.subspan(at, std::min(detail::keys_a_batch, keys.size() - at));
    arguments.assign(1, "UNLINK");
    arguments.insert(arguments.end(), some.begin(), some.end());
    const Reply reply = run_one(Batch<CascorWhenUsed>{}.add_words({Answer::integer}, arguments), {}, by);
    erased += detail::count_in(reply, some.size());
  }
  return erased;
}

template <class CascorWhenUsed>
bool RedisBackend<CascorWhenUsed>::erase_with(std::string_view key, std::string_view also, Deadline by) {
  Commands batch;
  batch.add({Answer::integer}, "UNLINK", key).add({Answer::integer}, "UNLINK", also);
  std::array<Reply, 2> replies;
  run(batch, replies, {}, by);
  if (replies[0].is_error()) server_error(replies[0].text)->raise();
  return detail::count_in(replies[0], 1) == 1;
}

template <class CascorWhenUsed>
void RedisBackend<CascorWhenUsed>::retag(std::string_view key, std::span<const std::string> tags, milliseconds ttl,
                                         Deadline by) {
  const StoreEntry entry{key, {}, ttl, OnlyIf::always, tags, {}};
  TagCommands<CascorWhenUsed> commands{{&entry, 1}};
  Commands batch;
  commands.add(0);
  commands.behind(batch);
  for (const Reply& reply : run(batch, {}, by)) {
    if (reply.is_error()) server_error(reply.text)->raise();
  }
}

// By steps that may all be repeated, and that lose no member whose key is still there: where each is taken out together
// with its key, at once; on a cluster, whose keys are elsewhere, after it.
template <class CascorWhenUsed>
std::size_t RedisBackend<CascorWhenUsed>::erase_tagged(const std::string& tag,
                                                       const std::function<bool(std::string_view)>& may_erase,
                                                       const std::function<Deadline()>& next_deadline) {
  std::size_t erased = 0;
  for (std::size_t found = detail::keys_a_page; found == detail::keys_a_page;) {
    Commands read;
    read_tag(read, tag, std::to_string(detail::keys_a_page - 1));
    std::vector<std::string> members;
    for (Reply& member : run_one(read, {.may_share = false}, next_deadline()).elements) {
      members.push_back(std::move(member.text));
    }
    found = members.size();
    if (found == 0) break;
    std::vector<std::string_view> keys;  // the set is Redis's: what stands there may be anybody's
    for (const std::string& member : members) {
      if (may_erase(member)) keys.push_back(member);
    }
    Commands at_once;
    erase_at_once(at_once, tag, members, keys);
    Reply gone;
    run(at_once, {&gone, 1}, {.may_share = false}, next_deadline());
    if (!gone.is_error()) {
      erased += detail::count_in(gone, keys.size());
      continue;
    }
    if (!gone.text.starts_with("CROSSSLOT")) server_error(gone.text)->raise();
    Commands apart;
    for (const std::string_view key : keys) apart.add({Answer::integer}, "UNLINK", key);
    for (const Reply& one : run(apart, {.may_share = false}, next_deadline())) {
      if (one.is_error()) server_error(one.text)->raise();
      erased += detail::count_in(one, 1);
    }
    std::vector<std::string_view> words{"ZREM", tag};
    words.insert(words.end(), members.begin(), members.end());
    (void)run_one(Commands{}.add_words({Answer::integer}, words), {}, next_deadline());
  }
  return erased;
}

template <class CascorWhenUsed>
bool RedisBackend<CascorWhenUsed>::contains(std::string_view key, Deadline by) {
  return detail::count_in(run_one(Batch<CascorWhenUsed>{}.add({Answer::integer}, "EXISTS", key), {}, by), 1) == 1;
}

template <class CascorWhenUsed>
std::size_t RedisBackend<CascorWhenUsed>::erase_matching(const std::string& pattern,
                                                         const std::function<bool(std::string_view)>& may_erase,
                                                         const std::function<Deadline()>& next_deadline) {
  if (const GlobPrefix literal = glob_literal_prefix(pattern); literal.whole) {
    if (!may_erase(literal.text)) return 0;
    const std::string_view key = literal.text;
    return erase_many({&key, 1}, next_deadline());
  }
  // One round trip a page: what the last page found goes with the question for the next. UNLINK answers how many were
  // still there, so that a key that SCAN names twice, or that somebody else removed, counts once or not at all.
  std::size_t erased = 0;
  on_every_master(next_deadline, [&](const Server& server) {
    std::string cursor = "0";
    std::vector<std::string> found;
    do {
      Commands batch;
      batch.add({Answer::array, 2}, "SCAN", cursor, "MATCH", pattern, "COUNT", detail::keys_a_scan);
      std::vector<std::string_view> arguments{"UNLINK"};
      arguments.insert(arguments.end(), found.begin(), found.end());
      if (!found.empty()) batch.add_words({Answer::integer}, arguments);
      std::vector<Reply> replies = run_on(server, batch, {.may_share = false}, next_deadline());
      if (replies.size() > 1) erased += detail::count_in(replies[1], found.size());
      Reply& page = replies.front();
      cursor = detail::cursor_in(page.elements[0]);
      found.clear();
      for (Reply& key : page.elements[1].elements) {
        if (may_erase(key.text)) found.push_back(std::move(key.text));
      }
    } while (cursor != "0");
    const std::vector<std::string_view> rest{found.begin(), found.end()};
    erased += erase_many(rest, next_deadline());
  });
  return erased;
}

// Every master: a cache of which a part is away is not there.
template <class CascorWhenUsed>
void RedisBackend<CascorWhenUsed>::ping(Deadline by) {
  Commands batch;
  batch.add(detail::ok, "PING");
  for (const Server& server : servers_->masters(by).servers) {
    Reply reply;
    servers_->run_on(server, batch, {&reply, 1}, {.past_breaker = true}, by);
    // An account that may not PING is told so by a server that is there.
    if (reply.is_error() && !reply.text.starts_with("NOPERM")) server_error(reply.text)->raise();
  }
}

template <class CascorWhenUsed>
ServerInfo RedisBackend<CascorWhenUsed>::info(Deadline by) {
  ServerInfo info;
  const TimePoint start = std::chrono::steady_clock::now();
  ping(by);
  info.ping_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  // Section by section: several at once are understood from Redis 7 on only.
  constexpr Answer text{Answer::string};
  Batch<CascorWhenUsed> batch;
  batch.add(text, "INFO", "server").add(text, "INFO", "clients").add(text, "INFO", "memory");
  std::string all;
  for (const Reply& reply : run(batch, {.may_share = false}, by)) {
    if (reply.is_error()) info.info_error = readable(reply.text);
    all.append(reply.is_error() ? std::string{} : reply.text).push_back('\n');
  }
  info.version = readable(detail::info_field(all, "redis_version"));
  info.uptime_seconds = detail::to_integer(detail::info_field(all, "uptime_in_seconds"));
  info.connected_clients = detail::to_integer(detail::info_field(all, "connected_clients"));
  info.used_memory_human = readable(detail::info_field(all, "used_memory_human"));
  return info;
}

#if defined(CASCOR_CACHE_COMPILED)
template class RedisBackend<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
