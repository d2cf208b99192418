#pragma once

#include <memory>
#include <mutex>

#include "cascor/core/invalidations.hpp"
#include "cascor/core/log.hpp"
#include "cascor/training/changes.hpp"
#include "cascor/training/event_hub.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// Hears of changes as long as the engine lives, and so longer than the subscriptions do.
template <class CascorWhenUsed>
class ChangeHearer final : public ChangeListener {
 public:
  using Table = EventTable<CascorWhenUsed>;
  explicit ChangeHearer(std::shared_ptr<Table> table) noexcept : table_{std::move(table)} {}
  void key_changed(std::string_view key) noexcept override {
    try {
      (void)table_->publish_here(key, {});
    } catch (...) {  // no memory for it: what changed is not known then
      table_->gap_everywhere();
    }
  }
  void any_changed(FlushReason /*why*/) noexcept override { table_->gap_everywhere(); }

 private:
  const std::shared_ptr<Table> table_;
};

// The watches of one engine. The flag is set once; safe from any thread.
template <class CascorWhenUsed>
class Watches final : public PartAbove {
 public:
  static constexpr std::string_view part_name = "watches";
  using One = EventDelivery<CascorWhenUsed>;

  explicit Watches(Engine& engine)
      : engine_{engine},
        deliveries_{engine.above().template get<Deliveries<CascorWhenUsed>>(engine)},
        table_{std::make_shared<EventTable<CascorWhenUsed>>(nullptr)} {}
  void end() noexcept override {}

  Subscription watch(std::string_view pattern, typename One::Handler handler, typename One::OnGap on_gap) {
    typename One::Topics topics;
    topics.push_back({TopicKind::pattern, engine_.key_space().pattern(pattern)});
    const auto delivery = std::make_shared<One>(engine_.log(), "a watch of " + printable(topics.front().name),
                                                std::move(topics), std::move(handler), std::move(on_gap), table_);
    deliveries_.start(delivery);
    Subscription subscription{delivery};
    table_->add(delivery);
    std::call_once(hears_, [this] { engine_.listen(std::make_shared<ChangeHearer<CascorWhenUsed>>(table_)); });
    return subscription;
  }

 private:
  Engine& engine_;
  Deliveries<CascorWhenUsed>& deliveries_;
  const std::shared_ptr<EventTable<CascorWhenUsed>> table_;
  std::once_flag hears_;
};

CASCOR_CACHE_DEF Subscription watch(Engine& engine, std::string_view pattern,
                                    std::function<void(const Message&)> handler, std::function<void()> on_gap) {
  return engine.above().template get<Watches<CascorWhenUsed>>(engine).watch(pattern, std::move(handler),
                                                                            std::move(on_gap));
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
