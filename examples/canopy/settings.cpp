#include "settings.hpp"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdlib>

#include "arguments.hpp"

namespace canopy {

const char* const usage =
    R"(Usage: canopy [OPTION...]
Trains the two spirals and shows the training at http://127.0.0.1:8050.
  --config FILE      configuration; without it $CASCOR_CACHE_CONFIG, else conf/app_config.yaml
  --host ADDRESS     address to listen at (server.host of the configuration, else 127.0.0.1)
  --port N           port to listen at, 0 for any that is free (server.port, else 8050)
  --allow-host NAME  a name by which this server is known, besides localhost and its addresses
  --page FOLDER      the page's files
  --log-dir FOLDER   where system.log is written (logging.file.directory, else logs)
  --no-log-file      write no log file
  --serve-only       no trainer in this process: another one trains, on the same Redis
  --train-only       no server
  --require-redis    do not start without Redis
  --no-cache         read and compute each answer anew, for benchmarks/http
  --check            say whether it could start, by exit code, and end
  --seed N           start of the random numbers (1); the same seed gives the same run
  --pace MS          milliseconds to rest after each epoch (20)
)";

namespace {

namespace fs = std::filesystem;

fs::path default_config() {
  if (const char* const named = std::getenv("CASCOR_CACHE_CONFIG"); named != nullptr && *named != '\0') return named;
  std::error_code ignored;
  return fs::exists("conf/app_config.yaml", ignored) ? "conf/app_config.yaml" : fs::path{};
}

template <class T>
void read(const YAML::Node& section, const char* name, T& into) {
  if (!section || !section.IsMap()) return;
  if (const YAML::Node value = section[name]; value && value.IsScalar()) into = value.as<T>();
}

/// The application's own sections: what is not there stays as it is.
void read_file(const fs::path& path, Settings& settings) {
  try {
    const YAML::Node root = YAML::LoadFile(path.string());
    const YAML::Node server = root["server"];
    read(server, "host", settings.host);
    read(server, "port", settings.port);
    const YAML::Node file = root["logging"]["file"];
    std::string directory = settings.log.directory.string();
    read(file, "directory", directory);
    settings.log.directory = directory;
    read(file, "enabled", settings.log.file);
    read(file, "max_size_mb", settings.log.max_size_mb);
    read(file, "backup_count", settings.log.backups);
  } catch (const YAML::Exception& error) {
    throw cascor::ConfigError{path.string() + ": " + error.what(),
                              "See conf/app_config.yaml for what may stand there."};
  }
}

std::string own_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

Settings settings_of(int argc, char** argv) {
  examples::Arguments arguments{argc, argv};
  Settings settings;
  settings.page = CANOPY_PAGE;
  settings.help = arguments.flag("--help");
  settings.config = arguments.text("--config").value_or(default_config().string());
  if (!settings.help && !settings.config.empty()) read_file(settings.config, settings);

  settings.host = arguments.text("--host").value_or(settings.host);
  if (const auto port = arguments.number("--port", 65'535)) settings.port = static_cast<int>(*port);
  settings.known_names = {own_name()};
  while (auto name = arguments.text("--allow-host")) settings.known_names.push_back(std::move(*name));
  settings.page = arguments.text("--page").value_or(settings.page.string());
  settings.log.directory = arguments.text("--log-dir").value_or(settings.log.directory.string());
  if (arguments.flag("--no-log-file")) settings.log.file = false;
  settings.train = !arguments.flag("--serve-only");
  settings.serve = !arguments.flag("--train-only");
  settings.require_redis = arguments.flag("--require-redis");
  settings.use_cache = !arguments.flag("--no-cache");
  settings.check = arguments.flag("--check");
  settings.trainer.seed = arguments.number("--seed", 1'000'000).value_or(settings.trainer.seed);
  if (const auto pace = arguments.number("--pace", 1'000)) settings.trainer.pace = std::chrono::milliseconds{*pace};
  arguments.end();
  if (!settings.train && !settings.serve)
    throw examples::UsageError{"--serve-only and --train-only leave nothing to do"};
  if (!settings.serve) settings.log.name = "trainer.log";
  return settings;
}

cascor::CacheConfig cache_config_of(const Settings& settings) {
  cascor::CacheConfig config =
      settings.config.empty() ? cascor::CacheConfig::load_default() : cascor::CacheConfig::load(settings.config);
  if (!settings.use_cache) config.near_cache.enabled = false;
  return config;
}

}  // namespace canopy
