// The class of the engine that composes the tiers; its members are defined in tiered_engine.ipp, which alone includes
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/cache/computations.hpp"
#include "cascor/cache/engine_health.hpp"
#include "cascor/cache/engine_parts.hpp"
#include "cascor/cache/parts_above.hpp"
#include "cascor/cache/write_behind.hpp"
#include "cascor/core/events.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// See Engine.
template <class CascorWhenUsed>
class TieredEngine final : public Engine {
  template <class T>
  using Later = Dependent<T, CascorWhenUsed>;
  using AllFound = Later<std::vector<Found>>;
  using Results = Later<std::vector<StoreResult>>;
  using Keys = Later<std::vector<std::string>>;
  using Left = Later<std::optional<milliseconds>>;
  using Counted = Later<CacheResult<std::int64_t>>;

 public:
  explicit TieredEngine(const CacheConfig& config) : parts_{config} {}
  ~TieredEngine() override;

  const KeySpace& key_space() const noexcept override { return *parts_.keys; }
  const CacheConfig& config() const noexcept override { return parts_.config; }
  const Log& log() const noexcept override { return parts_.log; }
  const Clock& clock() const noexcept override { return *parts_.clock; }
  bool keeps_decoded() const noexcept override { return !parts_.is_remote(); }
  Found read(Prefix prefix, std::string_view key, TimePoint until) override;
  AllFound read_many(std::span<const std::string_view> keys, TimePoint until) override;
  void count_read(Prefix prefix, CacheStatus status, CacheTier tier) noexcept override;
  void remember(std::string_view key, const Found& found, StoredValue value) noexcept override;
  ComputeAnswer get_or_compute(Prefix prefix, std::string_view key, Computation& work, const ComputeOptions& options,
                               TimePoint until) override {
    return computations_.get_or_compute(prefix, key, work, options, until);
  }
  Results write(std::span<Write> writes, TimePoint until) override;
  bool erase(std::string_view key, TimePoint until) override;
  bool contains(std::string_view key, TimePoint until) override;
  Left ttl(std::string_view key, TimePoint until) override;
  bool touch(Prefix prefix, std::string_view key, Ttl ttl, TimePoint until) override;
  Counted increment(Prefix prefix, std::string_view key, std::int64_t by, Ttl ttl, TimePoint until) override;
  std::size_t erase_matching(const std::string& pattern, TimePoint until) override;
  std::size_t erase_tagged(const std::string& tag, TimePoint until) override;
  std::vector<std::string> keys_matching(const std::string& pattern, std::size_t limit, TimePoint until) override;
  Reply command(std::span<const std::string_view> arguments, TimePoint until) override;
  std::size_t publish(std::string_view channel, std::string_view payload, EventSink& here, TimePoint until) override;
  EventBus* events() noexcept override { return parts_.remote.events.get(); }
  bool remotely(const RemoteCall& call, TimePoint until) override { return parts_.remotely(call, until); }
  void changed(std::string_view key) noexcept override {
    parts_.forget_near(parts_.keys->prefix_of(key), key);
    parts_.tell_changed(parts_.keys->prefix_of(key), key);
  }
  bool is_served_remotely() const noexcept override { return parts_.is_remote() && parts_.fallback->live(); }
  PartsAbove<>& above() noexcept override { return above_; }
  Deadline deadline(TimePoint until) const override { return parts_.deadline(until); }
  void end_events() noexcept override { parts_.end_events(); }
  bool flush(TimePoint until) override;
  BasicHealth<CascorWhenUsed> health() override { return health_of(parts_, behind_.stats().pending); }
  BasicStats<CascorWhenUsed> stats() const override;
  void listen(std::shared_ptr<Dependent<ChangeListener, CascorWhenUsed>> listener) override {
    listener_ = std::move(listener);
    parts_.listener.store(listener_.get(), std::memory_order_release);
    if (parts_.link) parts_.link->open();
  }

 private:
  using Parts = EngineParts<CascorWhenUsed>;
  using Pending = typename Parts::Pending;
  using Why = const CacheError*;

  // Runs a call; what it throws is counted as an error of the prefix, for each key, before it goes on to the caller.
  template <class Call>
  auto counting(Prefix prefix, Count what, const Call& call) {
    return counting(prefix, what, 1, call);
  }
  template <class Call>
  auto counting(Prefix prefix, Count what, std::size_t keys, const Call& call) {
    try {
      return call();
    } catch (const CacheError& error) {
      if (error.code() != ErrorCode::data) parts_.counters.add(prefix, what, keys);
      throw;
    }
  }

  // What a refused call gives: an error of the prefix is counted.
  template <class Given>
  auto failing(Prefix prefix, Given given) {
    return [this, prefix, given = std::move(given)](const CacheError&) {
      parts_.counters.add(prefix, Count::write_error);
      return given;
    };
  }

  // What is near is a hit as long as the server tells of changes, unless it counts as away: then it is stale.
  Found near_hit(std::string_view key) {
    if (parts_.fallback->now().serving == Parts::Serving::memory) return {};
    return parts_.found_near(key);
  }
  Found read_remotely(Prefix prefix, std::string_view key, TimePoint until);
  template <class There, class Here, class Waiting, class Queued>
  std::size_t erase_many(TimePoint until, const There& there, const Here& here, const Waiting& waiting,
                         const Queued& queued);
  AllFound read_all(std::span<const std::string_view> keys, TimePoint until);
  Results write_now(std::span<Write> writes, typename Parts::Ttls ttls, TimePoint until);
  Later<std::shared_ptr<Dependent<ChangeListener, CascorWhenUsed>>>
      listener_;  // the link's thread, which is of the parts, calls it
  Parts parts_;
  Computations<CascorWhenUsed> computations_{parts_, *this};
  Later<std::atomic<bool>> told_unpublished_{false};  // was the last thing that was said of publishing that it fails?
  WriteBehind<CascorWhenUsed> behind_{parts_};        // what it sends goes through the rest
  PartsAbove<CascorWhenUsed> above_;                  // last: it uses the rest
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
