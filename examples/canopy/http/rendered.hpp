// Answers as they are sent, for values that are asked for again and again: writing a topology as text takes a hundred
// times as long as finding it. The library's own memory cache keeps them.
#pragma once

#include <cascor/cache.hpp>
#include <cascor/memory_cache.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "http/reply.hpp"

namespace canopy {

/// A value's text and its ETag. It holds the value: while it does, no other one is at its address.
struct Rendering {
  std::shared_ptr<const cascor::json> of;
  TaggedText text;
};
inline std::size_t weight_of(const Rendering& rendering) {
  return rendering.text.text.capacity() * 3;  // with the value, which weighs about twice its text
}

/// Safe from any thread.
class Rendered {
 public:
  /// Under `key` the text of `value`: written anew where it is not the very value that was asked for before, which a
  /// hit of the cache gives again and again.
  std::shared_ptr<const Rendering> text_of(std::string_view key, const std::shared_ptr<const cascor::json>& value) {
    if (auto kept = cache_.get(key); kept && (*kept)->of == value) return *kept;
    auto made = std::make_shared<const Rendering>(Rendering{value, tagged(canopy::text_of(*value))});
    cache_.set(key, made, std::chrono::minutes{1});
    return made;
  }

 private:
  cascor::MemoryCache<std::shared_ptr<const Rendering>> cache_{{.max_bytes = std::size_t{16} << 20U}};
};

}  // namespace canopy
