// The header of an entry, packed into 24 bytes: what a shard, its policy and the handles keep of it.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Why an entry left. Invalidated: with its group or with everything, before now; what leaves now is its memory.
enum class Removal : unsigned char { none, erased, replaced, expired, evicted, invalidated };

/// Bytes that an entry is charged, in 16 bits: units of 8, exact up to 16 KiB, rounded up by a thousandth at most
/// beyond.
struct Charge {
  static constexpr std::size_t most = std::size_t{4095} << 33U;
  static constexpr std::uint16_t pack(std::size_t bytes) noexcept {
    const std::size_t units = (bytes + 7) / 8;
    if (units < 2048) return static_cast<std::uint16_t>(units);
    const unsigned shift = static_cast<unsigned>(std::bit_width(units)) - 12;
    const std::size_t rounded = (units + (std::size_t{1} << shift) - 1) >> shift;  // 2048 to 4096
    return static_cast<std::uint16_t>(((shift + 1) << 11U) + (rounded - 2048));    // a carry goes to the exponent
  }
  static constexpr std::size_t unpack(std::uint16_t packed) noexcept {
    const std::size_t exponent = packed >> 11U;
    const std::size_t rest = packed & 2047U;
    return exponent == 0 ? rest * 8 : ((2048 + rest) << (exponent - 1)) * 8;
  }
  static constexpr std::size_t round_up(std::size_t bytes) noexcept { return unpack(pack(bytes)); }
};

/// Links, uses and charge are guarded by the shard's lock; `bits` is written by readers too, who only set more of it.
class PolicyNode {
 public:
  PolicyNode() = default;
  PolicyNode(const PolicyNode&) = delete;
  PolicyNode& operator=(const PolicyNode&) = delete;
  ~PolicyNode() = default;

  /// Links hold 48 bits: what user space has on every system this library is for. Can this one be linked?
  bool can_be_linked() const noexcept { return (reinterpret_cast<std::uintptr_t>(this) >> 48U) == 0; }
  PolicyNode* newer() const noexcept { return joined(newer_low_, newer_high_); }
  PolicyNode* older() const noexcept { return joined(older_low_, older_high_); }
  void newer(PolicyNode* node) noexcept { split(node, newer_low_, newer_high_); }
  void older(PolicyNode* node) noexcept { split(node, older_low_, older_high_); }

  std::size_t charge() const noexcept { return Charge::unpack(charge_); }
  void charge(std::size_t bytes) noexcept { charge_ = Charge::pack(bytes); }

  /// By a reader: it was used, and a thread's slot may hold it. Writes nothing once it was used three times.
  void used() noexcept {
    const std::uint8_t before = bits_.load(std::memory_order_relaxed);
    const auto after = static_cast<std::uint8_t>((before | seen_bit) + ((before & uses_mask) < most_uses ? 1 : 0));
    if (after != before) bits_.store(after, std::memory_order_relaxed);
  }
  /// By a reader that does not count as a use.
  void seen() noexcept { set(seen_bit, true); }
  bool was_seen() const noexcept { return has(seen_bit); }
  /// By who has the shard closed and knows that no thread's slot holds it.
  void not_seen() noexcept { set(seen_bit, false); }

  static constexpr std::uint8_t most_uses = 3;
  std::uint8_t uses() const noexcept { return bits_.load(std::memory_order_relaxed) & uses_mask; }
  void uses(std::uint8_t count) noexcept {
    bits_.store(static_cast<std::uint8_t>((bits_.load(std::memory_order_relaxed) & ~uses_mask) | count),
                std::memory_order_relaxed);
  }
  bool in_main() const noexcept { return has(main_bit); }
  void in_main(bool is) noexcept { set(main_bit, is); }
  bool has_times() const noexcept { return has(times_bit); }
  void has_times(bool is) noexcept { set(times_bit, is); }
  /// Has the expiry index a record of its key, for its end or earlier?
  bool is_awaited() const noexcept { return has(awaited_bit); }
  void is_awaited(bool is) noexcept { set(awaited_bit, is); }

  /// Of an entry that has left, in place of a link.
  Removal removal() const noexcept { return static_cast<Removal>(newer_low_); }
  void removal(Removal why) noexcept { newer_low_ = static_cast<std::uint32_t>(why); }

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  bool is_alone() const noexcept { return references_.load(std::memory_order_acquire) == 1; }
  /// Was that the last one?
  bool let_go() noexcept { return references_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

 protected:
  // When it was stored, to a fifteenth of a second, for entries without times of their own.
  static constexpr unsigned coarse_shift = 26;
  std::uint32_t coarse_stored_ = 0;
  std::uint8_t key_size_ = 0;

 private:
  static constexpr std::uint8_t uses_mask = 0x03;
  static constexpr std::uint8_t seen_bit = 0x04;
  static constexpr std::uint8_t main_bit = 0x08;
  static constexpr std::uint8_t times_bit = 0x10;
  static constexpr std::uint8_t awaited_bit = 0x20;

  bool has(std::uint8_t bit) const noexcept { return (bits_.load(std::memory_order_relaxed) & bit) != 0; }
  void set(std::uint8_t bit, bool is) noexcept {
    const std::uint8_t before = bits_.load(std::memory_order_relaxed);
    const auto after = static_cast<std::uint8_t>(is ? before | bit : before & ~bit);
    if (after != before) bits_.store(after, std::memory_order_relaxed);
  }
  static PolicyNode* joined(std::uint32_t low, std::uint16_t high) noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return reinterpret_cast<PolicyNode*>(static_cast<std::uintptr_t>(high) << 32U | low);
  }
  static void split(PolicyNode* node, std::uint32_t& low, std::uint16_t& high) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(node);
    low = static_cast<std::uint32_t>(address);
    high = static_cast<std::uint16_t>(address >> 32U);
  }

  std::atomic<std::uint8_t> bits_{0};
  std::uint16_t charge_ = 0;
  std::atomic<std::uint32_t> references_{1};
  std::uint16_t newer_high_ = 0;
  std::uint16_t older_high_ = 0;
  std::uint32_t newer_low_ = 0;
  std::uint32_t older_low_ = 0;
};
static_assert(sizeof(PolicyNode) == 24);
static_assert(sizeof(void*) == 8, "the memory cache is for 64-bit machines");

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
