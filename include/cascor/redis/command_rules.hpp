// What is known of commands that an application sends by name: decisions, no I/O.
#pragma once

#include <span>
#include <string_view>

#include "cascor/redis/retry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// How one command may be sent.
struct CommandRule {
  bool refused = false;            ///< it would change the connection for those who use it next
  bool may_share = false;          ///< quick, and of a short answer: others' commands may go with it
  Repeat repeat = Repeat::unsafe;  ///< what is not known to be safe is not sent twice
};

/// By the command's name, its subcommand and its options, in any case of letters. A command that is not known, one that
/// waits (BLPOP, WAIT, XREAD … BLOCK) and one that may answer much goes on a connection of its own.
CASCOR_CACHE_FN CommandRule rule_for(std::span<const std::string_view> arguments) noexcept;

/// May the command change keys that are not among its arguments? Scripts, functions and modules' commands may, and what
/// concerns whole databases.
CASCOR_CACHE_FN bool may_change_anything(std::span<const std::string_view> arguments) noexcept;

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/command_rules.ipp"
#endif
