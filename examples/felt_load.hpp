// A load on a cache, and what its callers feel: one thread that writes and one that reads, counted by phase.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cascor/cache.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace examples {

class FeltLoad {
 public:
  explicit FeltLoad(cascor::CacheManager& cache) : cache_{cache} {
    threads_.emplace_back([this] { write(); });
    threads_.emplace_back([this] { read(); });
  }
  FeltLoad(const FeltLoad&) = delete;
  FeltLoad& operator=(const FeltLoad&) = delete;
  ~FeltLoad() { stop(); }
  void stop() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  /// What is felt from now on counts under this name.
  void enter(const std::string& name) {
    const std::lock_guard lock{mutex_};
    phases_.push_back({name});
    elected_ = {};
  }
  /// There is a new master from now on: how long it takes until a write is in Redis again is measured.
  void elected() {
    const std::lock_guard lock{mutex_};
    elected_ = Clock::now();
  }
  bool wrote_since_election() {
    const std::lock_guard lock{mutex_};
    return !phases_.empty() && phases_.back().to_first_write_ms >= 0;
  }

  /// After stop(), with all that was kept in Redis again: which of the writes that Redis had taken are no more.
  void count_lost() {
    for (const Written& one : written_) {
      if (!cache_.contains(key_of(one.number))) ++phases_[one.phase].lost;
    }
  }
  void print() const {
    std::printf("\n%-26s %9s %7s %7s %7s %7s %7s %7s %13s\n", "", "longest", "reads", "stale", "errors", "writes",
                "kept", "lost", "first write");
    for (const Phase& phase : phases_) {
      std::printf("%-26s %6.1f ms %7zu %7zu %7zu %7zu %7zu %7zu ", phase.name.c_str(), phase.longest_ms, phase.reads,
                  phase.stale, phase.errors, phase.writes, phase.kept, phase.lost);
      if (phase.to_first_write_ms >= 0) {
        std::printf("%10.1f ms\n", phase.to_first_write_ms);
      } else {
        std::printf("%13s\n", "-");
      }
    }
    std::printf(
        "\nlongest: the longest wait of a call. stale: reads past their time, while Redis was away. errors: calls that "
        "gave\n"
        "neither. kept: writes that memory took, to be replayed. lost: writes that a master took and did not hand on "
        "before\n"
        "it died. first write: after the new master was elected.\n");
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Phase {
    std::string name;
    double longest_ms = 0;
    double to_first_write_ms = -1;
    std::size_t reads = 0;
    std::size_t stale = 0;
    std::size_t errors = 0;
    std::size_t writes = 0;
    std::size_t kept = 0;
    std::size_t lost = 0;
  };
  struct Written {
    std::uint64_t number;
    std::size_t phase;
  };
  static std::string key_of(std::uint64_t number) { return "metrics:felt_" + std::to_string(number); }
  static double ms(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

  void write() {
    for (std::uint64_t number = 0; !done_; ++number) {
      const auto start = Clock::now();
      const auto result = cache_.set(key_of(number), {{"number", number}}, {.ttl = std::chrono::minutes{10}});
      const auto end = Clock::now();
      {
        const std::lock_guard lock{mutex_};
        if (phases_.empty()) continue;
        Phase& phase = phases_.back();
        phase.longest_ms = std::max(phase.longest_ms, ms(end - start));
        if (result) {
          ++phase.writes;
          written_.push_back({number, phases_.size() - 1});
          if (elected_ != Clock::time_point{} && start > elected_ && phase.to_first_write_ms < 0) {
            phase.to_first_write_ms = ms(end - elected_);
          }
        } else {
          ++(result.tier() == cascor::CacheTier::memory ? phase.kept : phase.errors);
        }
        last_ = number;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  void read() {
    while (!done_) {
      const auto start = Clock::now();
      const auto found = cache_.get(key_of(last_));
      const auto end = Clock::now();
      {
        const std::lock_guard lock{mutex_};
        if (phases_.empty()) continue;
        Phase& phase = phases_.back();
        phase.longest_ms = std::max(phase.longest_ms, ms(end - start));
        if (found.status() == cascor::CacheStatus::stale) ++phase.stale;
        ++(found.status() == cascor::CacheStatus::error ? phase.errors : phase.reads);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

  cascor::CacheManager& cache_;
  std::mutex mutex_;  // guards what is counted
  std::vector<Phase> phases_;
  std::vector<Written> written_;
  Clock::time_point elected_;
  std::atomic<std::uint64_t> last_{0};
  std::atomic<bool> done_{false};
  std::vector<std::thread> threads_;
};

/// The cache's log lines, with the time since the program began.
inline cascor::CacheConfig watched(const std::string& url) {
  cascor::CacheConfig config;
  config.redis_url = url;
  config.connection_pool.timeout = std::chrono::seconds{1};
  config.log_sink = [start = std::chrono::steady_clock::now()](cascor::LogLevel level, std::string_view line) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%6.3f s  %s: %.*s\n", seconds, std::string{to_string(level)}.c_str(), static_cast<int>(line.size()),
                line.data());
  };
  return config;
}

}  // namespace examples
