// cascor/spdlog.hpp: the cache's lines come out of spdlog as they came out of the cache.
#include <spdlog/sinks/ostream_sink.h>

#include <cascor/core/log.hpp>
#include <cascor/spdlog.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <sstream>

using cascor::Log;
using cascor::LogLevel;

namespace {

struct Written {
  std::ostringstream stream;
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(stream));
};

}  // namespace

TEST_CASE("lines go to the logger with their level, and look as those of the default sink", "[spdlog]") {
  Written written;
  written.logger->set_level(spdlog::level::debug);
  written.logger->set_formatter(cascor::spdlog_formatter());
  const Log log{cascor::spdlog_sink(written.logger), LogLevel::debug};
  log.debug("Cached metrics: epoch_5");
  log.info("Redis connection established: localhost:6379");
  log.warning("100 % {} of it");
  log.error("gone");
  CHECK(written.stream.str() ==
        "DEBUG: Cached metrics: epoch_5\n"
        "INFO: Redis connection established: localhost:6379\n"
        "WARNING: 100 % {} of it\n"
        "ERROR: gone\n");
}

TEST_CASE("the logger's own level and pattern hold", "[spdlog]") {
  Written written;
  written.logger->set_level(spdlog::level::warn);
  written.logger->set_formatter(cascor::spdlog_formatter("[%n] %* %v"));
  const Log log{cascor::spdlog_sink(written.logger), LogLevel::debug};
  log.info("not this");
  log.warning("but this");
  CHECK(written.stream.str() == "[test] WARNING but this\n");
}

TEST_CASE("without a logger lines go to spdlog's default one", "[spdlog]") {
  Written written;
  written.logger->set_formatter(cascor::spdlog_formatter());
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(written.logger);
  const Log log{cascor::spdlog_sink(nullptr), LogLevel::info};
  spdlog::set_default_logger(before);
  log.info("here");
  CHECK(written.stream.str() == "INFO: here\n");
}
