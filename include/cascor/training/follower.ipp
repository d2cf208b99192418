#pragma once

#include <algorithm>

#include "cascor/core/errors.hpp"
#include "cascor/training/follower.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
auto HistoryFollower<CascorWhenUsed>::next() -> Entries {
  constexpr std::size_t most = 500;  // so many are held at once
  constexpr milliseconds here{50};
  constexpr milliseconds there{1000};
  return journal_ ? journal_->await(after_, most, here) : stream_->await(run_, after_, most, there);
}

template <class CascorWhenUsed>
void HistoryFollower<CascorWhenUsed>::deliver() {
  constexpr milliseconds first{20};
  constexpr milliseconds longest{1000};
  milliseconds delay = first;
  while (!this->closing()) {
    try {
      for (LogEntry& entry : next()) {
        if (this->closing()) return;
        const RecordId id = entry.id;
        this->call_handler([&] { handler_(std::move(entry)); });
        after_ = id;
      }
      delay = first;
    } catch (const CacheError&) {  // it is away: what comes meanwhile is read when it is back
      pause(delay);
      delay = std::min(delay * 2, longest);
    }
  }
}

template <class CascorWhenUsed>
void HistoryFollower<CascorWhenUsed>::pause(milliseconds time) {
  std::unique_lock lock{mutex_};
  wake_.wait_for(lock, time, [this] { return this->closing(); });
}

template <class CascorWhenUsed>
void HistoryFollower<CascorWhenUsed>::on_close() noexcept {
  if (stream_) stream_->stop();
  const std::lock_guard lock{mutex_};
  wake_.notify_all();
}

#if defined(CASCOR_CACHE_COMPILED)
template class HistoryFollower<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
