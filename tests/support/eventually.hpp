// Waiting for what another thread or process does: until it is so, and no longer than a generous bound.
#pragma once

#include <chrono>
#include <thread>

namespace support {

/// Is `condition` true within `bound`? Asks again and again; the bound is met only by a test that fails.
template <class Condition>
bool eventually(Condition&& condition, std::chrono::milliseconds bound = std::chrono::seconds{20}) {
  const auto end = std::chrono::steady_clock::now() + bound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(
        std::chrono::milliseconds{1});  // the interval of asking: leaves the processor to others
  }
  return true;
}

/// How long `call` takes.
template <class Call>
std::chrono::milliseconds time_of(Call&& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
}

}  // namespace support
