// What the commands share: the options that stand before or behind each of them, the configuration, the cache, output.
#pragma once

#include <cascor/cache.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "output.hpp"

namespace CLI {
class App;
}

namespace tool {

/// The options of every command.
struct CommonOptions {
  std::string config;  ///< a file; empty: $CASCOR_CACHE_CONFIG, else conf/app_config.yaml if it is there
  std::string url;     ///< empty: the configuration's
  bool json = false;
  bool verbose = false;
};

/// What cannot be done, and why: exit code `refused`.
class Refusal final : public std::runtime_error {
 public:
  explicit Refusal(const std::string& what, std::string hint = {}) : std::runtime_error{what}, hint_{std::move(hint)} {}
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string hint_;
};

/// One run of the program. For one thread.
class Session {
 public:
  CommonOptions options;

  /// Adds the common options, which may also stand behind a command.
  void add_options(CLI::App& app);

  Output& out() noexcept { return out_; }

  /// The configuration as an application would get it: the file, then the environment, then `--url`. Nothing is
  /// dialled. Throws ConfigError.
  const cascor::CacheConfig& config();
  /// Where the server is, for messages; never a password. As config().
  std::string server();
  bool on_redis();
  /// The same as the commands want it: strict, with nothing near, no memory in Redis's place, few connections.
  cascor::CacheConfig strict_config();
  /// Throws Refusal where there is nothing that another process could see: with `type: memory` or `enabled: false`.
  void check_shared();
  /// A cache of strict_config(), made at the first call. Throws what dialling throws, and as
  /// check_shared().
  cascor::CacheManager& cache();
  /// The same whatever the backend is, for the records of runs, which memory keeps in files.
  cascor::CacheManager& any_cache();

  /// Has `work` be done once the command line is read, if `command` is on it; it gives the exit code.
  void runs(CLI::App* command, std::function<int()> work);
  /// Does it; shows what it throws. Returns the exit code.
  int run();

 private:
  int failed(const cascor::CacheError& error);

  Output out_;
  std::optional<cascor::CacheConfig> config_;
  std::unique_ptr<cascor::CacheManager> cache_;
  std::function<int()> work_;
};

/// The exit code that goes with an error.
int exit_code_of(const cascor::CacheError& error) noexcept;

}  // namespace tool
