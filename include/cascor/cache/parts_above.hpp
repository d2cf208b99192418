// What the rooms above the cache keep with an engine: made when it is first asked for, ended before the engine is.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/cache/engine.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// One such part. It is made as `Part{engine}`, and known by `Part::part_name`.
class PartAbove {
 public:
  PartAbove() = default;
  PartAbove(const PartAbove&) = delete;
  PartAbove& operator=(const PartAbove&) = delete;
  virtual ~PartAbove() = default;
  /// The engine is about to go, and still serves: ends the threads that use it. Called once, on every part in the order
  /// in which they were made, before any of them is destroyed.
  virtual void end() noexcept = 0;
};

/// The mutex guards the list; no part is made, ended or destroyed under it. Safe from any thread.
template <class CascorWhenUsed>
class PartsAbove {
 public:
  PartsAbove() = default;
  PartsAbove(const PartsAbove&) = delete;
  PartsAbove& operator=(const PartsAbove&) = delete;
  ~PartsAbove() { end(); }

  /// Ends and destroys all that there are.
  void end() noexcept {
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].part->end();
    while (!parts_.empty()) parts_.pop_back();
  }

  /// The part, which is made if there is none yet; of several threads that make it at once, one's stays.
  template <class Part>
  Part& get(Engine& engine) {
    if (Part* const there = find<Part>()) return *there;
    auto made = std::make_unique<Part>(engine);
    const std::lock_guard lock{mutex_};
    if (PartAbove* const there = look_up(Part::part_name)) return static_cast<Part&>(*there);
    return static_cast<Part&>(*parts_.emplace_back(Named{Part::part_name, std::move(made)}).part);
  }
  /// The part, or null.
  template <class Part>
  Part* find() {
    const std::lock_guard lock{mutex_};
    return static_cast<Part*>(look_up(Part::part_name));
  }

 private:
  struct Named {
    std::string_view name;
    std::unique_ptr<Dependent<PartAbove, CascorWhenUsed>> part;
  };
  PartAbove* look_up(std::string_view name) const noexcept {
    for (const Named& named : parts_) {
      if (named.name == name) return named.part.get();
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<Named> parts_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
