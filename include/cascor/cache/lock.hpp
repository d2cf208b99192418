// Locks that processes share through Redis: a random token under `cascor:lock:{<key>}`, renewed while its holder lives.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// A Lua script and the SHA-1 of its text, by which a server that has it runs it.
struct LockScript {
  std::string_view sha1;
  std::string_view text;
};
inline constexpr LockScript renew_script{
    "e50f848e374a94192aa6f2e444e7eb8acc16501d",
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"};
inline constexpr LockScript release_script{
    "6fbe84d1140fd2047394924af9d845b83c070bec",
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"};
/// Stores ARGV[1] for ARGV[2] milliseconds under KEYS[1] where ARGV[4] is, or, without ARGV[5], nothing; with KEYS[2],
/// only while that lock's token is ARGV[3]. 1: stored, 0: something else is there, or nothing, -1: the lock is
/// another's.
inline constexpr LockScript publish_script{"ebb45ba7d9b3386255e3b87f42e721068516a67e",
                                           "if KEYS[2] and redis.call('GET', KEYS[2]) ~= ARGV[3] then return -1 end "
                                           "local held = redis.call('GET', KEYS[1]) "
                                           "if held and held ~= ARGV[4] or not held and ARGV[5] then return 0 end "
                                           "if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1]) "
                                           "else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end "
                                           "return 1"};

/// Runs a script by its SHA-1, and by its text where the server does not have it. Throws as KeyValueStore::command.
CASCOR_CACHE_FN Reply run_script(KeyValueStore& store, const LockScript& script,
                                 std::initializer_list<std::string_view> keys,
                                 std::span<const std::string_view> arguments, Deadline by);
CASCOR_CACHE_FN Reply run_script(KeyValueStore& store, const LockScript& script,
                                 std::initializer_list<std::string_view> keys,
                                 std::initializer_list<std::string_view> arguments, Deadline by);
/// The name of the lock of a key: in the key's slot, unless that one has braces of its own.
inline std::string lock_name(const std::string& key_namespace, std::string_view key) {
  return (key_namespace + "lock:{").append(key) += '}';
}
/// The part of a key that decides its slot in a cluster.
CASCOR_CACHE_FN std::string_view hash_tag(std::string_view key) noexcept;

/// Takes, renews and releases. One mutex guards the list of what is held; no I/O runs under it. Safe from any thread.
template <class CascorWhenUsed = void>
class ProcessLocks {
 public:
  /// A lock that was taken. Its name and token never change.
  struct Held {
    std::string name;
    std::string token;
    milliseconds lasts{0};                             ///< without being renewed
    std::atomic<bool> lost{false};                     ///< somebody else may have it
    std::chrono::steady_clock::time_point renew_at{};  // guarded by the mutex
  };
  using Lock = std::shared_ptr<Held>;

  ProcessLocks(KeyValueStore& store, std::shared_ptr<const Clock> clock, milliseconds timeout)
      : store_{store}, clock_{std::move(clock)}, timeout_{timeout} {}
  ProcessLocks(const ProcessLocks&) = delete;
  ProcessLocks& operator=(const ProcessLocks&) = delete;
  /// What is held expires by itself.
  ~ProcessLocks();

  /// The lock, which a thread of this object's renews from now on; null where somebody else has it. Throws what stands
  /// in the way; it may have been taken then, and expires.
  Lock take(const std::string& name, milliseconds lasts, Deadline by);
  /// Is it still this process's, for its whole time from now? Throws as take().
  bool renew(Held& lock, Deadline by);
  /// Lets go of it, if it is still this process's.
  void release(const Lock& lock) noexcept;

 private:
  void run();

  KeyValueStore& store_;
  const std::shared_ptr<const Clock> clock_;
  const milliseconds timeout_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Lock> held_;
  std::thread thread_;  // started with the first lock
  bool stopping_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/lock.ipp"
#endif
