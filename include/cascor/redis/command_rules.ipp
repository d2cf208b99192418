#pragma once

#include <algorithm>
#include <array>

#include "cascor/redis/command_rules.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

using std::string_view_literals::operator""sv;  // which measures a long text at no cost

// Each list is words between spaces. What changes the connection, or makes it a stream that is no question and answer.
inline constexpr std::string_view refused_commands =
    " SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC REPLCONF"
    " MULTI EXEC DISCARD WATCH UNWATCH SELECT AUTH HELLO RESET QUIT ASKING READONLY READWRITE"
    " CLIENT|REPLY CLIENT|TRACKING CLIENT|CACHING CLIENT|SETNAME CLIENT|SETINFO CLIENT|NO-EVICT CLIENT|NO-TOUCH"
    " SCRIPT|DEBUG "sv;

// Reads, and writes after which it does not matter whether they were carried out once or twice.
inline constexpr std::string_view quick_and_safe_commands =
    " GET STRLEN GETRANGE SUBSTR GETBIT EXISTS TTL PTTL EXPIRETIME PEXPIRETIME TYPE PING ECHO TIME DBSIZE"
    " HGET HMGET HEXISTS HLEN HSTRLEN LLEN SCARD SISMEMBER SMISMEMBER ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK XLEN"
    " SET MSET SETEX PSETEX SETRANGE DEL UNLINK EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST TOUCH"
    " HSET HMSET HDEL SADD SREM ZREM PFCOUNT CLIENT|ID CLIENT|GETNAME ACL|WHOAMI "sv;
inline constexpr std::string_view safe_commands =
    " MGET SCAN HSCAN SSCAN ZSCAN KEYS RANDOMKEY DUMP HGETALL HKEYS HVALS HRANDFIELD LRANGE LINDEX LPOS"
    " SMEMBERS SRANDMEMBER SINTER SINTERCARD SUNION SDIFF ZCOUNT ZLEXCOUNT ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZREVRANGE"
    " ZREVRANGEBYLEX ZREVRANGEBYSCORE ZRANDMEMBER ZINTER ZINTERCARD ZUNION ZDIFF XRANGE XREVRANGE XPENDING XREAD"
    " BITCOUNT BITPOS BITFIELD_RO GEODIST GEOHASH GEOPOS GEOSEARCH SORT_RO EVAL_RO EVALSHA_RO FCALL_RO LCS INFO LOLWUT"
    " COMMAND|INFO COMMAND|COUNT COMMAND|DOCS COMMAND|LIST CONFIG|GET CLIENT|LIST CLIENT|INFO MEMORY|USAGE MEMORY|STATS"
    " OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT SCRIPT|EXISTS SLOWLOG|GET SLOWLOG|LEN LATENCY|LATEST"
    " XINFO|STREAM XINFO|GROUPS XINFO|CONSUMERS PUBSUB|CHANNELS PUBSUB|NUMSUB PUBSUB|NUMPAT "sv;
inline constexpr std::string_view quick_commands =
    " INCR INCRBY INCRBYFLOAT DECR DECRBY APPEND SETNX MSETNX GETSET GETDEL GETEX SETBIT HSETNX HINCRBY HINCRBYFLOAT"
    " LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LSET LMOVE RPOPLPUSH SPOP SMOVE ZADD ZINCRBY ZPOPMIN ZPOPMAX"
    " XADD XACK XDEL PUBLISH SPUBLISH PFADD RENAME RENAMENX COPY "sv;

// What may change keys that it does not name.
inline constexpr std::string_view wide_commands =
    " EVAL EVALSHA FCALL FLUSHALL FLUSHDB SWAPDB DEBUG REPLICAOF SLAVEOF FAILOVER "sv;

CASCOR_CACHE_FN bool lists(std::string_view list, std::string_view word) noexcept {
  if (word.empty() || word.find(' ') != std::string_view::npos) return false;
  for (std::size_t at = list.find(word); at != std::string_view::npos; at = list.find(word, at + 1)) {
    if (list[at - 1] == ' ' && list[at + word.size()] == ' ') return true;
  }
  return false;
}

// In upper case, cut at the most that a word of the lists has.
class UpperCase {
 public:
  void append(std::string_view word) noexcept {
    for (const char letter : word.substr(0, text_.size() - size_)) {
      text_[size_++] = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    }
  }
  std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 40> text_{};
  std::size_t size_ = 0;
};

// Is one of the options among those from `first` on?
CASCOR_CACHE_FN bool has_option(std::span<const std::string_view> arguments, std::size_t first,
                                std::string_view options) noexcept {
  return std::any_of(arguments.begin() + static_cast<std::ptrdiff_t>(std::min(first, arguments.size())),
                     arguments.end(), [options](std::string_view argument) {
                       UpperCase option;
                       option.append(argument);
                       return lists(options, option.text());
                     });
}

}  // namespace detail

CASCOR_CACHE_DEF CommandRule rule_for(std::span<const std::string_view> arguments) noexcept {
  if (arguments.empty()) return {true, false, Repeat::unsafe};
  detail::UpperCase name;
  name.append(arguments[0]);
  detail::UpperCase with_subcommand = name;
  if (arguments.size() > 1) {
    with_subcommand.append("|");
    with_subcommand.append(arguments[1]);
  }
  const auto listed = [&](std::string_view list) {
    return detail::lists(list, name.text()) || (arguments.size() > 1 && detail::lists(list, with_subcommand.text()));
  };
  if (listed(detail::refused_commands)) return {true, false, Repeat::unsafe};
  CommandRule rule;
  const bool quick_and_safe = listed(detail::quick_and_safe_commands);
  rule.may_share = quick_and_safe || listed(detail::quick_commands);
  if (quick_and_safe || listed(detail::safe_commands)) rule.repeat = Repeat::safe;
  // A second SET … NX (or IFEQ, of servers that have it) would find what the first one wrote; a second GET would give
  // it for the value before.
  if (name.text() == "SET" && detail::has_option(arguments, 3, " NX GET IFEQ IFNE IFDEQ IFDNE "))
    rule.repeat = Repeat::unsafe;
  // The second of two that look at the expiry answers for the first.
  if (name.text().find("EXPIRE") != std::string_view::npos && arguments.size() > 3) rule.repeat = Repeat::unsafe;
  return rule;
}

CASCOR_CACHE_DEF bool may_change_anything(std::span<const std::string_view> arguments) noexcept {
  if (arguments.empty()) return false;
  detail::UpperCase name;
  name.append(arguments[0]);
  return name.text().find('.') != std::string_view::npos || detail::lists(detail::wide_commands, name.text());
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
