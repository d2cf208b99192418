// The policy of a shard: one of the two, chosen when the cache is made.
#pragma once

#include <cstdint>

#include "cascor/core/eviction.hpp"
#include "cascor/memory/lru_policy.hpp"
#include "cascor/memory/s3fifo_policy.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Guarded by the shard's lock, but for expect().
template <class CascorWhenUsed = void>
class EitherPolicy {
 public:
  using S3Fifo = S3FifoPolicy<CascorWhenUsed>;

  /// Once, before anything else.
  void set_up(Eviction eviction) noexcept { is_lru_ = eviction == Eviction::lru; }
  /// Calls it with the policy.
  template <class Use>
  void use(Use&& use) noexcept {
    if (is_lru_) {
      use(lru_);
    } else {
      use(s3fifo_);
    }
  }
  LruPolicy& lru() noexcept { return lru_; }
  /// Has brought near what is looked at first when this hash is inserted. Takes no lock.
  void expect(std::uint64_t hash) const noexcept {
    if (!is_lru_) s3fifo_.expect(hash);
  }
  /// Moves every entry to a list, and all memory that the policy has into `emptied`.
  void clear(EntryList& to, S3Fifo& emptied) noexcept {
    use([&to](auto& policy) { policy.give_all(to); });
    s3fifo_.swap(emptied);
  }

 private:
  LruPolicy lru_;
  S3Fifo s3fifo_;
  bool is_lru_ = true;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
