// Which bytes this process has last seen under which key of Redis, and which it has written there itself.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/core/value_witness.hpp"
#include "cascor/memory/key_hash.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Numbers under hashes, the most recently put of them: two generations, the younger of which takes the older one's
/// place when it is full. Grows with what it holds up to its bound. Guarded by its owner. O(1).
template <class CascorWhenUsed>
class RecentNumbers {
 public:
  /// `most_slots` is a power of two.
  explicit RecentNumbers(std::size_t most_slots) noexcept : most_slots_{most_slots} {}

  /// `number` is not 0.
  void put(std::uint64_t hash, std::uint64_t number) noexcept {
    if (4 * (young_.used + 1) > 3 * young_.slots.size() && find_in(young_, hash) == 0) make_room();
    if (!young_.slots.empty()) put_in(young_, hash, number);
  }
  /// 0: none.
  std::uint64_t find(std::uint64_t hash) const noexcept {
    const std::uint64_t young = find_in(young_, hash);
    return young != 0 ? young : find_in(old_, hash);
  }
  void clear() noexcept {
    young_ = {};
    old_ = {};
  }
  /// Has something been given up for want of room?
  bool has_forgotten() const noexcept { return has_forgotten_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t number = 0;  // 0: free
  };
  struct Generation {
    std::vector<Dependent<Slot, CascorWhenUsed>> slots;
    std::size_t used = 0;
  };

  static std::size_t slot_of(const Generation& in, std::uint64_t hash) noexcept {
    const std::size_t mask = in.slots.size() - 1;
    std::size_t at = hash & mask;
    while (in.slots[at].number != 0 && in.slots[at].hash != hash) at = (at + 1) & mask;
    return at;
  }
  static std::uint64_t find_in(const Generation& in, std::uint64_t hash) noexcept {
    return in.slots.empty() ? 0 : in.slots[slot_of(in, hash)].number;
  }
  static void put_in(Generation& in, std::uint64_t hash, std::uint64_t number) noexcept {
    Slot& slot = in.slots[slot_of(in, hash)];
    if (slot.number == 0) ++in.used;
    slot = {hash, number};
  }
  void make_room() noexcept {
    constexpr std::size_t fewest_slots = 64;
    try {
      Generation larger;
      if (young_.slots.size() < most_slots_) {
        larger.slots.resize(young_.slots.empty() ? std::min(fewest_slots, most_slots_) : 2 * young_.slots.size());
        for (const Slot& slot : young_.slots) {
          if (slot.number != 0) put_in(larger, slot.hash, slot.number);
        }
        young_ = std::move(larger);
        return;
      }
      larger.slots.resize(most_slots_);
      has_forgotten_ = has_forgotten_ || old_.used > 0;
      old_ = std::exchange(young_, std::move(larger));
    } catch (const std::bad_alloc&) {
      clear();
      has_forgotten_ = true;
    }
  }

  std::size_t most_slots_;
  Generation young_;
  Generation old_;
  bool has_forgotten_ = false;
};

/// That certain bytes were seen under a key.
struct Sight {
  std::uint64_t key = 0;
  std::uint64_t bytes = 0;
};

/// Remembers 64-bit hashes of keys and of bytes, for as many keys as its bound has room for, those used last. What this
/// process writes is noted before it is sent, whatever becomes of it, so that what may have arrived is known for its
/// own. Each stripe's mutex guards its tables; nothing else runs under it. Safe from any thread.
template <class CascorWhenUsed = void>
class SeenValues final : public ValueWitness {
 public:
  /// 0: nothing is remembered.
  explicit SeenValues(std::size_t max_bytes) noexcept : max_bytes_{max_bytes} {
    if (max_bytes_ == 0) return;
    constexpr std::size_t bytes_a_slot = 2 * 2 * sizeof(std::uint64_t);  // in each of two generations
    const std::size_t slots = std::bit_floor(max_bytes_ / stripes_.size() / bytes_a_slot * 4 / 5);
    for (Stripe& stripe : stripes_) {
      stripe.last = RecentNumbers<CascorWhenUsed>{std::max<std::size_t>(slots, 8)};
      stripe.own = RecentNumbers<CascorWhenUsed>{std::max<std::size_t>(slots / 4, 8)};
    }
  }

