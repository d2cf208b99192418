// Counters in memory, which count as Redis's do.
#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/memory/memory_backend.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Safe from any thread.
template <class CascorWhenUsed = void>
class MemoryCounting {
 public:
  /// Adds `by` to the integer under the key, 0 where there is none, gives it the TTL, and returns the sum; what carries
  /// tags keeps them. Throws what Redis says of a value that is no integer, and of a sum that is none of 64 bits.
  static std::int64_t increment(MemoryBackend<CascorWhenUsed>& memory, std::string_view key, std::int64_t by,
                                milliseconds ttl) {
    while (true) {
      const StoredHandle held = memory.get(key);
      const std::int64_t sum = held ? sum_of(*held->bytes(), by) : by;
      auto value = Dependent<StoredValue, CascorWhenUsed>{std::make_shared<const Text>(std::to_string(sum))}.tagged(
          held ? held->tags() : std::shared_ptr<const ValueTags>{});
      if (held ? memory.replace(key, held, std::move(value), ttl)
               : memory.set_if(key, std::move(value), ttl, OnlyIf::absent) != SetOutcome::condition_failed) {
        return sum;
      }
    }
  }

 private:
  using Text = Dependent<std::string, CascorWhenUsed>;

  static std::int64_t sum_of(std::string_view text, std::int64_t by) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || std::to_string(number) != text) {
      throw ResponseError{"ERR value is not an integer or out of range",
                          "Count under a key that holds nothing else than the counter."};
    }
    if (__builtin_add_overflow(number, by, &number)) {
      throw ResponseError{"ERR increment or decrement would overflow", "Set the counter back."};
    }
    return number;
  }
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
