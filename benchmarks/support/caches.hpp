// The caches that are compared: each has get(key), which looks at the value, and put(key, value).
#pragma once

#define TBB_PREVIEW_CONCURRENT_LRU_CACHE 1  // NOLINT(cppcoreguidelines-macro-usage): oneTBB asks for it
#include <oneapi/tbb/concurrent_lru_cache.h>
#include <rocksdb/cache.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/memory_cache.hpp"

namespace caches {

using Value = std::string;

/// What a reader does with a value: enough that it has to be there.
inline bool looked_at(const Value& value) { return value.empty() || value.back() != '\0'; }

class Ours {
 public:
  static constexpr std::size_t default_bytes = std::size_t{100} << 20;
  Ours(std::size_t max_bytes, cascor::Eviction eviction) : cache_{{.max_bytes = max_bytes, .eviction = eviction}} {}
  bool get(std::string_view key) {
    const auto hit = cache_.get(key);
    return hit && looked_at(*hit);
  }
  void put(std::string_view key, const Value& value) { cache_.set(key, value); }
  cascor::MemoryCache<Value>& cache() { return cache_; }

  /// Bytes for so many entries of this size.
  static std::size_t bytes_for(std::size_t entries, std::string_view key, const Value& value,
                               cascor::Eviction eviction) {
    cascor::MemoryCache<Value> probe{{.eviction = eviction}};
    probe.set(key, value);
    return probe.bytes() * entries;
  }

 private:
  cascor::MemoryCache<Value> cache_;
};

/// RocksDB's, with a charge of 1 an entry and the metadata not charged, so that its capacity is a number of entries.
class Rocks {
 public:
  explicit Rocks(std::shared_ptr<rocksdb::Cache> cache) : cache_{std::move(cache)} {}
  static Rocks lru(std::size_t entries) {
    return Rocks{rocksdb::NewLRUCache(entries, 4, false, 0.0, nullptr, rocksdb::kDefaultToAdaptiveMutex,
                                      rocksdb::kDontChargeCacheMetadata)};
  }
  static Rocks hyper_clock(std::size_t entries) {
    return Rocks{rocksdb::HyperClockCacheOptions(entries, 1, 4, false, nullptr, rocksdb::kDontChargeCacheMetadata)
                     .MakeSharedCache()};
  }
  bool get(std::string_view key) {
    rocksdb::Cache::Handle* const handle = cache_->Lookup({key.data(), key.size()});
    if (handle == nullptr) return false;
    const bool good = looked_at(*static_cast<const Value*>(cache_->Value(handle)));
    cache_->Release(handle);
    return good;
  }
  void put(std::string_view key, const Value& value) {
    (void)cache_->Insert({key.data(), key.size()}, new Value(value), 1,
                         [](const rocksdb::Slice&, void* held) { delete static_cast<Value*>(held); });
  }

 private:
  std::shared_ptr<rocksdb::Cache> cache_;
};

/// oneTBB's, which makes what is missing itself: a get() that always finds, and no put(). It keeps so many that nobody
/// uses.
class Tbb {
 public:
  explicit Tbb(std::size_t entries) : cache_{&made, entries} {}
  bool get(std::string_view key) {
    auto handle = cache_[std::string{key}];
    return looked_at(handle.value());
  }
  static void put(std::string_view /*key*/, const Value& /*value*/) {}

 private:
  static Value made(std::string /*key*/) { return Value(100, 'v'); }
  tbb::concurrent_lru_cache<std::string, Value, Value (*)(std::string)> cache_;
};

}  // namespace caches
