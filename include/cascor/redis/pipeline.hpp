// Implicit pipelining: callers that call at once share batches on few connections, without asking for it.
//
// A call that may share needs one of a few permits to use a connection. While one is free the caller takes it, and uses
// a connection of the pool alone: few callers have a plain pool. When none is free the caller boards the batch that is
// forming, and waits. Whoever ends its turn hands its permit, with its connection if that is still good, to the
// batch that has waited longest. One of that batch's callers, its leader, sends all its commands by one write, reads
// all the answers, hands the permit on, and wakes the others at once.
//
// What holds at all times (mutex_ guards it):
//  - A batch waits only while no permit is free. How many there are depends on how many callers there are: for few, one
//    each; for many, few; and one more for a batch that has waited long. So a permit may be given up while a batch
//    waits, but only if others are taken, each of which is passed on in its turn. A batch in waiting_ can be boarded if
//    it is the last and has room, and nobody reads or sends for it.
//  - A batch out of waiting_ holds one permit until it is over, and either has exactly one leader, or `wants_leader` is
//    set and one of those aboard has been woken since. Only the leader touches the connection, the bytes and the
//    answers that are not in yet.
//  - `aboard` counts the callers that have not got off. Who gets off before the batch is over passes the wake on if a
//    leader is wanted, as it may have been the one that was woken; the last one ends the batch. So a permit is never
//    lost, and a leader whose time is up only steps down.
//  - A caller that gets off before its commands are sent takes them with it. One that gets off later taints the
//    connection, which is closed when the batch is over: an answer that nobody waits for is never anybody's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/batch.hpp"
#include "cascor/redis/event_count.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/pool.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Safe from any thread. The mutex is never held while something is dialled, sent, received, waited for or closed, nor
/// while the pool's is taken.
template <class CascorWhenUsed = void>
class Pipeline {
 public:
  /// How one attempt went: `error` is null when every command was answered.
  struct Attempt {
    std::shared_ptr<const CacheError> error;
    bool anything_sent = false;    ///< some byte of this caller's commands was handed to the system
    bool idle_connection = false;  ///< on a connection that had served before: it may have been closed meanwhile
    bool second_hand = false;      ///< says nothing of the server that its leader, or who had the connection, does not
  };

  Pipeline(const RedisOptions& options, ConnectionPool<CascorWhenUsed>& pool);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline() = default;

  /// Sends the batch once and reads an answer for each of its commands into `replies`. Ends by the deadline, whatever
  /// other callers do. `may_share`: together with others' commands; what is large goes alone all the same.
  Attempt attempt(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, bool may_share, Deadline by);
  /// For a pool that holds so many connections from now on.
  void set_most(std::size_t most);
  /// Ends every attempt that is waiting, and with the pool's connections every other one.
  void stop() noexcept;

  /// Callers that are aboard a batch that waits for a connection.
  std::size_t waiting() const;
  std::uint64_t commands() const noexcept { return commands_.load(std::memory_order_relaxed); }
  std::uint64_t batches() const noexcept { return batches_.load(std::memory_order_relaxed); }
  /// One more batch, which went past this.
  void count(std::size_t commands) noexcept;

 private:
  using Lease = typename ConnectionPool<CascorWhenUsed>::Lease;

  // The commands of one caller within a batch.
  struct Part {
    std::size_t first_byte = 0;
    std::size_t bytes = 0;
    bool withdrawn = false;
  };
  struct Expected {
    Answer answer;
    std::size_t part = 0;
  };
  struct Shared {
    std::string bytes;
    std::vector<Part> parts;
    std::vector<Expected> expected;  // one a command
    TimePoint began;                 // in real time
    std::size_t aboard = 0;
    bool sending = false;  // from then on what is sent is settled
    bool tainted = false;
    std::atomic<bool> wants_leader{false};  // set under the mutex
    // The leader's:
    Lease lease;
    std::size_t sent = 0;
    std::vector<Reply> replies;            // one a command
    std::atomic<std::size_t> answered{0};  // so many of `replies` are their callers' from now on
    // Written before `over` is set, and final then:
    std::shared_ptr<const CacheError> error;  // why not all is answered; null: no memory
    bool idle_connection = false;
    std::atomic<bool> over{false};  // set under the mutex
    EventCount event;
  };
  struct Seat {
    std::shared_ptr<Shared> shared;
    TimePoint since;  // in real time
    std::size_t part = 0;
    std::size_t first = 0;  // of its commands
    std::size_t end = 0;
  };
  // One caller that may share, for as long as its attempt takes.
  struct Caller {
    explicit Caller(std::atomic<std::size_t>& count) noexcept : callers{count} { callers.fetch_add(1, relaxed); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { callers.fetch_sub(1, relaxed); }
    static constexpr auto relaxed = std::memory_order_relaxed;
    std::atomic<std::size_t>& callers;
  };
  // One turn with a permit, which is handed on at its end, whatever ends it.
  struct Turn {
    Pipeline& pipeline;
    Lease lease;
    Turn(Pipeline& owner, Lease of) noexcept : pipeline{owner}, lease{std::move(of)} {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { pipeline.pass_on(std::move(lease)); }
  };

  Attempt go_alone(Lease& lease, const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, Deadline by);
  std::size_t permits() const noexcept;
  std::shared_ptr<Shared> call_next() noexcept;
  Seat board(const Batch<CascorWhenUsed>& batch);
  Attempt ride(const Seat& seat, std::span<Reply> replies, Deadline by);
  bool take_lead(Shared& shared);
  bool take_extra_permit(const std::shared_ptr<Shared>& shared);
  std::optional<Attempt> lead(const Seat& seat, Deadline by);
  void settle_what_is_sent(Shared& shared);
  bool read_answers(const Seat& seat, Deadline by);
  bool get_off(const Seat& seat, bool as_leader) noexcept;
  void finish(Shared& shared, const std::shared_ptr<const CacheError>& error) noexcept;
  void pass_on(Lease lease) noexcept;
  Attempt result_of(const Seat& seat, std::span<Reply> replies, bool led);
  Attempt time_is_up(const Seat& seat) const;

  const RedisOptions& options_;
  ConnectionPool<CascorWhenUsed>& pool_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Shared>> waiting_;
  std::size_t taken_ = 0;          // permits
  std::size_t extra_permits_ = 0;  // for batches that had waited too long
  std::size_t permits_for_few_ = 1;
  std::size_t permits_for_many_ = 1;
  std::size_t most_permits_ = 1;
  std::atomic<std::size_t> callers_{0};
  std::atomic<std::uint64_t> commands_{0};
  std::atomic<std::uint64_t> batches_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/pipeline.ipp"
#endif
