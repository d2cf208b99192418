#pragma once

#include <charconv>
#include <cstddef>

#include "cascor/redis/command_rules.hpp"
#include "cascor/redis/value_notes.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// Commands that leave the bytes under every key as they are.
inline constexpr std::string_view harmless_commands =
    " GET MGET STRLEN GETRANGE SUBSTR GETBIT EXISTS TTL PTTL EXPIRETIME PEXPIRETIME TYPE DUMP OBJECT SCAN KEYS EXPIRE"
    " PEXPIRE EXPIREAT PEXPIREAT PERSIST TOUCH DEL UNLINK PUBLISH PING ECHO TIME INFO DBSIZE CLIENT CONFIG COMMAND"
    " HGET HGETALL LRANGE SMEMBERS ZRANGE ZADD ZREM XADD XLEN XRANGE XREVRANGE XREAD ";
// Those that store one of their words.
inline constexpr std::string_view storing_commands = " SET SETNX GETSET SETEX PSETEX ";
inline constexpr std::string_view storing_pairs = " MSET MSETNX ";
// Those that change what is under their second word too, or instead.
inline constexpr std::string_view moving_commands = " RENAME RENAMENX COPY BITOP ";
inline constexpr std::string_view scripts = " EVAL EVALSHA ";

struct Effect {
  enum Kind : unsigned char { none, stores, stores_pairs, moves, runs, other } kind = other;
  std::size_t value = 0;  // of what is stored: which word
};
CASCOR_CACHE_FN Effect effect_of(std::span<const std::string_view> words) noexcept {
  if (words.empty()) return {Effect::none};
  UpperCase name;
  name.append(words[0]);
  if (lists(harmless_commands, name.text())) return {Effect::none};
  if (lists(scripts, name.text())) return {Effect::runs};
  if (lists(storing_pairs, name.text())) return {Effect::stores_pairs};
  if (lists(moving_commands, name.text())) return {Effect::moves};
  const std::size_t value = name.text().ends_with("SETEX") ? 3 : 2;
  if (lists(storing_commands, name.text()) && words.size() > value) return {Effect::stores, value};
  return {};
}

// The keys of a script's words, and what it is given beside them. None where they are no such words.
struct ScriptWords {
  std::span<const std::string_view> keys;
  std::span<const std::string_view> arguments;
};
CASCOR_CACHE_FN ScriptWords script_words(std::span<const std::string_view> words) noexcept {
  std::size_t count = 0;
  if (words.size() < 3) return {};
  const std::string_view text = words[2];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count > words.size() - 3) return {};
  return {words.subspan(3, count), words.subspan(3 + count)};
}

}  // namespace detail

CASCOR_CACHE_DEF void note_sending(ValueWitness& witness, std::span<const std::string_view> words) noexcept {
  constexpr std::size_t most_pairs = 4096;
  const auto effect = detail::effect_of(words);
  if (effect.kind == detail::Effect::stores) return witness.sending(words[1], words[effect.value]);
  if (effect.kind == detail::Effect::stores_pairs) {
    for (std::size_t i = 1; i + 1 < words.size(); i += 2) witness.sending(words[i], words[i + 1]);
    return;
  }
  if (effect.kind == detail::Effect::other || effect.kind == detail::Effect::moves) {
    if (words.size() > 1) witness.lost_track(words[1]);
    if (words.size() > 2 && effect.kind == detail::Effect::moves) witness.lost_track(words[2]);
    return;
  }
  if (effect.kind != detail::Effect::runs) return;
  const auto script = detail::script_words(words);
  const bool many = script.keys.size() * script.arguments.size() > most_pairs;
  for (const std::string_view key : script.keys) {
    if (many) witness.lost_track(key);
    for (const std::string_view argument : script.arguments) {
      if (many) break;
      witness.sending(key, argument);
    }
  }
}

CASCOR_CACHE_DEF void note_answer(ValueWitness& witness, std::span<const std::string_view> words,
                                  const Reply& reply) noexcept {
  const auto effect = detail::effect_of(words);
  if (effect.kind == detail::Effect::stores) {
    if (reply.kind == Reply::Kind::status) witness.saw(words[1], words[effect.value]);
  } else if (reply.kind == Reply::Kind::string && words.size() > 1) {
    if (words.size() == 2 && words[0] == "GET") witness.saw(words[1], reply.text);
    if (effect.kind == detail::Effect::runs && detail::script_words(words).keys.size() == 1) {
      witness.saw(words[3], reply.text);
    }
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
