// What glibc's allocator gave out, for tests that compare a weight with real memory.
#pragma once

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <vector>

/// Is malloc glibc's own? A sanitizer or valgrind puts another in its place, of which there is nothing to compare.
inline bool allocator_is_glibc() {
  void* const block = std::malloc(100);
  const bool is = malloc_usable_size(block) == 104;
  std::free(block);
  return is;
}

/// Bytes on the heap of one value of `make()`: the mean of so many that the few blocks which the allocator keeps at
/// hand do not count.
template <class Make>
double heap_bytes_of(Make make) {
  const auto allocated = [] {
    const auto all = mallinfo2();
    return all.uordblks + all.hblkhd;
  };
  std::vector<decltype(make())> values;
  values.reserve(4096);
  const std::size_t before = allocated();
  std::size_t bytes = 0;
  while (values.size() < 1024 && bytes < 256 * 1024) {
    for (std::size_t more = values.size() + 4; more > 0; --more) values.push_back(make());
    bytes = allocated() - before;
  }
  return static_cast<double>(bytes) / static_cast<double>(values.size());
}
