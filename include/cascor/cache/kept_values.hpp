// Values that outlive their entry in this process, to stand in for it when it cannot be computed.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/core/glob.hpp"
#include "cascor/memory/memory_backend.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// They lie in the memory tier under keys that no caller can name: within its limit, and the first to go when room is
/// short, as nobody reads them. One key has one: a value, or the note that there is none. Whatever changes a key drops
/// it, and overtakes what is about to be kept for it: a MemoryBackend::Load, begun before the value is looked for.
/// Until something was kept, a change costs one load here. Safe from any thread.
template <class CascorWhenUsed = void>
class KeptValues {
  using Memory = MemoryBackend<CascorWhenUsed>;

 public:
  using Load = typename Memory::Load;
  template <class T>
  using Later = Dependent<T, CascorWhenUsed>;
  using Value = Later<StoredValue>;
  using Handle = Later<StoredHandle>;

  /// When an entry of Redis ends, kept beside its bytes as if it were a decoded form.
  struct Ends {
    TimePoint at;
  };
  /// The note that there is no value.
  struct Nothing {};

  explicit KeptValues(Memory& memory) noexcept : memory_{memory} {}

  /// Something will be kept soon. To be called before the entry itself is looked for.
  void will_be_used() noexcept {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true);
  }
  bool used() const noexcept { return used_.load(std::memory_order_relaxed); }

  void begin(std::optional<Load>& load, std::string_view key) { load.emplace(memory_, FullKey{mark, key}.view()); }
  /// Keeps `value`, which was found after `load` was begun, unless something has overtaken it.
  void keep(const Load& load, Value value, milliseconds how_long) {
    (void)memory_.publish(load, std::move(value), Ttl{how_long});
  }
  Handle get(std::string_view key) { return memory_.get(FullKey{mark, key}.view()); }
  /// Keeps what is there for longer, or less long.
  void touch(std::string_view key, milliseconds how_long) {
    (void)memory_.touch(FullKey{mark, key}.view(), Ttl{how_long});
  }
  void drop(std::string_view key) noexcept {
    if (!used()) return;
    try {
      (void)memory_.erase(FullKey{mark, key}.view());
    } catch (...) {  // no memory for a long key: rather nothing kept than something that was erased
      (void)memory_.erase_if([](std::string_view each) { return is_kept_aside(each); }, mark);
    }
  }
  /// For whose key `matches` is true (called under a lock: it must not use the cache).
  template <class Matches>
  void drop_if(const Matches& matches) {
    if (!used()) return;
    (void)memory_.erase_if([&](std::string_view each) { return is_kept_aside(each) && matches(each.substr(1)); }, mark);
  }

 private:
  static constexpr std::string_view mark{&kept_aside_mark, 1};

  Memory& memory_;
  std::atomic<bool> used_{false};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
