// A folder of journals that wait for one Redis, within one that may hold such folders for several.
#pragma once

#include <string>

#include "cascor/core/log.hpp"
#include "cascor/training/destination.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The file in such a folder that says whom it waits for.
inline constexpr std::string_view destination_file = "destination.json";

/// Writes that file into `folder`, if it is not there. Never throws: the folder's name says it too.
CASCOR_CACHE_FN void mark_folder(const std::string& folder, const std::string& text) noexcept;

/// `base`/<destination>, for journals to be made in, which are to be marked by mark_folder(). Journals in `base` that
/// wait for the same destination under an older list of its nodes are moved into it, unless somebody is writing them;
/// of all others, and of those that do not say whom they wait for, a WARNING tells: they stay as they are. A look at
/// each folder in `base`. What the system refuses is a WARNING too.
template <class CascorWhenUsed>
std::string waiting_folder(const std::string& base, const Destination<CascorWhenUsed>& destination, const Log& log);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/waiting_folder.ipp"
#endif
