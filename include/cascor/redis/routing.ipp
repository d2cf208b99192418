#pragma once

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "cascor/redis/command_rules.hpp"
#include "cascor/redis/routing.hpp"
#include "cascor/redis/slots.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// Between spaces, as in command_rules.
inline constexpr std::string_view commands_without_keys =
    " PING ECHO TIME INFO DBSIZE SCAN KEYS RANDOMKEY CLUSTER CONFIG CLIENT COMMAND ACL SCRIPT FUNCTION LATENCY SLOWLOG"
    " MODULE LASTSAVE SAVE BGSAVE BGREWRITEAOF ROLE WAIT WAITAOF LOLWUT PUBLISH PUBSUB MULTI EXEC DISCARD UNWATCH"
    " ASKING AUTH SELECT DEBUG SHUTDOWN FLUSHALL FLUSHDB SWAPDB REPLICAOF FAILOVER ";
inline constexpr std::string_view keys_after_one_word =
    " OBJECT MEMORY XINFO XGROUP BITOP ZDIFF ZINTER ZUNION ZINTERCARD SINTERCARD LMPOP ZMPOP ";
inline constexpr std::string_view keys_after_their_number = " EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO ";

}  // namespace detail

CASCOR_CACHE_DEF std::optional<cascor::detail::Dependent<std::size_t, CascorWhenUsed>> first_key(
    std::span<const std::string_view> words) noexcept {
  if (words.empty()) return std::nullopt;
  detail::UpperCase upper;
  upper.append(words[0]);
  const std::string_view name = upper.text();
  cascor::detail::Dependent<std::size_t, CascorWhenUsed> at = 1;
  if (detail::lists(detail::commands_without_keys, name)) return std::nullopt;
  if (detail::lists(detail::keys_after_one_word, name)) at = 2;
  if (detail::lists(detail::keys_after_their_number, name)) {
    if (words.size() < 4 || words[2] == "0") return std::nullopt;
    at = 3;
  }
  if (name == "XREAD" || name == "XREADGROUP") {
    for (at = 1; at < words.size(); ++at) {
      detail::UpperCase word;
      word.append(words[at]);
      if (word.text() == "STREAMS") break;
    }
    ++at;
  }
  return at < words.size() ? std::optional{at} : std::nullopt;
}

template <class CascorWhenUsed>
auto Routing<CascorWhenUsed>::commands_of(std::string_view bytes) -> std::vector<Words> {
  // The bytes are this library's own: "*<words>", then "$<length>" and the bytes of each.
  const auto number = [&bytes] {
    std::size_t value = 0;
    const auto end = std::from_chars(bytes.data() + 1, bytes.data() + bytes.size(), value).ptr;
    bytes.remove_prefix(static_cast<std::size_t>(end - bytes.data()) + 2);
    return value;
  };
  std::vector<Words> commands;
  while (!bytes.empty()) {
    Words& words = commands.emplace_back();
    for (std::size_t left = number(); left > 0; --left) {
      const std::size_t length = number();
      words.push_back(bytes.substr(0, length));
      bytes.remove_prefix(length + 2);
    }
  }
  return commands;
}

// All messages go through one node, so that every listener has them in the order of one server: a node hands on what it
// is given in its order, and two nodes in any.
template <class CascorWhenUsed>
void Routing<CascorWhenUsed>::send_for(Unit& unit, const Words& words) {
  if (const auto key = first_key(words)) {
    unit.slot = slot_of(words[*key]);
    return;
  }
  if (words.empty()) return;
  detail::UpperCase name;
  name.append(words[0]);
  unit.anywhere = name.text() == "PUBLISH";
  if (unit.anywhere) unit.slot = 0;
}

template <class CascorWhenUsed>
bool Routing<CascorWhenUsed>::is_split(const Words& words) noexcept {
  if (words.size() < 3) return false;
  detail::UpperCase name;
  name.append(words[0]);
  return detail::lists(" MGET UNLINK DEL EXISTS TOUCH ", name.text());
}

template <class CascorWhenUsed>
void Routing<CascorWhenUsed>::split(const Words& words, Answer answer, std::size_t place, std::vector<Unit>& into) {
  std::vector<std::pair<cascor::detail::Dependent<std::size_t, CascorWhenUsed>, std::size_t>>
      by_slot;  // slot, place of the key
  for (std::size_t i = 1; i < words.size(); ++i) by_slot.emplace_back(slot_of(words[i]), i - 1);
  std::sort(by_slot.begin(), by_slot.end());
  const bool counts = words[0].size() != 4 || (words[0][0] != 'M' && words[0][0] != 'm');  // all but MGET
  for (auto at = by_slot.begin(); at != by_slot.end();) {
    const auto end = std::find_if(at, by_slot.end(), [&at](const auto& one) { return one.first != at->first; });
    Unit unit;
    unit.slot = at->first;
    unit.first = place;
    unit.counts = counts;
    Words some{words[0]};
    for (; at != end; ++at) {
      some.push_back(words[at->second + 1]);
      unit.parts.push_back(at->second);
    }
    if (answer.elements != 0) answer.elements = unit.parts.size();
    unit.own.add_words(answer, some);
    into.push_back(std::move(unit));
  }
}

template <class CascorWhenUsed>
auto Routing<CascorWhenUsed>::units_of(const Batch<CascorWhenUsed>& batch) -> std::vector<Unit> {
  const std::vector<Words> commands = commands_of(batch.bytes());
  const bool whole = std::any_of(commands.begin(), commands.end(), [](const Words& words) {
    detail::UpperCase name;
    name.append(words[0]);
    return name.text() == "MULTI";
  });
  std::vector<Unit> units;
  if (whole || (commands.size() == 1 && !is_split(commands.front()))) {
    Unit& unit = units.emplace_back();
    unit.is_whole = true;
    for (auto words = commands.begin(); words != commands.end() && unit.slot == Unit::any_slot; ++words) {
      if (const auto key = first_key(*words)) unit.slot = slot_of((*words)[*key]);
    }
    if (unit.slot == Unit::any_slot && commands.size() == 1) send_for(unit, commands.front());
    return units;
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const Words& words = commands[i];
    if (is_split(words)) {
      split(words, batch.answer(i), i, units);
      continue;
    }
    Unit& unit = units.emplace_back();
    unit.first = i;
    unit.own.add_words(batch.answer(i), words);
    send_for(unit, words);
  }
  return units;
}

template <class CascorWhenUsed>
void Routing<CascorWhenUsed>::place(const Unit& unit, std::span<Reply> answers, std::span<Reply> whole) {
  if (unit.parts.empty()) {
    std::move(answers.begin(), answers.end(), whole.begin() + static_cast<std::ptrdiff_t>(unit.first));
    return;
  }
  Reply& answer = answers.front();
  Reply& all = whole[unit.first];
  if (unit.counts) {
    if (all.is_error()) return;
    if (answer.kind != Reply::Kind::integer) {
      all = std::move(answer);
      return;
    }
    all.kind = Reply::Kind::integer;
    all.integer += answer.integer;
    return;
  }
  all.kind = Reply::Kind::array;
  all.elements.resize(std::max(all.elements.size(), *std::max_element(unit.parts.begin(), unit.parts.end()) + 1));
  for (std::size_t i = 0; i < unit.parts.size(); ++i) {
    Reply& element = all.elements[unit.parts[i]];
    if (answer.is_error()) {
      element = answer;
    } else if (i < answer.elements.size()) {
      element = std::move(answer.elements[i]);
    }
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class Routing<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
