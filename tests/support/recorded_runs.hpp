// Caches whose runs are recorded in a folder of the test's own, and what is read back of them.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/training/destination.hpp"
#include "support/backends.hpp"
#include "support/temporary_folder.hpp"

namespace support {

template <class Backend>
struct RecordedRuns {
  cascor::CacheConfig config() const {
    auto config = backend.config();
    config.clock = nullptr;  // records are numbered by the calendar
    config.history.directory = folder.path() / "history";
    config.connection_pool.timeout = std::chrono::seconds{10};
    config.prefix_ttl.metrics = config.prefix_ttl.topology = std::chrono::seconds{600};
    return config;
  }
  /// Where a run waits for this backend: "pending", or "spool".
  std::filesystem::path waiting(const char* kind, const std::string& run = "run-1") const {
    return waiting(config(), kind, run);
  }
  static std::filesystem::path waiting(const cascor::CacheConfig& config, const char* kind,
                                       const std::string& run = "run-1") {
    const auto destination = cascor::detail::Destination<>::of(config, config.key_namespace);
    return config.history.directory / kind / destination.folder() / (run + ".jsonl");
  }

  Backend backend;
  TemporaryFolder folder;
};

inline std::vector<int> epochs(const std::vector<cascor::HistoryRecord>& found) {
  std::vector<int> epochs;
  for (const auto& one : found) epochs.push_back(one.at("epoch").get<int>());
  return epochs;
}
inline std::vector<int> epochs(cascor::CacheManager& cache, const std::string& run = "run-1") {
  return epochs(cache.history(run).range(0, 1'000'000));
}
inline std::vector<int> counting(int from, int to) {
  std::vector<int> numbers;
  for (int i = from; i <= to; ++i) numbers.push_back(i);
  return numbers;
}

inline cascor::json record(int epoch, double loss = 0.5) {
  return {{"epoch", epoch}, {"metrics", {{"loss", loss}, {"accuracy", 0.5}}}, {"phase", "output_training"}};
}
inline std::vector<cascor::json> records(int from, int to) {
  std::vector<cascor::json> all;
  for (int epoch = from; epoch <= to; ++epoch) all.push_back(record(epoch, 1.0 / (1 + epoch)));
  return all;
}

/// What a handler of follow() was called for.
class SeenRecords {
 public:
  auto handler() {
    return [this](const cascor::HistoryRecord& one) {
      const std::lock_guard lock{mutex_};
      epochs_.push_back(one.at("epoch").get<int>());
      last_ = one.id;
    };
  }
  std::vector<int> epochs() const {
    const std::lock_guard lock{mutex_};
    return epochs_;
  }
  std::string last() const {
    const std::lock_guard lock{mutex_};
    return last_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<int> epochs_;
  std::string last_;
};

}  // namespace support
