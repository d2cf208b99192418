// Which keys carry a tag: what memory has to know to remove them without looking at every key, and what a process
// remembers of the keys that it has tagged in Redis.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cascor/memory/stored_value.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The keys under each tag. It may know more than there is, as it is not told what expires, is evicted or overwritten:
/// the value says itself which tags it carries. But each key that is added has two others looked at, and what is no
/// longer there is dropped, so that it never holds many more than the cache does. O(1) a tag.
/// One mutex guards it; nothing else is called under it: `is_there` may end values whose destructors use the cache.
/// Safe from any thread.
template <class CascorWhenUsed = void>
class TagIndex {
 public:
  /// Call it when the value is there: who takes the tag from then on finds it.
  template <class IsThere>
  void add(std::string_view key, const ValueTags& tags, const IsThere& is_there) {
    for (const std::string& tag : tags.names) {
      insert(tag, key);
      for (int looks = 0; looks < 2; ++looks) {
        const Looked oldest = look();
        if (!oldest.key.empty() && !is_there(std::string_view{oldest.key})) forget_unless_added(oldest);
      }
    }
  }
  /// Takes all keys of a tag out.
  std::vector<std::string> take(const std::string& tag);
  void clear();
  /// Pairs of a tag and a key.
  std::size_t size() const {
    const std::lock_guard lock{mutex_};
    return ring_.size();
  }

 private:
  struct Pair {
    std::string key;
    const std::string* tag = nullptr;  // tags_'s own
    bool looked_at = false;            // since it was added last
  };
  using Place = typename std::list<Pair>::iterator;
  struct Looked {
    std::string tag;
    std::string key;  // empty: there is none
  };
  void insert(const std::string& tag, std::string_view key);
  Looked look();
  void forget_unless_added(const Looked& pair);

  mutable std::mutex mutex_;
  std::list<Pair> ring_;  // in the order in which they will be looked at
  std::unordered_map<std::string, std::unordered_map<std::string_view, Place>> tags_;
};

/// What this process tagged in Redis, the newest `most` keys, so that a key written without a tag that it had loses it.
/// One mutex guards it. any() is one load. Safe from any thread.
template <class CascorWhenUsed = void>
class TaggedKeys {
 public:
  static constexpr std::size_t most = 10'000;
  using Tags = std::shared_ptr<const ValueTags>;

  bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  /// What it had last, null for nothing; without those that are in `kept`.
  std::vector<std::string> former(std::string_view key, const ValueTags* kept) const;
  /// What it has now.
  void note(std::string_view key, Tags tags);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
  };
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Tags, Hash, std::equal_to<>> keys_;
  std::deque<Dependent<std::string, CascorWhenUsed>>
      order_;  // in which they were noted; some may be gone, or come twice
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/tags.ipp"
#endif
