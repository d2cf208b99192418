// When a journal's bytes must have reached the disk: a choice that the configuration names and the journal carries out.
#pragma once

#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// When what was appended to a run's journal is forced to the disk. Whatever is chosen survives the process; the choice
/// is about the machine losing power.
enum class HistoryFsync {
  always,    ///< Before an append returns; callers at once share one fsync.
  interval,  ///< Once a second at most: the last second may be lost.
  never      ///< When the system likes.
};

/// "always", "interval", "never": the words of the configuration. O(1); never throws.
constexpr std::string_view to_string(HistoryFsync when) noexcept {
  switch (when) {
    case HistoryFsync::always: return "always";
    case HistoryFsync::interval: return "interval";
    case HistoryFsync::never: return "never";
  }
  return "unknown";
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
