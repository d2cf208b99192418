// The messages of one server: a connection that listens, and the thread that reads it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "cascor/core/events.hpp"
#include "cascor/core/log.hpp"
#include "cascor/core/random.hpp"
#include "cascor/core/store.hpp"
#include "cascor/redis/connection.hpp"
#include "cascor/redis/descriptor.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/stopper.hpp"
#include "cascor/redis/topic_ledger.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// See EventBus. Dials at the first topic, on its own thread, and anew, after a pause, whenever the connection is lost;
/// a silent one is asked (PING) and given up. Only that thread touches the connection; the mutex guards the rest, and
/// neither the network nor the sink is waited for under it. Time is real time, whatever clock the cache has.
template <class CascorWhenUsed = void>
class Subscriber final : public EventBus {
 public:
  struct Options {
    RedisOptions redis;
    milliseconds ask_after{5000};  ///< a PING after so much silence, and so long for its answer
    Log log;
  };

  /// Publishes through `store`, which must outlive it; null for one that only listens.
  Subscriber(Options options, KeyValueStore* store);
  ~Subscriber() override { stop(); }

  std::size_t publish(std::string_view channel, std::string_view payload, Deadline by) override;
  void listen(EventSink& sink, const Topic& topic) override;
  void unlisten(const Topic& topic) override;
  void await(std::span<const Topic> topics, Deadline by) override;
  void stop() noexcept override;

 private:
  using Link = Connection<CascorWhenUsed>;
  using Heard = typename TopicLedger<CascorWhenUsed>::Heard;
  static Deadline within(milliseconds time) { return Deadline{*SystemClock::shared(), time}; }

  void run();
  bool wait_for_work(milliseconds pause);
  void link_lost(const CacheError& error);
  void serve(Link& link);
  void send_commands(Link& link);
  void take_answer(const Reply& reply);

  const Options options_;
  KeyValueStore* const store_;
  const std::string server_;
  cascor::detail::Random random_;
  Stopper<CascorWhenUsed> stopper_;
  Descriptor wake_;            // readable: there is something to send, or the end
  EventSink* sink_ = nullptr;  // set before the thread starts

  std::atomic<bool> is_down_{false};  // the connection was lost, and its next attempt not asked for yet

  std::mutex mutex_;
  std::condition_variable changed_;
  TopicLedger<CascorWhenUsed> ledger_;
  std::string outgoing_;
  std::shared_ptr<const CacheError> failed_;  // why there is no connection; null while there is one, or a first attempt
  bool nudged_ = false;
  bool stopping_ = false;
  bool told_lost_ = false;
  std::thread thread_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/subscriber.ipp"
#endif
