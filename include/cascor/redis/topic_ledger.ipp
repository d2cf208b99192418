#pragma once

#include <array>
#include <utility>

#include "cascor/redis/protocol.hpp"
#include "cascor/redis/server_error.hpp"
#include "cascor/redis/topic_ledger.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
std::string_view TopicLedger<CascorWhenUsed>::word(Command command, TopicKind kind) noexcept {
  constexpr std::array<std::string_view, 5> words{"subscribe", "psubscribe", "unsubscribe", "punsubscribe", "ping"};
  const auto place = static_cast<std::size_t>(command) * 2;
  return words[command == Command::ping ? place : place + static_cast<std::size_t>(kind)];
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::ask(Command command, const Topic& topic, std::string& out) {
  asked_.push_back({command, topic, ++number_});
  const std::array<std::string_view, 2> words{word(command, topic.kind), topic.name};
  append_command(out, std::span{words}.first(command == Command::ping ? 1 : 2));
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::ask_for(const Topic& topic, State& state, std::string& out) {
  ask(Command::subscribe, topic, out);
  state.asked_as = number_;
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::want(const Topic& topic, std::string& out) {
  State& state = wanted_[topic];
  if (connected_) ask_for(topic, state, out);
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::unwant(const Topic& topic, std::string& out) {
  const auto at = wanted_.find(topic);
  if (at == wanted_.end()) return;
  const bool asked = at->second.asked_as != 0;
  wanted_.erase(at);
  if (connected_ && asked) ask(Command::unsubscribe, topic, out);
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::connected(std::string& out) {
  connected_ = true;
  for (auto& [topic, state] : wanted_) ask_for(topic, state, out);
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::ping(std::string& out) {
  ask(Command::ping, {}, out);
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::ask_refused(std::string& out) {
  for (auto& [topic, state] : wanted_) {
    if (state.refused) ask_for(topic, state, out);
  }
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::disconnected() {
  connected_ = false;
  asked_.clear();
  for (auto& [topic, state] : wanted_) {
    state.behind = state.behind || state.confirmed;
    state.confirmed = false;
    state.asked_as = 0;
  }
}

template <class CascorWhenUsed>
void TopicLedger<CascorWhenUsed>::will_be_late(const Topic& topic) {
  const auto at = wanted_.find(topic);
  if (at != wanted_.end() && !at->second.confirmed) at->second.behind = true;
}

// An error stands for any answer.
template <class CascorWhenUsed>
bool TopicLedger<CascorWhenUsed>::fits(const Reply& reply) const noexcept {
  if (asked_.empty()) return false;
  if (reply.is_error()) return true;
  const Asked& asked = asked_.front();
  if (asked.command == Command::ping) {
    // Without a subscription the connection still speaks in simple answers.
    return (reply.kind == Reply::Kind::status && reply.text == "PONG") ||
           (reply.elements.size() == 2 && reply.elements[0].text == "pong");
  }
  return reply.elements.size() == 3 && reply.elements[0].text == word(asked.command, asked.topic.kind) &&
         reply.elements[1].text == asked.topic.name && reply.elements[2].kind == Reply::Kind::integer;
}

template <class CascorWhenUsed>
auto TopicLedger<CascorWhenUsed>::answer(const Reply& reply) -> Heard {
  if (!fits(reply)) {
    throw ConnectionError{
        reply.is_error() ? "Redis ended the subscriptions: " + readable(reply.text)
                         : "Redis gave an answer of a kind that a subscription does not have",
        "See the server's log; otherwise something between this program and Redis changes its answers."};
  }
  const Asked asked = std::move(asked_.front());
  asked_.pop_front();
  if (asked.command != Command::subscribe) return {};
  const auto at = wanted_.find(asked.topic);
  if (at == wanted_.end() || at->second.asked_as != asked.number) return {};  // wanted no more, or asked for anew
  State& state = at->second;
  if (reply.is_error()) {
    const bool known = state.refused != nullptr;
    state.refused = refusal_of(asked.topic, reply.text);
    return {known ? Heard::nothing : Heard::refused, asked.topic, state.refused};
  }
  state.refused = nullptr;
  state.confirmed = true;
  return {std::exchange(state.behind, false) ? Heard::again : Heard::confirmed, asked.topic, nullptr};
}

// The server says that some right is missing, not for what.
template <class CascorWhenUsed>
std::shared_ptr<const CacheError> TopicLedger<CascorWhenUsed>::refusal_of(const Topic& topic,
                                                                          const std::string& words) {
  const std::string name = readable(topic.name);
  if (!words.starts_with("NOPERM")) return server_error(words, "Redis refused to subscribe to " + name + ": ");
  const bool pattern = topic.kind == TopicKind::pattern;
  return std::make_shared<cascor::detail::Dependent<AuthenticationError, CascorWhenUsed>>(
      readable(words) + " (to subscribe to " + name + ')',
      "Grant the account the channel" + std::string{pattern ? "s, by this very pattern" : ""} + ": ACL SETUSER name &" +
          name + (pattern ? " +psubscribe +punsubscribe." : " +subscribe +unsubscribe."));
}

template <class CascorWhenUsed>
bool TopicLedger<CascorWhenUsed>::is_confirmed(const Topic& topic) const {
  const auto at = wanted_.find(topic);
  return at != wanted_.end() && at->second.confirmed;
}

template <class CascorWhenUsed>
std::shared_ptr<const CacheError> TopicLedger<CascorWhenUsed>::refusal(const Topic& topic) const {
  const auto at = wanted_.find(topic);
  return at == wanted_.end() ? nullptr : at->second.refused;
}

#if defined(CASCOR_CACHE_COMPILED)
template class TopicLedger<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
