// Which server the Sentinels call the master.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cascor/redis/connection.hpp"
#include "cascor/redis/node_list.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/stopper.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Asks one Sentinel after the other, the one that answered last first, and learns of those that the given ones know.
/// One caller asks at a time, and others that want to know meanwhile have its answer. The mutex guards the list and
/// who is asking; nothing is asked under it. Safe from any thread.
template <class CascorWhenUsed = void>
class MasterFinder {
 public:
  /// `each` is how a Sentinel is talked to. Its credentials are given only to one that asks for them.
  MasterFinder(RedisOptions each, std::vector<Endpoint> sentinels, std::string master_name);
  MasterFinder(const MasterFinder&) = delete;
  MasterFinder& operator=(const MasterFinder&) = delete;
  ~MasterFinder() = default;

  /// The master's address, one round trip where the first Sentinel answers. Throws ConnectionError "Error connecting to
  /// Redis …" where no Sentinel answers, or those that do know no master of the name; TimeoutError at the deadline.
  Endpoint find(Deadline by);
  /// The master that was named is none, or not to be had: another Sentinel is asked first the next time, as the one
  /// that named it may be cut off from the others.
  void doubt();
  /// How to talk to the Sentinel that answered last; for a link that listens to it. The next call names another one.
  RedisOptions next_sentinel();
  /// Adds the Sentinels, and what the first of them that answers says of the master and its replicas; takes a second
  /// at most, and throws nothing of Redis's.
  void look_around(NodeList<CascorWhenUsed>& list, Deadline by);
  const std::string& master_name() const noexcept { return master_name_; }
  /// Ends what is being asked, and each later find(), with a ConnectionError.
  void stop() noexcept { stopper_.stop(); }

 private:
  struct Sentinel {
    Endpoint at;
    bool wants_credentials = false;
    bool silent = false;  // gave no answer the last time
  };
  // What asking all of them gave, for those who wait for it.
  struct Answer {
    bool there = false;
    bool cut_short = false;  // whoever asked had no more time
    Endpoint master;
    std::shared_ptr<const CacheError> error;
  };
  // Whoever asks; however that ends, the next one may.
  class Turn {
   public:
    explicit Turn(MasterFinder& finder) noexcept : finder_{finder} {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      const std::lock_guard lock{finder_.mutex_};
      finder_.asking_ = false;
      finder_.answered_.notify_all();
    }

   private:
    MasterFinder& finder_;
  };
  static Endpoint master_in(const Answer& answer);
  RedisOptions options_for(const Sentinel& sentinel) const;
  Answer ask_all(Deadline by);
  Answer ask(Sentinel& sentinel, std::vector<Sentinel>& more, Deadline by);

  const RedisOptions each_;
  const std::string master_name_;
  Stopper<CascorWhenUsed> stopper_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::vector<Sentinel> sentinels_;  // the one that answered last first, those that gave no answer last
  std::size_t next_ = 0;
  bool asking_ = false;
  Answer last_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/master_finder.ipp"
#endif
