#pragma once

#include <algorithm>
#include <iterator>

#include "cascor/cache/tags.hpp"
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

template <class CascorWhenUsed>
void TagIndex<CascorWhenUsed>::insert(const std::string& tag, std::string_view key) {
  const std::lock_guard lock{mutex_};
  const auto named = tags_.try_emplace(tag).first;
  if (const auto found = named->second.find(key); found != named->second.end()) {
    found->second->looked_at = false;
    return;
  }
  ring_.push_back({std::string{key}, &named->first});
  const Place place = std::prev(ring_.end());
  named->second.emplace(place->key, place);
}

// The oldest one goes to the back.
template <class CascorWhenUsed>
auto TagIndex<CascorWhenUsed>::look() -> Looked {
  const std::lock_guard lock{mutex_};
  if (ring_.empty()) return {};
  const Place oldest = ring_.begin();
  Looked looked{*oldest->tag, oldest->key};
  oldest->looked_at = true;
  ring_.splice(ring_.end(), ring_, oldest);
  return looked;
}

// One that was added again since it was looked at is there by now.
template <class CascorWhenUsed>
void TagIndex<CascorWhenUsed>::forget_unless_added(const Looked& pair) {
  const std::lock_guard lock{mutex_};
  const auto named = tags_.find(pair.tag);
  if (named == tags_.end()) return;
  const auto found = named->second.find(pair.key);
  if (found == named->second.end() || !found->second->looked_at) return;
  const Place place = found->second;
  named->second.erase(found);
  if (named->second.empty()) tags_.erase(named);
  ring_.erase(place);
}

template <class CascorWhenUsed>
std::vector<std::string> TagIndex<CascorWhenUsed>::take(const std::string& tag) {
  std::vector<std::string> keys;
  const std::lock_guard lock{mutex_};
  const auto named = tags_.find(tag);
  if (named == tags_.end()) return keys;
  keys.reserve(named->second.size());
  for (const auto& [key, place] : named->second) {
    keys.push_back(std::move(place->key));
    ring_.erase(place);
  }
  tags_.erase(named);
  return keys;
}

template <class CascorWhenUsed>
void TagIndex<CascorWhenUsed>::clear() {
  const std::lock_guard lock{mutex_};
  tags_.clear();
  ring_.clear();
}

template <class CascorWhenUsed>
std::vector<std::string> TaggedKeys<CascorWhenUsed>::former(std::string_view key, const ValueTags* kept) const {
  std::vector<std::string> gone;
  const std::lock_guard lock{mutex_};
  const auto found = keys_.find(key);
  if (found == keys_.end()) return gone;
  for (const std::string& tag : found->second->names) {
    if (kept == nullptr || std::find(kept->names.begin(), kept->names.end(), tag) == kept->names.end()) {
      gone.push_back(tag);
    }
  }
  return gone;
}

template <class CascorWhenUsed>
void TaggedKeys<CascorWhenUsed>::note(std::string_view key, Tags tags) {
  const std::lock_guard lock{mutex_};
  const auto found = keys_.find(key);
  if (!tags) {
    if (found != keys_.end()) keys_.erase(found);
    return;
  }
  if (found != keys_.end()) {
    found->second = std::move(tags);
    return;
  }
  any_.store(true, std::memory_order_relaxed);
  keys_.emplace(key, std::move(tags));
  order_.emplace_back(key);
  while (order_.size() > most) {
    keys_.erase(order_.front());
    order_.pop_front();
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class TagIndex<>;
template class TaggedKeys<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
