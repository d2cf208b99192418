// Which topics a subscription connection is to listen to, and which the server has confirmed: a decision object,
// without socket, clock or lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/core/events.hpp"
#include "cascor/core/reply.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// What is wanted outlives connections; what was asked and confirmed is of the one there is now. A command asks for one
/// topic, so that each has one answer, in the order of asking, whatever messages come in between. For its owner.
template <class CascorWhenUsed = void>
class TopicLedger {
 public:
  /// Each writes the commands that it takes behind `out`, where there is a connection.
  void want(const Topic& topic, std::string& out);
  void unwant(const Topic& topic, std::string& out);
  /// There is a new connection: asks for everything.
  void connected(std::string& out);
  void ping(std::string& out);
  /// Asks again for what was refused.
  void ask_refused(std::string& out);
  /// There is none: what was confirmed, or asked for, has a gap when it is confirmed next.
  void disconnected();
  /// Nobody waits for the confirmation of this topic any more: when it comes there is a gap before it.
  void will_be_late(const Topic& topic);

  struct Heard {
    enum Kind : unsigned char { nothing, confirmed, refused, again };
    Kind kind = nothing;  ///< again: confirmed, after a gap
    Topic topic;          ///< of the others
    std::shared_ptr<const CacheError> why;
  };
  /// Takes an answer that is no message. Throws ConnectionError for one that nothing asked for.
  Heard answer(const Reply& reply);

  bool wants_anything() const noexcept { return !wanted_.empty(); }
  std::size_t wanted() const noexcept { return wanted_.size(); }
  bool awaits_answers() const noexcept { return !asked_.empty(); }
  bool is_confirmed(const Topic& topic) const;
  /// Why the server will not have this account listen to it; null where it has not said so.
  std::shared_ptr<const CacheError> refusal(const Topic& topic) const;

 private:
  struct State {
    std::uint64_t asked_as = 0;  // the number of the command that asked for it last; 0: none on this connection
    bool confirmed = false;
    bool behind = false;  // a gap is to be told of
    std::shared_ptr<const CacheError> refused;
  };
  enum class Command : unsigned char { subscribe, unsubscribe, ping };
  struct Asked {
    Command command = Command::ping;
    Topic topic;
    std::uint64_t number = 0;
  };
  struct Hash {
    std::size_t operator()(const Topic& topic) const noexcept {
      return std::hash<std::string_view>{}(topic.name) ^ static_cast<std::size_t>(topic.kind);
    }
  };

  void ask(Command command, const Topic& topic, std::string& out);
  void ask_for(const Topic& topic, State& state, std::string& out);
  static std::string_view word(Command command, TopicKind kind) noexcept;
  bool fits(const Reply& reply) const noexcept;
  static std::shared_ptr<const CacheError> refusal_of(const Topic& topic, const std::string& words);

  std::unordered_map<Topic, State, Hash> wanted_;
  std::deque<Asked> asked_;  // what has no answer yet, oldest first
  std::uint64_t number_ = 0;
  bool connected_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/topic_ledger.ipp"
#endif
