#include "session.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include "exit_codes.hpp"
#include "text.hpp"

namespace tool {

void Session::add_options(CLI::App& app) {
  app.fallthrough();
  app.add_option("--config", options.config, "Configuration; else $CASCOR_CACHE_CONFIG or conf/app_config.yaml")
      ->type_name("FILE");
  app.add_option("--url", options.url, "Redis, in place of the configuration's redis_url")->type_name("URL");
  app.add_flag("--json", options.json, "One JSON value on standard output");
  app.add_flag("--verbose", options.verbose, "The library's log lines too");
}

const cascor::CacheConfig& Session::config() {
  if (config_) return *config_;
  cascor::CacheConfig loaded =
      options.config.empty() ? cascor::CacheConfig::load_default() : cascor::CacheConfig::load(options.config);
  if (!options.url.empty()) {
    try {
      (void)cascor::RedisUrl::parse(options.url);
    } catch (const cascor::ConfigError& error) {
      throw cascor::ConfigError{std::string{"--url: "} + error.what(), error.hint()};
    }
    loaded.redis_url = options.url;
    loaded.type = cascor::CacheType::redis;
    loaded.enabled = true;
  }
  return config_.emplace(loaded.checked());
}

std::string Session::server() { return to_string(cascor::RedisUrl::parse(config().redis_url)); }
bool Session::on_redis() { return config().enabled && config().type == cascor::CacheType::redis; }

cascor::CacheConfig Session::strict_config() {
  cascor::CacheConfig strict = config();
  strict.strict = true;
  strict.near_cache.enabled = false;
  strict.fallback.enabled = false;
  strict.write_behind.enabled = false;
  strict.connection_pool.max_connections = std::min<std::size_t>(strict.connection_pool.max_connections, 4);
  return strict;
}

void Session::check_shared() {
  if (!config().enabled) {
    throw Refusal{"the cache is switched off (backend.cache.enabled: false)", "Give --url to look at a Redis anyway."};
  }
  if (!on_redis()) {
    throw Refusal{"type: memory: such a cache lives in the process that made it, and no other one sees it",
                  "The records of runs are files: runs, export and import work. Give --url to look at a Redis."};
  }
}

cascor::CacheManager& Session::cache() {
  check_shared();
  return any_cache();
}

cascor::CacheManager& Session::any_cache() {
  if (!cache_) cache_ = std::make_unique<cascor::CacheManager>(strict_config());
  return *cache_;
}

void Session::runs(CLI::App* command, std::function<int()> work) {
  command->callback([this, work = std::move(work)] { work_ = work; });
}

int Session::run() {
  out_.use_json(options.json);
  cascor::set_log_level(options.verbose ? cascor::LogLevel::debug : cascor::LogLevel::warning);
  cascor::set_log_sink([this](cascor::LogLevel level, std::string_view message) {
    const bool drawn_over = out_.error_terminal();  // by a progress bar
    const std::string line = (drawn_over ? "\r\x1b[K" : "") + std::string{to_string(level)} + ": " + escaped(message);
    std::fprintf(stderr, "%s\n", line.c_str());
  });
  int code = done;
  try {
    code = work_ ? work_() : done;
  } catch (const cascor::CacheError& error) {
    code = failed(error);
  } catch (const Refusal& refusal) {
    out_.error("refused", refusal.what(), refusal.hint());
    code = refused;
  } catch (const std::exception& error) {
    out_.error("failed", error.what());
    code = refused;
  }
  try {
    cache_.reset();
  } catch (...) {  // NOLINT(bugprone-empty-catch): what was asked is done
  }
  if (!out_.flush()) {
    std::fputs("cascor-cache: standard output could not be written\n", stderr);
    return code == done ? refused : code;
  }
  return code;
}

int Session::failed(const cascor::CacheError& error) {
  out_.error(to_string(error.code()), error.what(), error.hint());
  return exit_code_of(error);
}

int exit_code_of(const cascor::CacheError& error) noexcept {
  switch (error.code()) {
    case cascor::ErrorCode::config:
    case cascor::ErrorCode::data: return wrong_usage;
    case cascor::ErrorCode::connection:
    case cascor::ErrorCode::timeout: return unreachable;
    case cascor::ErrorCode::authentication:
    case cascor::ErrorCode::response:
    case cascor::ErrorCode::out_of_memory: return refused;
  }
  return refused;
}

}  // namespace tool
