// What the server does with sessions in one step each. A test holds the digests.
#pragma once

#include "cascor/redis/script.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// A session's text; its life begins anew.
inline constexpr redis::Script slide_script{
    "local value = redis.call('GET', KEYS[1]) "
    "if value and ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end "
    "return value",
    "facb558b496d911620065bb1ef16709bc1e4cb61"};
/// One text in the place of another. A session that has ended meanwhile has no text to compare with.
inline constexpr redis::Script swap_script{
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
    "if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2]) "
    "else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end "
    "return 1",
    "52ad0c54c74b3be2dbcff2ec42e3158a0881660d"};

/// Drops what has expired, enters one id, and has the set live as long as the longest of its ids.
inline constexpr redis::Script enter_script{
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3]) "
    "local fresh = redis.call('EXISTS', KEYS[1]) == 0 "
    "redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2]) "
    "local left = redis.call('PTTL', KEYS[1]) "
    "if ARGV[4] == '0' then redis.call('PERSIST', KEYS[1]) "
    "elseif fresh or (left >= 0 and left < tonumber(ARGV[4])) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end "
    "return 1",
    "e1c28570196827b6162188e28cf65edebc7c66dc"};
/// Drops what has expired; the rest, by expiry.
inline constexpr redis::Script list_script{
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1]) return redis.call('ZRANGE', KEYS[1], 0, -1)",
    "c683d03d7020f99444b07632b4ade53741b950af"};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
