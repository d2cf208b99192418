// redis-benchmark, where it is installed: the same commands on the same server, by the client that comes with Redis.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace tool::bench {

class RedisBenchmark {
 public:
  explicit RedisBenchmark(const cascor::CacheConfig& config);

  /// Why it is not run: not installed, or it could not be told a password but where everybody sees it. Empty: it is.
  const std::string& why_not() const noexcept { return why_not_; }
  /// Commands a second of `command`, sent by so many connections, so many at a time. Throws std::runtime_error where
  /// it fails.
  double rate(std::size_t connections, std::size_t at_a_time, std::size_t requests,
              const std::vector<std::string>& command) const;

 private:
  std::vector<std::string> words_;  // the program and where the server is
  std::string why_not_;
};

}  // namespace tool::bench
