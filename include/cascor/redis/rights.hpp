// What an account lacks, said once for each right.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/core/log.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Does an error reply say that the account may not? By itself, or by a script that it ran.
constexpr bool lacks_right(std::string_view words) noexcept {
  return words.starts_with("NOPERM") || words.starts_with("ERR The user executing the script can't");
}

/// The right as ACL SETUSER has it: "+eval", "~ for the key"; empty for what a cache can do without, and for PUBLISH,
/// of which who publishes tells.
constexpr std::string_view right_in(std::string_view words) noexcept {
  if (words.find("ERR ") == 0) return "+ what a script runs";
  const auto from = words.find('\'');
  const auto to = from == std::string_view::npos ? from : words.find('\'', from + 1);
  if (to == std::string_view::npos) return words.find(" keys ") != std::string_view::npos ? "~ for a key" : "";
  const std::string_view command = words.substr(from + 1, to - from - 1);
  if (command == "info" || command == "ping" || command == "role" || command == "publish") return {};
  return command == "evalsha" ? "eval" : command;
}

/// Safe from any thread; the mutex guards the list.
template <class CascorWhenUsed = void>
class RightsTold {
 public:
  explicit RightsTold(Log log) : log_{std::move(log)} {}

  /// One WARNING, the first time that the right is missed.
  void note(std::string_view words) {
    constexpr std::size_t most = 64;  // a server that makes up names is not listened to for ever
    const std::string right{right_in(words)};
    if (right.empty()) return;
    {
      const std::lock_guard lock{mutex_};
      if (told_.size() >= most || std::find(told_.begin(), told_.end(), right) != told_.end()) return;
      told_.push_back(right);
    }
    words = words.substr(0, words.find(" script: "));
    const bool named = right.find(' ') == std::string::npos;
    log_.warning("The account lacks a right, " + readable(named ? '+' + right : right) +
                 ", and what needs it fails: " + readable(words));
  }

 private:
  const Log log_;
  std::mutex mutex_;
  cascor::detail::Dependent<std::vector<std::string>, CascorWhenUsed> told_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
