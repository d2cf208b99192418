// Which sessions a user has.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cascor/cache/engine.hpp"
#include "cascor/cache/parts_above.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// In Redis a sorted set a user, of ids by their expiry; in memory, and while Redis is away, a table here. What was
/// entered here while Redis was away goes there with the next call that finds it back. It may name sessions that are no
/// more, never miss one that is. The mutex guards the table; no call on Redis is made under it. Safe from any thread.
template <class CascorWhenUsed = void>
class SessionIndex final : public PartAbove {
 public:
  static constexpr std::string_view part_name = "session index";
  using Ids = Dependent<std::vector<std::string>, CascorWhenUsed>;
  /// An entry outlives its session by so long: its time is written once in this while, and clocks differ.
  static constexpr std::int64_t slack_ms = 120'000;

  explicit SessionIndex(Engine& engine) : engine_{engine} {}
  void end() noexcept override {}

  /// `ttl` from now; no_expiry: for ever. Each throws what keeps it from Redis, but for Redis being away.
  void add(std::string_view user, std::string_view id, milliseconds ttl);
  void remove(std::string_view user, const Ids& ids);
  /// The oldest use first.
  Ids of(std::string_view user);
  /// The ids, which the caller ends; with Redis away those that only it knows end when it is back.
  Ids take_all(std::string_view user);

  /// Tells Redis, which is there, what was entered meanwhile. One load where there is nothing.
  void replay(KeyValueStore& store, Deadline by);

 private:
  struct Entry {
    std::int64_t expires_ms = 0;  // since the epoch; the largest number: never
    bool removed = false;         // to be taken out of Redis
  };
  using Entries = std::unordered_map<std::string, Entry>;
  struct Changes {
    std::unordered_map<std::string, Entries> users;
    std::unordered_set<Dependent<std::string, CascorWhenUsed>> ended;  // users all of whose other sessions end
  };

  std::int64_t now_ms() const;
  std::string key_of(std::string_view user) const;
  template <class Call>
  bool remotely(const Call& call);
  void add_remotely(KeyValueStore& store, const std::string& key, std::string_view id, std::int64_t expires_ms,
                    Deadline by) const;
  void remove_remotely(KeyValueStore& store, const std::string& key, const Ids& ids, Deadline by) const;
  Ids ids_remotely(KeyValueStore& store, const std::string& key, Deadline by) const;
  void put_back(Changes changes);
  void sweep();

  Engine& engine_;
  std::mutex mutex_;
  Changes here_;
  std::size_t entries_ = 0;  // of here_
  std::size_t swept_ = 0;    // how many were left by the last sweep
  std::atomic<bool> waiting_{false};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/session_index.ipp"
#endif
