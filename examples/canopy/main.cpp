// Canopy: trains a Cascade-Correlation network on the two spirals, and shows the training in a browser.
//
// Exit code: 0 after Ctrl-C, 1 where it could not start, 2 for bad options or a bad configuration.
#include <sys/resource.h>

#include <cascor/cache.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "dashboard.hpp"
#include "interrupt.hpp"
#include "program.hpp"
#include "settings.hpp"
#include "trainer/trainer.hpp"

namespace {

using canopy::Settings;

/// Is Redis what the cache is on? Throws where it has to be and is not.
bool on_redis(cascor::CacheManager& cache, const Settings& settings) {
  const cascor::Health health = cache.health();
  const bool redis = health.details.backend == "redis" && health.mode == cascor::HealthMode::live;
  if (settings.require_redis && !redis) {
    throw std::runtime_error{"Canopy does not start without its Redis: " + health.message};
  }
  return redis;
}

/// Where a browser finds it, and a warning where others may, too.
void print_address(const std::string& host, int port) {
  const bool everywhere = host == "0.0.0.0" || host == "::";
  std::printf("Canopy: http://%s:%d\n", everywhere ? "127.0.0.1" : host.c_str(), port);
  if (!host.starts_with("127.") && host != "localhost" && host != "::1") {
    cascor::Log{}.warning("Whoever reaches " + host + ":" + std::to_string(port) +
                          " can watch the training and control it");
  }
}

std::unique_ptr<canopy::Dashboard> open_dashboard(cascor::CacheManager& cache, const Settings& settings) {
  try {
    return std::make_unique<canopy::Dashboard>(cache, settings);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::address_in_use) throw;
    throw std::runtime_error{"Port " + std::to_string(settings.port) +
                             " is taken, perhaps by another Canopy: end that, or take another port with --port " +
                             std::to_string(settings.port % 65'535 + 1) + " (--port 0: any that is free)"};
  }
}

/// Each viewer is an open file, and the usual limit of a process is 1,024.
void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const Settings& settings) {
  allow_many_files();
  canopy::log_to(settings.log);
  if (settings.check) cascor::set_log_level(cascor::LogLevel::error);  // what it would say is said when it starts
  cascor::CacheManager cache{canopy::cache_config_of(settings)};
  const bool redis = on_redis(cache, settings);
  if (settings.check) return 0;
  std::unique_ptr<canopy::Trainer> trainer;
  std::unique_ptr<canopy::Dashboard> dashboard;
  if (settings.serve) dashboard = open_dashboard(cache, settings);
  if (settings.train) trainer = std::make_unique<canopy::Trainer>(cache, settings.trainer);
  cascor::Log{}.info(redis ? "Juniper Canopy started with Redis integration"
                           : "Juniper Canopy started with memory cache");
  if (dashboard) print_address(settings.host, dashboard->port());
  std::fflush(stdout);

  while (!examples::interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds{100});
  std::puts("Canopy: stopping");
  trainer.reset();
  dashboard.reset();
  canopy::flush_log();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_program(canopy::usage, [&] {
    const Settings settings = canopy::settings_of(argc, argv);
    if (settings.help) {
      std::fputs(canopy::usage, stdout);
      return 0;
    }
    examples::stop_on_interrupt();
    return run(settings);
  });
}
