#pragma once

#include <algorithm>
#include <utility>

#include "cascor/redis/server_error.hpp"
#include "cascor/redis/tag_commands.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
void TagCommands<CascorWhenUsed>::before(Batch<CascorWhenUsed>& batch, std::size_t entry) {
  if (entries_[entry].only_if == OnlyIf::always) take_out(batch, entry);
  sets_.push_back(batch.commands());
  add(entry);
}

template <class CascorWhenUsed>
void TagCommands<CascorWhenUsed>::take_out(Batch<CascorWhenUsed>& batch, std::size_t entry) const {
  for (const std::string& tag : entries_[entry].former_tags)
    batch.add({Answer::integer}, "ZREM", tag, entries_[entry].key);
}

template <class CascorWhenUsed>
void TagCommands<CascorWhenUsed>::after(Batch<CascorWhenUsed>& batch, std::span<const StoreOutcome> outcomes) const {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].stored && entries_[i].only_if != OnlyIf::always) take_out(batch, i);
  }
}

template <class CascorWhenUsed>
void TagCommands<CascorWhenUsed>::add(std::size_t entry) {
  for (const std::string& tag : entries_[entry].tags) tagged_.push_back({tag, entry, 0});
}

// The server's clock decides, as it does for the keys: the caller's may be another one.
template <class CascorWhenUsed>
void TagCommands<CascorWhenUsed>::behind(Batch<CascorWhenUsed>& batch) {
  constexpr std::string_view script =
      "local t = redis.call('TIME') "
      "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
      "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now)) "
      "for i = 1, #ARGV, 2 do "
      "local at = ARGV[i] == '0' and '+inf' or string.format('%.0f', now + ARGV[i]) "
      "redis.call('ZADD', KEYS[1], at, ARGV[i + 1]) end "
      "local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] "
      "if last == 'inf' then redis.call('PERSIST', KEYS[1]) "
      "else redis.call('PEXPIREAT', KEYS[1], last) end "
      "return #ARGV / 2";
  std::stable_sort(tagged_.begin(), tagged_.end(), [](const Tagged& a, const Tagged& b) { return a.tag < b.tag; });
  std::vector<std::string> ttls;
  std::vector<std::string_view> words;
  for (auto from = tagged_.begin(); from != tagged_.end();) {
    const auto to = std::find_if(from, tagged_.end(), [&](const Tagged& one) { return one.tag != from->tag; });
    ttls.clear();
    ttls.reserve(static_cast<std::size_t>(to - from));  // they are looked at until the command is written
    words.assign({"EVAL", script, "1", from->tag});
    for (auto one = from; one != to; ++one) {
      one->command = batch.commands();
      words.push_back(ttls.emplace_back(std::to_string(entries_[one->entry].ttl.count())));
      words.push_back(entries_[one->entry].key);
    }
    batch.add_words({Answer::integer}, words);
    from = to;
  }
}

template <class CascorWhenUsed>
std::vector<std::string_view> TagCommands<CascorWhenUsed>::outcomes(std::span<const Reply> replies,
                                                                    std::vector<StoreOutcome>& to) const {
  const std::size_t first = to.size();
  for (const std::size_t set : sets_) {
    const Reply& reply = replies[set];
    to.push_back({reply.kind == Reply::Kind::status, reply.is_error() ? server_error(reply.text) : nullptr});
  }
  std::vector<std::string_view> untagged;
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const StoreEntry& entry = entries_[i];
    if (to[first + i].error && entry.only_if == OnlyIf::always && !entry.former_tags.empty()) {
      untagged.push_back(entry.key);
    }
  }
  for (const Tagged& one : tagged_) {
    const Reply& reply = replies[one.command];
    StoreOutcome& outcome = to[first + one.entry];
    if (!reply.is_error()) continue;
    if (outcome.stored) untagged.push_back(entries_[one.entry].key);
    outcome = {false, server_error(reply.text)};
  }
  return untagged;
}

CASCOR_CACHE_DEF void erase_at_once(Batch<CascorWhenUsed>& batch, std::string_view tag,
                                    std::span<const std::string> members, std::span<const std::string_view> keys) {
  constexpr std::string_view script =
      "local gone = 0 "
      "for i = 2, #KEYS do gone = gone + redis.call('UNLINK', KEYS[i]) end "
      "redis.call('ZREM', KEYS[1], unpack(ARGV)) "
      "return gone";
  const std::string count = std::to_string(keys.size() + 1);
  cascor::detail::Dependent<std::vector<std::string_view>, CascorWhenUsed> words{"EVAL", script, count, tag};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), members.begin(), members.end());
  batch.add_words({Answer::integer}, words);
}

#if defined(CASCOR_CACHE_COMPILED)
template class TagCommands<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
