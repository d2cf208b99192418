// The tags of a value, by their full names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/key.hpp"
#include "cascor/memory/stored_value.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The full name of a tag: `<namespace>tag:<name>`. Throws DataError for an empty one, or one over max_key_bytes.
CASCOR_CACHE_FN std::string tag_key(const KeySpace& names, std::string_view name);
/// The tags of a value under `key`, by full names, each once; null for none.
CASCOR_CACHE_FN std::shared_ptr<const ValueTags> tags_of(const KeySpace& names, std::string_view key,
                                                         const std::vector<std::string>& tags);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/tag_names.ipp"
#endif
