#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "cascor/cache/lock.hpp"
#include "cascor/core/system_random.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF Reply run_script(KeyValueStore& store, const LockScript& script,
                                  std::initializer_list<std::string_view> keys,
                                  std::span<const std::string_view> arguments, Deadline by) {
  const Dependent<std::string, CascorWhenUsed> count = std::to_string(keys.size());
  Dependent<std::vector<std::string_view>, CascorWhenUsed> words{"EVALSHA", script.sha1, count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  Reply reply = store.command(words, by);
  if (!reply.is_error() || !reply.text.starts_with("NOSCRIPT")) return reply;
  words[0] = "EVAL";
  words[1] = script.text;
  return store.command(words, by);
}

CASCOR_CACHE_DEF Reply run_script(KeyValueStore& store, const LockScript& script,
                                  std::initializer_list<std::string_view> keys,
                                  std::initializer_list<std::string_view> arguments, Deadline by) {
  const Dependent<std::span<const std::string_view>, CascorWhenUsed> words{arguments.begin(), arguments.size()};
  return run_script(store, script, keys, words, by);
}

CASCOR_CACHE_DEF std::string_view hash_tag(std::string_view key) noexcept {
  const auto open = key.find('{');
  if (open == std::string_view::npos) return key;
  const auto close = key.find('}', open + 1);
  return close == std::string_view::npos || close == open + 1 ? key : key.substr(open + 1, close - open - 1);
}

// 128 bits from the system: no two processes draw the same, whatever generator an application gave for its jitter.
CASCOR_CACHE_FN std::string random_token() {
  constexpr std::string_view digits = "0123456789abcdef";
  unsigned char bytes[16];
  fill_from_system(bytes, sizeof bytes);
  Dependent<std::string, CascorWhenUsed> token;
  for (const unsigned char byte : bytes) {
    token += digits[byte >> 4U];
    token += digits[byte & 15U];
  }
  return token;
}

template <class CascorWhenUsed>
ProcessLocks<CascorWhenUsed>::~ProcessLocks() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

template <class CascorWhenUsed>
auto ProcessLocks<CascorWhenUsed>::take(const std::string& name, milliseconds lasts, Deadline by) -> Lock {
  auto lock = std::make_shared<Held>();
  lock->name = name;
  lock->token = random_token();
  lock->lasts = lasts;
  const std::string milliseconds_text = std::to_string(lasts.count());
  const auto begun = std::chrono::steady_clock::now();
  const std::array<std::string_view, 6> words{"SET", lock->name, lock->token, "PX", milliseconds_text, "NX"};
  const Reply reply = store_.command(words, by);
  if (reply.is_error()) redis::server_error(reply.text)->raise();
  if (reply.is_nil()) return nullptr;
  lock->renew_at = begun + lasts / 3;
  const std::lock_guard guard{mutex_};
  if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
  held_.push_back(lock);
  wake_.notify_all();
  return lock;
}

template <class CascorWhenUsed>
bool ProcessLocks<CascorWhenUsed>::renew(Held& lock, Deadline by) {
  const Reply reply =
      run_script(store_, renew_script, {lock.name}, {lock.token, std::to_string(lock.lasts.count())}, by);
  if (reply.is_error()) redis::server_error(reply.text)->raise();
  if (reply.integer != 1) lock.lost = true;
  return reply.integer == 1;
}

template <class CascorWhenUsed>
void ProcessLocks<CascorWhenUsed>::release(const Lock& lock) noexcept {
  {
    const std::lock_guard guard{mutex_};
    std::erase(held_, lock);
  }
  try {
    if (!lock->lost) run_script(store_, release_script, {lock->name}, {lock->token}, Deadline{*clock_, timeout_});
  } catch (...) {  // it expires
  }
}

// Each lock three times in its life, so that one answer that is late loses none.
template <class CascorWhenUsed>
void ProcessLocks<CascorWhenUsed>::run() {
  std::unique_lock guard{mutex_};
  while (!stopping_) {
    const auto next = std::min_element(
        held_.begin(), held_.end(), [](const Lock& one, const Lock& other) { return one->renew_at < other->renew_at; });
    if (next == held_.end()) {
      wake_.wait(guard);
      continue;
    }
    const Lock lock = *next;
    const auto now = std::chrono::steady_clock::now();
    if (now < lock->renew_at) {
      wake_.wait_until(guard, lock->renew_at);
      continue;
    }
    lock->renew_at = now + lock->lasts / 3;
    guard.unlock();
    bool lost = false;
    try {
      lost = !renew(*lock, Deadline{*clock_, std::min(timeout_, lock->lasts / 2)});
    } catch (...) {  // it is not known; the next turn asks again
    }
    guard.lock();
    if (lost) std::erase(held_, lock);
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class ProcessLocks<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
