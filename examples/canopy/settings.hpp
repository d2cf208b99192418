// What Canopy itself is told: the sections `server` and `logging` of the configuration file, then the command line.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "log_file.hpp"
#include "trainer/trainer_options.hpp"

namespace canopy {

struct Settings {
  bool help = false;
  bool serve = true;  ///< with --train-only not
  bool train = true;  ///< with --serve-only not
  bool require_redis = false;
  bool use_cache = true;         ///< with --no-cache not
  bool check = false;            ///< only say whether it could start
  std::filesystem::path config;  ///< empty: none, all is as by default
  std::string host = "127.0.0.1";
  int port = 8050;
  std::vector<std::string> known_names;  ///< beside localhost and addresses
  std::filesystem::path page;
  LogOptions log;
  TrainerOptions trainer;
};

extern const char* const usage;

/// Throws examples::UsageError, and ConfigError for a file that cannot be read.
Settings settings_of(int argc, char** argv);
/// The cache's own part of the same file, then its environment. Throws ConfigError.
cascor::CacheConfig cache_config_of(const Settings& settings);

}  // namespace canopy
