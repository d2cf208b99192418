// Following a run: a thread that reads on from where it was, and calls a handler for each record.
//
// Locking rule: mutex_ guards nothing but the pause between two attempts.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cascor/cache/backend_choice.hpp"
#include "cascor/core/record_log.hpp"
#include "cascor/redis/record_log.hpp"
#include "cascor/training/delivery.hpp"
#include "cascor/training/journal.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Where it was is the id of the last record that the handler was called for, so that nothing is left out or repeated
/// however often the source goes and comes back. On Redis it has a connection of its own, in which it waits.
template <class CascorWhenUsed = void>
class HistoryFollower final : public Delivery<CascorWhenUsed> {
 public:
  using Entries = Dependent<std::vector<LogEntry>, CascorWhenUsed>;
  using Handler = Dependent<std::function<void(LogEntry)>, CascorWhenUsed>;

  HistoryFollower(Log log, std::string run, RecordId after, Handler handler,
                  std::shared_ptr<Journal<CascorWhenUsed>> journal)
      : Delivery<CascorWhenUsed>{std::move(log), "following a run"},
        run_{std::move(run)},
        after_{after},
        handler_{std::move(handler)},
        journal_{std::move(journal)} {}
  HistoryFollower(Log log, std::string run, RecordId after, Handler handler, RemoteStore<CascorWhenUsed> remote,
                  std::string key_namespace)
      : Delivery<CascorWhenUsed>{std::move(log), "following a run"},
        run_{std::move(run)},
        after_{after},
        handler_{std::move(handler)},
        remote_{std::move(remote)},
        stream_{std::make_unique<redis::StreamLog<CascorWhenUsed>>(*remote_.store, key_namespace, 0)} {}

 private:
  void deliver() override;
  void on_close() noexcept override;
  Entries next();
  void pause(milliseconds time);

  const std::string run_;
  RecordId after_;
  Handler handler_;
  std::shared_ptr<Journal<CascorWhenUsed>> journal_;  // or
  RemoteStore<CascorWhenUsed> remote_;
  std::unique_ptr<redis::StreamLog<CascorWhenUsed>> stream_;
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/follower.ipp"
#endif
