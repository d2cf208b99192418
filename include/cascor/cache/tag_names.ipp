#pragma once

#include <algorithm>
#include <utility>

#include "cascor/cache/tag_names.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF std::string tag_key(const KeySpace& names, std::string_view name) {
  if (name.empty() || name.size() > max_key_bytes) {
    throw DataError{name.empty() ? std::string{"an empty tag"} : "a tag of " + std::to_string(name.size()) + " bytes",
                    "Tags have a name of 1 to 1024 bytes, such as \"run-42\"."};
  }
  Dependent<std::string, CascorWhenUsed> full = names.key_namespace();
  return full.append("tag:").append(name);
}

CASCOR_CACHE_DEF std::shared_ptr<const ValueTags> tags_of(const KeySpace& names, std::string_view key,
                                                          const std::vector<std::string>& tags) {
  if (tags.empty()) return nullptr;
  // What the index takes for a pair: a node of the ring with the key's text, and a node and a bucket of the tag's map.
  const std::size_t a_pair =
      heap_block(7 * sizeof(void*)) + heap_block(key.size() + 1) + heap_block(5 * sizeof(void*)) + sizeof(void*);
  auto all = std::make_shared<Dependent<ValueTags, CascorWhenUsed>>();
  for (const std::string& tag : tags) {
    std::string full = tag_key(names, tag);
    if (std::find(all->names.begin(), all->names.end(), full) != all->names.end()) continue;
    all->weight += a_pair + heap_block(full.size() + 1) + sizeof full;
    all->names.push_back(std::move(full));
  }
  all->weight += heap_block(sizeof(ValueTags) + 2 * sizeof(void*));
  return all;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
