// One connection to one server: dialled, introduced, then batches of commands, each answered in order.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/redis/options.hpp"
#include "cascor/redis/protocol.hpp"
#include "cascor/redis/transport.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The kind of answer that a command has. An error fits everywhere, nil where a string may be.
struct Answer {
  enum Kind : unsigned char { any, status, status_or_nil, string, integer, array };
  Kind kind = any;
  std::size_t elements = 0;  ///< of an array; 0: however many

  CASCOR_CACHE_FN bool fits(const Reply& reply) const noexcept;
};

/// Commands written one behind the other, to be sent as one, each with the kind of answer that it has.
class Batch {
 public:
  template <class... Words>
  Batch& add(Answer answer, const Words&... words) {
    const std::array<std::string_view, sizeof...(Words)> all{std::string_view{words}...};
    return add_words(answer, all);
  }
  Batch& add_words(Answer answer, std::span<const std::string_view> words) {
    append_command(bytes_, words);
    answers_.push_back(answer);
    return *this;
  }
  std::string_view bytes() const noexcept { return bytes_; }
  std::size_t commands() const noexcept { return answers_.size(); }
  const std::vector<Answer>& answers() const noexcept { return answers_; }

 private:
  std::string bytes_;
  std::vector<Answer> answers_;
};

/// For one thread at a time: the pool lends it. Whatever went wrong on it, it is broken for good: a late answer can
/// never be taken for another call's.
class Connection {
 public:
  /// Dials, authenticates and selects the database, in one round trip. Throws ConnectionError or TimeoutError, and the
  /// server's refusal as its type with "Error connecting to Redis on …" in front.
  CASCOR_CACHE_FN Connection(const RedisOptions& options, Deadline by);

  /// Sends the batch and reads an answer for each of its commands; error replies are answers. Throws TimeoutError or
  /// ConnectionError, the latter also for an answer of a kind that the command does not have, and is broken then.
  CASCOR_CACHE_FN std::vector<Reply> execute(const Batch& batch, Deadline by);

  bool broken() const noexcept { return broken_; }
  /// After a failed execute(): had any byte of the batch been handed to the system?
  bool had_sent() const noexcept { return sent_ > 0; }
  /// Has it carried a batch before the one that failed? Then it may have been closed while it was idle.
  bool had_served() const noexcept { return served_; }
  TimePoint last_used() const noexcept { return last_used_; }
  /// Looks, without waiting, whether the peer has closed it or sent what nobody asked for.
  bool still_good() noexcept { return !broken_ && !reader_.holds_bytes() && !transport_->disturbed(); }

 private:
  CASCOR_CACHE_FN void introduce(const RedisOptions& options, Deadline by);
  // As execute(); `replies` holds what came also when it throws.
  CASCOR_CACHE_FN void exchange(const Batch& batch, std::vector<Reply>& replies, Deadline by);

  std::unique_ptr<Transport> transport_;
  ReplyReader reader_;
  std::string peer_;
  TimePoint last_used_;
  std::size_t sent_ = 0;
  bool served_ = false;
  bool broken_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/connection.ipp"
#endif
