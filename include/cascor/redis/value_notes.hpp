// What a command by its words tells of the values under keys: for who remembers what was seen.
#pragma once

#include <span>
#include <string_view>

#include "cascor/core/reply.hpp"
#include "cascor/core/value_witness.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Before the command is sent. Of a script each argument may become the value of each of its keys; of a command that is
/// not known its first word, of RENAME and the like also the second, may be changed to anything.
CASCOR_CACHE_FN void note_sending(ValueWitness& witness, std::span<const std::string_view> words) noexcept;
/// When it was answered: what GET and SET tell, and the text that a script on one key gives, which is taken for what is
/// under it.
CASCOR_CACHE_FN void note_answer(ValueWitness& witness, std::span<const std::string_view> words,
                                 const Reply& reply) noexcept;

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/value_notes.ipp"
#endif
