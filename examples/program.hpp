// How an example that takes options begins and ends.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <cstdio>
#include <exception>

#include "arguments.hpp"

namespace examples {

/// Runs `work()`, which gives the exit code; what it throws is shown, and is 2 for what the user wrote, else 1.
template <class Work>
int run_program(const char* usage, const Work& work) {
  try {
    return work();
  } catch (const UsageError& error) {
    std::fprintf(stderr, "%s\n%s", error.what(), usage);
    return 2;
  } catch (const cascor::CacheError& error) {
    std::fprintf(stderr, "%s\n%s\n", error.what(), error.hint().c_str());
    return error.code() == cascor::ErrorCode::config ? 2 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

/// The same for an example whose one option is `--seconds`, a second unless told: runs `work(seconds)`.
template <class Work>
int run_for_seconds(const char* usage, int argc, char** argv, const Work& work) {
  return run_program(usage, [&] {
    Arguments arguments{argc, argv};
    if (arguments.flag("--help")) {
      std::fputs(usage, stdout);
      return 0;
    }
    const auto seconds = arguments.number("--seconds", 3'600).value_or(1);
    arguments.end();
    return work(std::chrono::seconds{seconds});
  });
}

}  // namespace examples
