#pragma once

#include <algorithm>
#include <exception>
#include <system_error>

#include "cascor/redis/cluster_link.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::open() noexcept {
  if (state() != LinkState::unopened) return;
  try {
    cluster_.when_masters_change([this] { masters_change(); });  // which takes the lock: not under it
    const std::lock_guard lock{mutex_};
    if (closing_ || thread_.joinable()) return;
    thread_ = std::thread{[this] {
      run();
      const std::lock_guard end{mutex_};
      ended_ = true;
      wake_.notify_all();
    }};
    state_ = LinkState::connecting;
  } catch (const std::exception&) {  // no thread to be had: the next read asks again
  }
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::nudge() noexcept {
  const std::lock_guard lock{mutex_};
  for (auto& part : parts_) part->link().nudge();
  changed_ = true;  // looked at anew: which costs one question, and mostly changes nothing
  wake_.notify_all();
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::renew() noexcept {
  const std::lock_guard lock{mutex_};
  for (auto& part : parts_) part->link().renew();
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::close() noexcept {
  cluster_.when_masters_change({});
  {
    const std::lock_guard lock{mutex_};
    closing_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) {
    std::unique_lock lock{mutex_};
    constexpr milliseconds soon{10};
    while (!ended_) {  // it may be asking a node that hangs, or be about to
      lock.unlock();
      cluster_.end_asking();
      lock.lock();
      wake_.wait_for(lock, soon, [this] { return ended_; });
    }
    lock.unlock();
    thread_.join();
  }
  Parts parts;
  {
    const std::lock_guard lock{mutex_};
    parts.swap(parts_);
  }
  parts.clear();  // outside the lock, which their threads may want
}

// ---- what the parts say

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::part_up(Part& part) noexcept {
  const std::lock_guard lock{mutex_};
  part.up = true;
  come_up();
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::part_key(std::string_view key) noexcept {
  const std::lock_guard lock{mutex_};
  if (state() == LinkState::up) told_.on_key(key);
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::part_flush() noexcept {
  const std::lock_guard lock{mutex_};
  if (state() == LinkState::up) told_.on_flush();
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::part_down(Part& part, const CacheError& why) noexcept {
  const std::lock_guard lock{mutex_};
  if (part.gone) return;
  part.up = false;
  changed_ = true;  // its place may have been taken
  wake_.notify_all();
  go_down(why);
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::part_refused(const CacheError& why) noexcept {
  const std::lock_guard lock{mutex_};
  if (state() == LinkState::refused) return;
  state_ = LinkState::refused;
  told_.on_refused(why);
}

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::masters_change() noexcept {
  const std::lock_guard lock{mutex_};
  changed_ = true;
  wake_.notify_all();
  try {
    go_down(ConnectionError{"The masters of the Redis Cluster have changed", "Nothing: the links to them are made."});
  } catch (const std::exception&) {  // no memory for the reason
    state_ = LinkState::connecting;
  }
}

// Under the lock.
template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::come_up() noexcept {
  if (changed_ || parts_.empty() || state() != LinkState::connecting) return;
  if (!std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->up; })) return;
  state_ = LinkState::up;
  told_.on_up();
}

// Under the lock.
template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::go_down(const CacheError& why) noexcept {
  if (state() != LinkState::up) return;
  state_ = LinkState::connecting;
  told_.on_down(why);
}

// ---- who there is

template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::run() noexcept {
  constexpr milliseconds between_attempts{200};
  while (true) {
    bool failed = false;
    try {
      follow_masters();
    } catch (const std::exception&) {  // nobody answers, or no memory: again in a moment
      failed = true;
    }
    std::unique_lock lock{mutex_};
    if (failed) {
      changed_ = true;
      wake_.wait_for(lock, between_attempts, [this] { return closing_.load(); });
    } else {
      wake_.wait(lock, [this] { return closing_.load() || changed_; });
    }
    // A link that is lost tries again by itself, and says so each time: the masters are not asked for as often.
    if (!closing_) wake_.wait_for(lock, between_attempts / 4, [this] { return closing_.load(); });
    if (closing_) return;
  }
}

// Links to the masters there are now; those to others end.
template <class CascorWhenUsed>
void ClusterLink<CascorWhenUsed>::follow_masters() {
  {
    const std::lock_guard lock{mutex_};
    changed_ = false;
  }
  cluster_.look_again();
  const auto masters = cluster_.masters(Deadline{*SystemClock::shared(), each_.redis.timeout}, &closing_);
  Parts gone;
  {
    const std::lock_guard lock{mutex_};
    const auto is_at = [](const Endpoint& endpoint) {
      return [&endpoint](const auto& part) { return SlotMap<CascorWhenUsed>::same(part->at(), endpoint); };
    };
    for (auto part = parts_.begin(); part != parts_.end();) {
      const bool stays = std::any_of(masters.servers.begin(), masters.servers.end(), [&part](const auto& server) {
        return SlotMap<CascorWhenUsed>::same((*part)->at(), server->endpoint());
      });
      if (stays) {
        ++part;
        continue;
      }
      (*part)->gone = true;
      gone.push_back(std::move(*part));
      part = parts_.erase(part);
    }
    for (const auto& server : masters.servers) {
      if (std::any_of(parts_.begin(), parts_.end(), is_at(server->endpoint()))) continue;
      parts_.push_back(std::make_unique<Part>(*this, server->endpoint()));
    }
    for (auto& part : parts_) part->link().open();
    come_up();  // only some that are gone may have been missing
  }
  gone.clear();  // outside the lock, which their threads may want
}

#if defined(CASCOR_CACHE_COMPILED)
template class ClusterLink<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
