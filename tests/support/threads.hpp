// Threads that do the same thing at once.
#pragma once

#include <cstddef>
#include <thread>
#include <vector>

namespace support {

/// Runs `work(i)` on `count` threads, i from 0 on, and joins them. What `work` throws ends the program: catch inside.
/// (Catch2's assertions are for one thread: count there, assert here.)
template <class Work>
void in_threads(std::size_t count, const Work& work) {
  std::vector<std::thread> threads;
  threads.reserve(count);
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace support
