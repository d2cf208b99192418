// How an example that takes options begins and ends.
#pragma once

#include <cascor/cache.hpp>
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

}  // namespace examples
