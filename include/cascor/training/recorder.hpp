// One call an epoch: a training run's latest metrics, its durable record and its live messages, without waiting.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/training/history.hpp"
#include "cascor/training/message.hpp"
#include "cascor/training/pubsub.hpp"
#include "cascor/training/recorder_options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

namespace detail {
template <class CascorWhenUsed>
class RecorderCore;  // known where it is used, in the .ipp
template <class CascorWhenUsed>
class RecorderCommands;  // so too
}

/// What somebody asks of a training run through the channel `<namespace>control`.
struct Command {
  std::string name;  ///< "start", "pause", "resume", "stop" or "reset"
  json params;       ///< an object; what came with it
};

/// Records one run. What it is given is sent by a thread of its own: every epoch into the run's history, and the newest
/// one, as often as `publish_every` says, under "latest" of the metrics and as "metrics_update" on
/// `<namespace>training`; on one server all three in one step and one round trip.
///
/// Its calls never wait for the network. Past `max_pending` records what comes goes to a file,
/// `<run>.jsonl` under `<history.directory>/spool/`, from which it is sent in its turn, if need be by the next recorder
/// of the run. It serves its cache, also when that is moved, and ends what it does when that is destroyed. Destroying
/// it sends what is left for `shutdown_timeout`, and puts the rest into the file. Safe from any thread; epochs of
/// several threads are in the order in which they came. In a child that was forked it does nothing.
template <class CascorWhenUsed = void>
class Recorder {
 public:
  /// Throws DataError for a name that no run can have.
  template <Codec C>
  Recorder(BasicCacheManager<C>& cache, std::string_view run, const RecorderOptions& options = {})
      : Recorder{cache.template history<CascorWhenUsed>(run).life(), run, options} {}
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();

  /// Hands an epoch over: an object with a whole number "epoch", which does not decrease. Its members epoch, metrics,
  /// network_topology, phase and timestamp are the record's, all others go under the record's metrics; without a
  /// timestamp it gets one. False only where the memory for it is full and the file cannot be written either, or the
  /// cache has ended. Throws DataError for what is no such object, or not UTF-8, with nothing handed over. Costs a look
  /// at the value, and a move.
  bool epoch(json record);
  /// The network as it is now: under "latest" of the topology and as "topology_update" on `<namespace>topology`. Of
  /// several that come before the first is sent the newest is. Throws DataError for text that is not UTF-8.
  bool topology(json value);
  /// Calls `handler(const Command&)` for start, pause, resume, stop and reset on a thread of its own, and tells on
  /// `<namespace>events` that it was done, "command_acknowledged" {command, params, run, status, error}: "done", or
  /// "failed" where the handler threw. Another handler takes the place of the one before. Not from within a handler.
  template <class Handler>
  void on_command(Handler handler) {
    listen([handler = std::move(handler)](const Command& command) mutable { handler(command); });
  }
  /// Waits, `within` at most, until all that was handed over is in the backend: is it? False too while Redis is away
  /// and its place is taken by files or memory, and once after the run has refused records, which were put aside.
  template <class Rep, class Period>
  bool flush(std::chrono::duration<Rep, Period> within) {
    return flush_within(std::chrono::ceil<milliseconds>(within));
  }
  /// Epochs handed over that are not durable yet; those in the file, which the process's end does not take, included.
  /// If it ended now, so many would be lost at most.
  std::size_t backlog() const;

 private:
  using Core = detail::RecorderCore<CascorWhenUsed>;
  Recorder(std::shared_ptr<detail::HistoryLife<CascorWhenUsed>> life, std::string_view run,
           const RecorderOptions& options);
  bool flush_within(milliseconds time);
  void listen(std::function<void(const Command&)> handler);
  Subscription obeying(std::function<void(const Command&)> handler);

  std::unique_ptr<Core> core_;
  std::unique_ptr<detail::RecorderCommands<CascorWhenUsed>> commands_;  // end first
};

using TrainingRecorder = Recorder<>;

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/recorder.ipp"
#endif
