// Who in this process listens to which channel, and the way of a message to each of them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cascor/cache/engine.hpp"
#include "cascor/cache/parts_above.hpp"
#include "cascor/core/events.hpp"
#include "cascor/training/delivery.hpp"
#include "cascor/training/event_queue.hpp"
#include "cascor/training/message.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
class EventTable;

/// One subscription: its queue, and the thread that empties it into the handler. The mutex guards the queue; it is
/// taken under the table's, and nothing is called under it.
template <class CascorWhenUsed = void>
class EventDelivery final : public Delivery<CascorWhenUsed> {
 public:
  using Queue = EventQueue<CascorWhenUsed>;
  using Table = EventTable<CascorWhenUsed>;
  using Handler = Dependent<std::function<void(const Message&)>, CascorWhenUsed>;
  using OnGap = Dependent<std::function<void()>, CascorWhenUsed>;
  using Topics = Dependent<std::vector<Topic>, CascorWhenUsed>;

  EventDelivery(Log log, std::string what, Topics topics, Handler handler, OnGap on_gap, std::shared_ptr<Table> table)
      : Delivery<CascorWhenUsed>{std::move(log), std::move(what)},
        topics_{std::move(topics)},
        handler_{std::move(handler)},
        on_gap_{std::move(on_gap)},
        table_{std::move(table)} {}

  const Topics& topics() const noexcept { return topics_; }
  /// Several of its patterns may match one channel; the first of them brings the message.
  bool takes(TopicKind kind, std::string_view name, std::string_view channel) const noexcept;
  void push(typename Queue::Shared message);
  void gap();

 private:
  void deliver() override;
  void on_close() noexcept override;

  const Topics topics_;
  Handler handler_;  // the thread's own once it runs
  OnGap on_gap_;
  const std::shared_ptr<Table> table_;

  std::mutex mutex_;
  std::condition_variable wake_;
  Queue queue_;
  bool waits_ = false;  // so that nobody pays for waking a thread that is awake
};

/// The subscriptions by topic. The mutex guards them and the order of messages: who hands one out holds it until all
/// have it in their queues, so that all see one order. Under it the bus is told of topics, which it does not wait for.
template <class CascorWhenUsed = void>
class EventTable final : public EventSink {
 public:
  using One = EventDelivery<CascorWhenUsed>;
  /// `bus` is null where memory is the backend.
  explicit EventTable(EventBus* bus) noexcept : bus_{bus} {}

  void add(const std::shared_ptr<One>& delivery);
  void remove(const One& delivery) noexcept;
  /// The bus is not used after this.
  void forget_bus() noexcept;

  void message(TopicKind kind, std::string_view name, std::string_view channel, std::string_view payload) override;
  void gap(TopicKind kind, std::string_view name) override;
  /// A gap for every subscription.
  void gap_everywhere() noexcept;
  std::size_t publish_here(std::string_view channel, std::string_view payload) override;

 private:
  using Listeners = std::vector<std::shared_ptr<One>>;
  using Shared = typename EventQueue<CascorWhenUsed>::Shared;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using Names = std::unordered_map<std::string, Listeners, Hash, std::equal_to<>>;

  Names& names(TopicKind kind) noexcept { return kind == TopicKind::channel ? channels_ : patterns_; }
  std::size_t hand_out(const Listeners& to, TopicKind kind, std::string_view name, std::string_view channel,
                       std::string_view payload, Shared& message);

  std::mutex mutex_;
  EventBus* bus_;
  Names channels_;
  Names patterns_;
};

/// The hub of one engine: makes subscriptions. Safe from any thread.
template <class CascorWhenUsed = void>
class EventHub final : public PartAbove {
 public:
  static constexpr std::string_view part_name = "events";
  using One = EventDelivery<CascorWhenUsed>;

  explicit EventHub(Engine& engine)
      : engine_{engine},
        deliveries_{
            static_cast<Dependent<Engine, CascorWhenUsed>&>(engine).above().template get<Deliveries<CascorWhenUsed>>(
                engine)},
        table_{std::make_shared<EventTable<CascorWhenUsed>>(engine.events())} {}
  void end() noexcept override;

  /// Returns once the server has confirmed it, or, without `strict`, once it is known that the server is away: it is
  /// confirmed later then, with a gap. Throws DataError for a name that is empty, or none at all; the server's refusal;
  /// with `strict` whatever kept it.
  Subscription subscribe(TopicKind kind, std::vector<std::string> names, typename One::Handler handler,
                         typename One::OnGap on_gap, TimePoint until);
  /// How many receivers it reached: connections, by the server's count, or with memory subscriptions of this process.
  std::size_t publish(std::string_view channel, std::string_view payload, TimePoint until);

 private:
  static typename One::Topics topics_of(TopicKind kind, std::vector<std::string> names);

  Engine& engine_;
  Deliveries<CascorWhenUsed>& deliveries_;
  const std::shared_ptr<EventTable<CascorWhenUsed>> table_;
};

/// The hub of an engine.
template <class CascorWhenUsed = void>
EventHub<CascorWhenUsed>& events_of(Engine& engine) {
  return static_cast<Dependent<Engine, CascorWhenUsed>&>(engine).above().template get<EventHub<CascorWhenUsed>>(engine);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/event_hub.ipp"
#endif
