#pragma once

#include <unistd.h>

#include <array>
#include <utility>

#include "cascor/redis/connection.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF Connection::Connection(const RedisOptions& options, Deadline by)
    : transport_{dial(options.endpoint, options.keepalive, by)},
      peer_{to_string(options.endpoint)},
      last_used_{options.clock->now()} {
  introduce(options, by);
}

CASCOR_CACHE_DEF bool Answer::fits(const Reply& reply) const noexcept {
  switch (reply.kind) {
    case Reply::Kind::error: return true;
    case Reply::Kind::nil: return kind == any || kind == string || kind == status_or_nil;
    case Reply::Kind::status: return kind == any || kind == status || kind == status_or_nil;
    case Reply::Kind::string: return kind == any || kind == string;
    case Reply::Kind::integer: return kind == any || kind == integer;
    case Reply::Kind::array:
      return kind == any || (kind == array && (elements == 0 || elements == reply.elements.size()));
  }
  return false;
}

CASCOR_CACHE_DEF void Connection::introduce(const RedisOptions& options, Deadline by) {
  const std::string before = "Error connecting to Redis on " + peer_ + ": ";
  std::string password;
  try {
    if (options.password) password = options.password();
  } catch (...) {
    throw AuthenticationError{
        before + "the password provider threw",
        "See why CacheConfig::password_provider fails; what it threw is not shown, as it may hold "
        "a secret."};
  }
  constexpr Answer ok{Answer::status};
  Batch batch;
  if (!options.username.empty()) {
    batch.add(ok, "AUTH", options.username, password);
  } else if (!password.empty()) {
    batch.add(ok, "AUTH", password);
  }
  if (options.database != 0) batch.add(ok, "SELECT", std::to_string(options.database));
  batch.add(ok, "CLIENT", "SETNAME", "cascor-cache:" + std::to_string(::getpid()));

  std::vector<Reply> replies;
  try {
    exchange(batch, replies, by);
  } catch (const ConnectionError& error) {
    // A server that has no room, or does not trust the address, says so unasked and hangs up.
    if (replies.empty() || !replies.back().is_error()) {
      throw ConnectionError{before + without_secret(error.what(), password), error.hint()};
    }
  } catch (const TimeoutError& error) {
    throw TimeoutError{before + error.what(), error.hint()};
  }
  served_ = false;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!replies[i].is_error()) continue;
    // A name is a courtesy to the operator: it may be refused for itself, and is the first to meet what refuses all.
    const std::string& words = replies[i].text;
    const bool only_the_name = i + 1 == batch.commands() && !words.starts_with("NOAUTH") &&
                               !words.starts_with("DENIED") && !says_unavailable(words);
    if (only_the_name) continue;
    broken_ = true;
    server_error(without_secret(words, password), before)->raise();
  }
}

CASCOR_CACHE_DEF std::vector<Reply> Connection::execute(const Batch& batch, Deadline by) {
  std::vector<Reply> replies;
  replies.reserve(batch.commands());
  exchange(batch, replies, by);
  return replies;
}

CASCOR_CACHE_DEF void Connection::exchange(const Batch& batch, std::vector<Reply>& replies, Deadline by) {
  sent_ = 0;
  broken_ = true;  // until every answer is in: whatever throws on the way leaves it so
  transport_->send(batch.bytes(), sent_, by);
  std::array<char, 16 * 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  while (replies.size() < batch.commands()) {
    if (auto reply = reader_.next()) {
      if (!batch.answers()[replies.size()].fits(*reply)) {
        throw ConnectionError{"Redis on " + peer_ + " gave an answer of a kind that the command does not have",
                              "Something other than Redis answers there, or changes its answers: look at the host, the "
                              "port and any proxies."};
      }
      replies.push_back(std::move(*reply));
      continue;
    }
    const std::size_t got = transport_->receive(buffer, by);
    reader_.feed({buffer.data(), got});
  }
  // What came unasked would be taken for the next call's answer.
  broken_ = reader_.holds_bytes();
  served_ = true;
  last_used_ = by.clock().now();
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
