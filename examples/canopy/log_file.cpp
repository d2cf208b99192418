#include "log_file.hpp"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cascor/spdlog.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

void log_to(const LogOptions& options) {
  auto console = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  console->set_level(spdlog::level::info);
  console->set_formatter(cascor::spdlog_formatter());
  std::vector<spdlog::sink_ptr> sinks{console};
  std::string problem;
  if (options.file) {
    try {
      auto file = std::make_shared<spdlog::sinks::rotating_file_sink_mt>((options.directory / options.name).string(),
                                                                         options.max_size_mb << 20U, options.backups);
      file->set_formatter(cascor::spdlog_formatter("%Y-%m-%d %H:%M:%S.%e %*: %v"));
      sinks.push_back(std::move(file));
    } catch (const spdlog::spdlog_ex& error) {
      problem = error.what();
    }
  }
  auto logger = std::make_shared<spdlog::logger>("canopy", sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
  cascor::set_log_sink(cascor::spdlog_sink(std::move(logger)));
  cascor::set_log_level(cascor::LogLevel::debug);
  if (!problem.empty()) cascor::Log{}.warning("No log file: " + cascor::printable(problem));
}

void flush_log() { spdlog::default_logger()->flush(); }

}  // namespace canopy