  void sending(std::string_view key, std::string_view bytes) noexcept override {
    if (max_bytes_ == 0) return;
    const std::uint64_t of_key = hash_(key);
    Stripe& stripe = stripe_of(of_key);
    const std::uint64_t of_both = both(of_key, digest(bytes));
    const std::lock_guard lock{stripe.mutex};
    stripe.own.put(of_both, 1);
  }
  void saw(std::string_view key, std::string_view bytes) noexcept override {
    if (max_bytes_ != 0) put_last(hash_(key), digest(bytes));
  }
  void lost_track(std::string_view key) noexcept override {
    if (max_bytes_ != 0) put_last(hash_(key), untracked);
  }
  /// To be told later, by then_saw().
  Sight sight(std::string_view key, std::string_view bytes) const noexcept { return {hash_(key), digest(bytes)}; }
  void then_saw(const Sight& sight) noexcept {
    if (max_bytes_ != 0) put_last(sight.key, sight.bytes);
  }
  /// Any key may have been changed to what is not known here.
  void lost_track_of_all() noexcept {
    for (Stripe& stripe : stripes_) {
      const std::lock_guard lock{stripe.mutex};
      stripe.last.clear();
      stripe.tracks_all = false;
    }
  }

  /// What this process knows of bytes that it finds under a key.
  enum class Verdict : unsigned char {
    known,    ///< the last that it has seen there, or what it has written there itself: nothing newer
    changed,  ///< somebody else has written since it looked last; or it has never looked, which is the same to it
    unknown,  ///< it may have seen them, or written: it does not remember
  };
  Verdict verdict(std::string_view key, std::string_view bytes) const noexcept {
    const std::uint64_t of_key = hash_(key);
    const std::uint64_t of_bytes = digest(bytes);
    const Stripe& stripe = stripe_of(of_key);
    const std::lock_guard lock{stripe.mutex};
    const std::uint64_t last = stripe.last.find(of_key);
    if (last == of_bytes || stripe.own.find(both(of_key, of_bytes)) != 0) return Verdict::known;
    const bool remembers = last != 0 ? last != untracked : stripe.tracks_all && !stripe.last.has_forgotten();
    return remembers && max_bytes_ != 0 ? Verdict::changed : Verdict::unknown;
  }

 private:
  static constexpr std::uint64_t untracked = 1;
  struct alignas(64) Stripe {
    mutable std::mutex mutex;
    RecentNumbers<CascorWhenUsed> last{0};  // by key: the digest of the bytes
    RecentNumbers<CascorWhenUsed> own{0};   // by both: 1
    bool tracks_all = true;
  };

  std::uint64_t digest(std::string_view bytes) const noexcept { return hash_(bytes) | 2U; }  // none of the two others
  static std::uint64_t both(std::uint64_t key, std::uint64_t bytes) noexcept {
    return (key ^ std::rotl(bytes, 32)) * 0x9E3779B97F4A7C15;
  }
  Stripe& stripe_of(std::uint64_t of_key) noexcept { return stripes_[of_key >> 61U]; }
  const Stripe& stripe_of(std::uint64_t of_key) const noexcept { return stripes_[of_key >> 61U]; }
  void put_last(std::uint64_t of_key, std::uint64_t number) noexcept {
    Stripe& stripe = stripe_of(of_key);
    const std::lock_guard lock{stripe.mutex};
    stripe.last.put(of_key, number);
  }

  const KeyHash hash_;
  const std::size_t max_bytes_;
  std::array<Stripe, 8> stripes_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
