#pragma once

#include <iterator>
#include <utility>

#include "cascor/cache/queued_writes.hpp"
#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
std::size_t QueuedWrites<CascorWhenUsed>::bytes_of(const Entry& entry) noexcept {
  constexpr std::size_t around = heap_block(sizeof(Entry) + 2 * sizeof(void*)) + heap_block(5 * sizeof(void*));
  const std::size_t value = entry.bytes ? heap_block(entry.bytes->size() + 1) + heap_block(6 * sizeof(void*)) : 0;
  return around + heap_block(entry.key.size() + 1) + value;
}

template <class CascorWhenUsed>
bool QueuedWrites<CascorWhenUsed>::put(Entry& entry) {
  bytes_ += bytes_of(entry);
  if (const auto found = waiting_.index.find(entry.key); found != waiting_.index.end()) {
    const auto place = found->second;
    bytes_ -= bytes_of(*place);
    place->bytes.swap(entry.bytes);  // the key stays: the index looks at it
    place->tags.swap(entry.tags);
    place->expires = entry.expires;
    place->queued = entry.queued;
    waiting_.order.splice(waiting_.order.end(), waiting_.order, place);
    return true;
  }
  waiting_.order.push_back(std::move(entry));
  const auto place = std::prev(waiting_.order.end());
  waiting_.index.emplace(place->key, place);
  ++size_;
  return false;
}

template <class CascorWhenUsed>
auto QueuedWrites<CascorWhenUsed>::find(std::string_view key) const -> const Entry* {
  if (size_ == 0) return nullptr;
  if (const auto found = waiting_.index.find(key); found != waiting_.index.end()) return &*found->second;
  if (const auto found = leaving_.index.find(key); found != leaving_.index.end() && !found->second->settled) {
    return &*found->second;
  }
  return nullptr;
}

template <class CascorWhenUsed>
std::uint64_t QueuedWrites<CascorWhenUsed>::generation_of(std::string_view key) const {
  if (waiting_.index.contains(key)) return filling_;
  return find(key) != nullptr ? filling_ - 1 : 0;
}

template <class CascorWhenUsed>
void QueuedWrites<CascorWhenUsed>::next(std::vector<const Entry*>& chunk, TimePoint now, std::size_t most,
                                        std::size_t most_bytes) {
  if (leaving_.order.empty()) {
    if (waiting_.order.empty()) return;
    leaving_ = std::move(waiting_);
    waiting_ = std::move(spare_);
    spare_ = {};
    next_ = leaving_.order.begin();
    ++filling_;
  }
  const bool removals = next_->is_removal_at(now);
  std::size_t bytes = 0;
  for (auto entry = next_; entry != leaving_.order.end() && chunk.size() < most; ++entry) {
    if (entry->is_removal_at(now) != removals || bytes > most_bytes) return;
    bytes += entry->bytes ? entry->bytes->size() : 0;
    chunk.push_back(&*entry);
  }
}

template <class CascorWhenUsed>
auto QueuedWrites<CascorWhenUsed>::settle(std::size_t count) -> Generation {
  for (; count > 0; --count, ++next_) {
    next_->settled = true;
    --size_;
    bytes_ -= bytes_of(*next_);
  }
  return next_ == leaving_.order.end() ? std::exchange(leaving_, {}) : Generation{};
}

#if defined(CASCOR_CACHE_COMPILED)
template class QueuedWrites<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
