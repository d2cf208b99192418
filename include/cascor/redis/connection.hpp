// One connection to one server: dialled, introduced, then batches of commands, each answered in order.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/redis/batch.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/protocol.hpp"
#include "cascor/redis/stopper.hpp"
#include "cascor/redis/transport.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// For one thread at a time: the pool lends it. Whatever went wrong on it, it is broken for good: a late answer can
/// never be taken for another call's.
template <class CascorWhenUsed = void>
class Connection {
 public:
  /// Dials, authenticates and selects the database, in one round trip. Throws ConnectionError or TimeoutError, and the
  /// server's refusal as its type with "Error connecting to Redis on …" in front. `stopper` may end all that is done on
  /// it, and must outlive it.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the other one does
  Connection(const RedisOptions& options, Deadline by, Stopper<CascorWhenUsed>* stopper = nullptr)
      : Connection{options, dialled(options, by, stopper), by, stopper} {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Sends the batch and reads an answer for each of its commands; error replies are answers. Throws TimeoutError or
  /// ConnectionError, the latter also for an answer of a kind that the command does not have, and is broken then.
  void execute(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, Deadline by);
  std::vector<Reply> execute(const Batch<CascorWhenUsed>& batch, Deadline by);

  /// The same by steps, for several callers' commands at once. It counts as broken from the first send until
  /// settle() has found that nothing came that was not asked for. send() goes on from `sent`, and counts it up; after
  /// a TimeoutError another thread may go on with it, or with receive().
  void send(std::string_view bytes, std::size_t& sent, Deadline by);
  std::size_t receive(Deadline by);
  /// Takes the next answer if it is there. Throws ConnectionError for one that does not fit.
  bool next(Answer expected, Reply& into);
  void settle() noexcept;

  /// For a connection on which the server speaks unasked. See Transport and ReplyReader.
  Input await_input(Deadline by, int wake_fd) noexcept { return transport_->await_input(by, wake_fd); }
  std::size_t next_words(std::span<std::string_view> words) noexcept { return reader_.next_words(words); }
  bool next(Reply& into) { return reader_.next(into); }

  bool broken() const noexcept { return broken_; }
  void give_up() noexcept { broken_ = true; }
  /// After a failed execute(): had any byte of the batch been handed to the system?
  bool had_sent() const noexcept { return sent_ > 0; }
  /// Has it carried a batch before the one that failed? Then it may have been closed while it was idle.
  bool had_served() const noexcept { return served_; }
  TimePoint last_used() const noexcept { return last_used_; }
  /// Looks, without waiting, whether the peer has closed it or sent what nobody asked for.
  bool still_good() noexcept { return !broken_ && !reader_.holds_bytes() && !transport_->disturbed(); }

  /// When it is to be replaced; never, until it is told.
  void retire_at(TimePoint when) noexcept { retires_ = when; }
  TimePoint retires() const noexcept { return retires_; }

 private:
  struct Dialled {
    std::unique_ptr<cascor::detail::Dependent<Transport, CascorWhenUsed>> transport;
    Endpoint endpoint;
    // Null without a stopper.
    std::shared_ptr<typename Stopper<CascorWhenUsed>::Dialling> dialling;
  };
  Connection(const RedisOptions& options, Dialled dialled, Deadline by, Stopper<CascorWhenUsed>* stopper);
  static Dialled dialled(const RedisOptions& options, Deadline by, Stopper<CascorWhenUsed>* stopper);
  void introduce(const RedisOptions& options, Deadline by);
  // As execute(); `answered` counts the answers that came, also when it throws.
  void exchange(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, std::size_t& answered, Deadline by);

  std::unique_ptr<cascor::detail::Dependent<Transport, CascorWhenUsed>> transport_;
  Stopper<CascorWhenUsed>* stopper_;
  const Clock* clock_;
  ReplyReader<CascorWhenUsed> reader_;
  std::string peer_;
  TimePoint last_used_;
  TimePoint retires_ = TimePoint::max();
  std::size_t sent_ = 0;
  bool served_ = false;
  bool broken_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/connection.ipp"
#endif
