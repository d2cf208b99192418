// Who is told which values a remote engine has seen under which keys.
#pragma once

#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Told by the engine, in the thread of the call. Safe from any thread.
class ValueWitness {
 public:
  ValueWitness() = default;
  ValueWitness(const ValueWitness&) = delete;
  ValueWitness& operator=(const ValueWitness&) = delete;
  virtual ~ValueWitness() = default;

  /// These bytes are about to be written under the key; whether they will be is not known yet, and may never be.
  virtual void sending(std::string_view key, std::string_view bytes) noexcept = 0;
  /// The server has these bytes under the key: it has given them, or taken them.
  virtual void saw(std::string_view key, std::string_view bytes) noexcept = 0;
  /// The key is about to be changed to what is not known here.
  virtual void lost_track(std::string_view key) noexcept = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
