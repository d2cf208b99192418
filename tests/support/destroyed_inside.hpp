// A program whose cache is destroyed from inside one of its own handlers, which is not allowed.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <string_view>
#include <thread>

#include "cascor/cache.hpp"
#include "support/fork.hpp"

namespace support {

/// Destroys the cache of ends_the_program(), once there is one.
struct DestroysTheCache {
  static inline std::atomic<cascor::CacheManager*> cache{nullptr};
  void operator()() const {
    while (cache == nullptr) std::this_thread::yield();  // the handler may run while the cache is made
    delete cache.load();                                 // NOLINT(cppcoreguidelines-owning-memory)
  }
};

/// In a child process: makes a cache by what `configure(config)` has made of a configuration, and calls `use(cache)`.
/// One of their handlers is DestroysTheCache. Has the program ended by that, saying why and what to do instead?
template <class Configure, class Use>
bool ends_the_program(const Configure& configure, const Use& use) {
  static std::atomic<bool> told{false};
  return holds_in_child([&] {
    std::set_terminate([] { ::_exit(told ? 0 : 1); });
    cascor::CacheConfig config;
    config.type = cascor::CacheType::memory;
    config.log_sink = [](cascor::LogLevel level, std::string_view line) {
      constexpr std::string_view words =
          "inside one of its own handlers, which is not allowed: hand it to another thread";
      if (level == cascor::LogLevel::error) told = line.find(words) != std::string_view::npos;
    };
    configure(config);
    auto* const cache = new cascor::CacheManager{config};  // NOLINT(cppcoreguidelines-owning-memory)
    DestroysTheCache::cache = cache;
    use(*cache);
    std::this_thread::sleep_for(std::chrono::minutes{1});
    return false;
  });
}

}  // namespace support
