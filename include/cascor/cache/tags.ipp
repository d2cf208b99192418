#pragma once

#include <algorithm>
#include <iterator>

#include "cascor/cache/tags.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

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
