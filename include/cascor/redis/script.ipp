#pragma once

#include <string_view>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/script.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF Reply run_script(KeyValueStore& store, const Script& script, std::string_view key,
                                  std::span<const std::string_view> arguments, Deadline by) {
  constexpr int most_attempts = 3;
  std::vector<std::string_view> words{"EVALSHA", script.sha1, "1", key};
  words.insert(words.end(), arguments.begin(), arguments.end());
  for (int attempt = 1;; ++attempt) {
    try {
      Reply reply = store.command(words, by);
      if (reply.is_error() && reply.text.starts_with("NOSCRIPT")) {
        words[0] = "EVAL";
        words[1] = script.text;
        continue;
      }
      if (reply.is_error()) server_error(reply.text)->raise();
      return reply;
    } catch (const ConnectionError& error) {
      const bool dialling = std::string_view{error.what()}.starts_with("Error connecting to Redis");
      if (dialling || attempt >= most_attempts || by.passed()) throw;
    }
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
