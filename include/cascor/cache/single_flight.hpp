// One computation of a key at a time, however many ask: who leads, who waits, whom something newer has overtaken.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Outcome: what a flight ends with; whoever waited for it reads it. As it is made, it says that nothing was computed:
/// whoever waited asks again. One mutex guards every flight's state until it has
/// ended, and the tables of them; no I/O and nothing of an application's runs under it, but for the matching of keys.
/// Safe from any thread.
template <class Outcome>
class SingleFlight {
 public:
  /// One computation, queued or under way. Whoever has a ticket keeps it alive.
  class Flight {
   public:
    explicit Flight(std::string_view key) : key_{key} {}
    const std::string& key() const noexcept { return key_; }
    /// Of one that wait() has seen the end of.
    const Outcome& outcome() const noexcept { return outcome_; }

   private:
    friend class SingleFlight;
    enum class State : unsigned char { queued, running, ended };
    const std::string key_;
    State state_ = State::queued;
    bool overtaken_ = false;
    std::thread::id leader_;
    Outcome outcome_{};
    std::condition_variable end_;
  };
  using Ticket = std::shared_ptr<Flight>;

  enum class Role : unsigned char {
    lead,    ///< compute, then finish()
    follow,  ///< wait()
    circle,  ///< waiting would never end: the flight waits for this very thread
  };
  struct Joined {
    Ticket flight;
    Role role = Role::lead;
    bool read_again = false;  ///< of a leader: a flight has ended since it looked for the value
  };

  /// How many flights have ended: to be asked before the value is looked for.
  std::uint64_t ended() const noexcept { return ended_.load(std::memory_order_acquire); }

