// What the tests of MemoryCache share.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "cascor/memory_cache.hpp"

/// A clock to move by hand, and the options of a cache that reads it.
struct Timed {
  std::shared_ptr<cascor::ManualClock> clock = std::make_shared<cascor::ManualClock>();
  cascor::MemoryCacheOptions options(std::size_t max_bytes = 1 << 20) const {
    cascor::MemoryCacheOptions given;
    given.max_bytes = max_bytes;
    given.clock = clock;
    return given;
  }
};

/// Weighs what the test says; 13 is no weight at all.
struct Weighed {
  std::size_t weight = 0;
  friend std::size_t weight_of(const Weighed& value) {
    if (value.weight == 13) throw std::runtime_error{"the scales are broken"};
    return value.weight;
  }
};

/// What a cache charges for an entry: the bytes of one that holds nothing else.
template <class Value>
std::size_t charge_of(std::string_view key, Value value, cascor::Ttl ttl = {}) {
  cascor::MemoryCache<Value> probe;
  probe.set(key, std::move(value), ttl);
  return probe.bytes();
}
