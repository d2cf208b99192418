#pragma once

#include <unistd.h>

#include <array>
#include <utility>

#include "cascor/redis/connection.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_INLINE Connection::Connection(const RedisOptions& options, Deadline by)
    : transport_{dial(options.endpoint, options.keepalive, by)},
      peer_{to_string(options.endpoint)},
      last_used_{options.clock->now()} {
  introduce(options, by);
}

CASCOR_CACHE_INLINE void Connection::introduce(const RedisOptions& options, Deadline by) {
  const std::string password = options.password ? options.password() : std::string{};
  Batch batch;
  if (!password.empty()) {
    options.username.empty() ? batch.add("AUTH", password) : batch.add("AUTH", options.username, password);
  }
  if (options.database != 0) batch.add("SELECT", std::to_string(options.database));
  batch.add("CLIENT", "SETNAME", "cascor-cache:" + std::to_string(::getpid()));

  const std::string before = "Error connecting to Redis on " + peer_ + ": ";
  std::vector<Reply> replies;
  try {
    replies = execute(batch, by);
  } catch (const ConnectionError& error) {
    throw ConnectionError{before + without_secret(error.what(), password), error.hint()};
  } catch (const TimeoutError& error) {
    throw TimeoutError{before + error.what(), error.hint()};
  }
  served_ = false;
  // A name is a courtesy to the operator; only a server that wants a password first makes its refusal count.
  const bool name_counts = replies.back().text.starts_with("NOAUTH");
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!replies[i].is_error() || (i + 1 == replies.size() && !name_counts)) continue;
    broken_ = true;
    server_error(without_secret(replies[i].text, password), before)->raise();
  }
}

CASCOR_CACHE_INLINE std::vector<Reply> Connection::execute(const Batch& batch, Deadline by) {
  std::vector<Reply> replies;
  replies.reserve(batch.commands());
  sent_ = 0;
  broken_ = true;  // until every answer is in: whatever throws on the way leaves it so
  transport_->send(batch.bytes(), sent_, by);
  std::array<char, 16 * 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  while (replies.size() < batch.commands()) {
    if (auto reply = reader_.next()) {
      replies.push_back(std::move(*reply));
      continue;
    }
    const std::size_t got = transport_->receive(buffer, by);
    reader_.feed({buffer.data(), got});
  }
  broken_ = false;
  served_ = true;
  last_used_ = by.clock().now();
  return replies;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
