// What passes between the typed facade and the engine below it when a value is computed.
#pragma once

#include <memory>
#include <string_view>

#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What a computation gave: a value with its bytes and its decoded form, or nothing.
struct Computed {
  StoredValue value;
  bool absent = false;
};

/// An application's function, its type and the codec hidden.
class Computation {
 public:
  Computation() = default;
  Computation(const Computation&) = delete;
  Computation& operator=(const Computation&) = delete;
  virtual ~Computation() = default;

  /// Runs it, and encodes what it gives. Throws what it throws, or DataError where that does not encode.
  virtual Computed run(std::string_view key) = 0;
  /// One that outlives the call; then this one is not run any more. Null where the function cannot be copied or moved.
  virtual std::unique_ptr<Computation> kept() = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