  /// Joins the flight of the key, takes over one that is queued still, or begins one.
  Joined join(std::string_view key, std::uint64_t seen) {
    const std::lock_guard lock{mutex_};
    Ticket flight = find(key);
    if (!flight) flight = add(key);
    if (flight->state_ == Flight::State::queued) {
      lead(*flight);
      return {std::move(flight), Role::lead, ended() != seen};
    }
    const Role role = waits_for_this_thread(*flight) ? Role::circle : Role::follow;
    return {std::move(flight), role, false};
  }
  /// A flight that a thread will start() later; null where there is one under way.
  Ticket enqueue(std::string_view key) {
    const std::lock_guard lock{mutex_};
    return under_way_.contains(key) ? nullptr : add(key);
  }
  /// The flight of the key, to be waited for no longer than one likes; null: none.
  Ticket look(std::string_view key) {
    const std::lock_guard lock{mutex_};
    return find(key);
  }
  /// The calling thread leads from now on; false where somebody else took it over, or something newer came before it.
  bool start(Flight& flight) {
    const std::lock_guard lock{mutex_};
    if (flight.state_ != Flight::State::queued) return false;
    flight.overtaken_ ? end(flight) : lead(flight);
    return !flight.overtaken_;
  }
  /// Of one that waits in vain for its thread: as if it had not been.
  void withdraw(Flight& flight) {
    const std::lock_guard lock{mutex_};
    if (flight.state_ == Flight::State::queued) end(flight);
  }
  /// By its leader. Everybody who waits wakes.
  void finish(Flight& flight, Outcome outcome) {
    const std::lock_guard lock{mutex_};
    flight.outcome_ = std::move(outcome);
    end(flight);
  }
  /// Waits for its end, or `until` on that clock (TimePoint::max(): for ever); has it ended?
  bool wait(Flight& flight, const Clock& clock, TimePoint until) {
    std::unique_lock lock{mutex_};
    waiting_.push_back({std::this_thread::get_id(), &flight});
    while (flight.state_ != Flight::State::ended) {
      if (until == TimePoint::max()) {
        flight.end_.wait(lock);
        continue;
      }
      const auto left = until - clock.now();
      if (left.count() <= 0) break;
      // A clock that is moved by hand wakes nobody.
      flight.end_.wait_for(lock, std::min<TimePoint::duration>(left, look_at_the_clock));
    }
    const auto mine = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& one) {
      return one.thread == std::this_thread::get_id() && one.flight == &flight;
    });
    *mine = waiting_.back();
    waiting_.pop_back();
    return flight.state_ == Flight::State::ended;
  }

  /// Are there none that could be overtaken? One load.
  bool idle() const noexcept { return open_.load(std::memory_order_acquire) == 0; }
  /// Something newer than what is being computed for the key: a flight under way may not publish, and whoever asks from
  /// now on does not join it. One that is publishing goes on: its value and the newer one meet where they are stored.
  void overtake(std::string_view key) {
    if (idle()) return;
    const std::lock_guard lock{mutex_};
    if (const auto found = under_way_.find(key); found != under_way_.end()) leave_behind(found);
  }
  /// The same for every key for which `matches` is true; it must not use the cache.
  template <class Matches>
  void overtake_if(const Matches& matches) {
    if (idle()) return;
    const std::lock_guard lock{mutex_};
    leave_all_behind(matches);
  }
  /// The same before a removal: one that is publishing is waited for, or by the deadline told that it comes too late,
  /// so that the removal finds its value.
  template <class Matches>
  void overtake_removed(const Matches& matches, Deadline by) {
    if (idle()) return;
    std::unique_lock lock{mutex_};
    leave_all_behind(matches);
    // A leader that removes its own key (from a log sink, say) does not wait for itself.
    const auto waits_for = [&](const Flight* one) {
      return matches(std::string_view{one->key_}) && one->leader_ != std::this_thread::get_id();
    };
    while (std::any_of(publishing_.begin(), publishing_.end(), waits_for)) {
      if (by.passed()) {
        for (Flight* const one : publishing_) one->overtaken_ = one->overtaken_ || waits_for(one);
        return;
      }
      published_.wait_for(lock, std::min(by.remaining(), look_at_the_clock));
    }
  }
  /// By its leader, before the value goes where others find it; false where it was overtaken and must not.
  bool begin_publishing(Flight& flight) {
    const std::lock_guard lock{mutex_};
    if (flight.overtaken_) return false;
    publishing_.push_back(&flight);
    return true;
  }
  /// False where a removal did not wait for it any longer: then what was published must go.
  bool end_publishing(Flight& flight) {
    const std::lock_guard lock{mutex_};
    std::erase(publishing_, &flight);
    published_.notify_all();
    return !flight.overtaken_;
  }

 private:
  struct Waiting {
    std::thread::id thread;
    Flight* flight;
  };
  using Table = std::unordered_map<std::string_view, Ticket>;  // keys are the flights' own
  static constexpr milliseconds look_at_the_clock{20};

  Ticket find(std::string_view key) const {
    const auto found = under_way_.find(key);
    return found == under_way_.end() ? nullptr : found->second;
  }
  Ticket add(std::string_view key) {
    auto flight = std::make_shared<Flight>(key);
    under_way_.emplace(flight->key_, flight);
    open_.fetch_add(1, std::memory_order_acq_rel);
    return flight;
  }
  void lead(Flight& flight) noexcept {
    flight.state_ = Flight::State::running;
    flight.leader_ = std::this_thread::get_id();
  }
  void end(Flight& flight) {
    flight.state_ = Flight::State::ended;
    flight.leader_ = {};
    if (const auto found = under_way_.find(flight.key_); found != under_way_.end() && found->second.get() == &flight) {
      under_way_.erase(found);
    }
    open_.fetch_sub(1, std::memory_order_acq_rel);
    ended_.fetch_add(1, std::memory_order_acq_rel);
    flight.end_.notify_all();
  }
  // From leader to the flight that it waits for itself, and on.
  bool waits_for_this_thread(const Flight& flight) const {
    const Flight* at = &flight;
    for (std::size_t steps = 0; steps <= waiting_.size(); ++steps) {
      if (at->leader_ == std::this_thread::get_id()) return true;
      const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                     [at](const Waiting& one) { return one.thread == at->leader_; });
      if (next == waiting_.end()) return false;
      at = next->flight;
    }
    return false;
  }
  template <class Matches>
  void leave_all_behind(const Matches& matches) {
    for (auto one = under_way_.begin(); one != under_way_.end();) {
      one = matches(one->first) ? leave_behind(one) : std::next(one);
    }
  }
  typename Table::iterator leave_behind(typename Table::iterator one) {
    Flight& flight = *one->second;
    if (std::find(publishing_.begin(), publishing_.end(), &flight) == publishing_.end()) flight.overtaken_ = true;
    return under_way_.erase(one);
  }

  std::mutex mutex_;
  Table under_way_;
  std::vector<Waiting> waiting_;
  std::vector<Flight*> publishing_;
  std::condition_variable published_;
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::size_t> open_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
