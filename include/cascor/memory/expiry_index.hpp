// When entries end: records in the order of their time, so that what has expired is found without looking for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Records of a hash and a time, the earliest first out. Guarded by the shard's lock.
///
/// A record goes to the end of a row that ends with an earlier one: the one that ends last. Entries of one TTL come in
/// the order of their end, so each common TTL has a row of its own, and both ends of it are O(1). What fits no row goes
/// to a heap, O(log of what is there).
template <class CascorWhenUsed = void>
class ExpiryIndex {
 public:
  struct Record {
    TimePoint at;
    std::uint64_t hash = 0;
  };
  /// Bytes of a record, and what its row has to spare.
  static constexpr std::size_t bytes_per_record = 24;

  /// May throw std::bad_alloc, changing nothing.
  void add(Record record) {
    Row* best = nullptr;
    for (Row& row : rows_) {
      if (row.empty() ? best == nullptr
                      : (row.last() <= record.at && (best == nullptr || best->empty() || row.last() > best->last()))) {
        best = &row;
      }
    }
    if (best != nullptr) {
      best->records.push_back(record);
    } else {
      heap_.push_back(record);
      std::push_heap(heap_.begin(), heap_.end(), &later);
    }
    ++size_;
  }
  /// When the earliest one is; TimePoint::max() where there is none. O(1).
  TimePoint earliest() const noexcept {
    TimePoint at = heap_.empty() ? TimePoint::max() : heap_.front().at;
    for (const Row& row : rows_) at = row.empty() ? at : std::min(at, row.first().at);
    return at;
  }
  /// Takes the earliest one out; there must be one. Never throws.
  Record take_first() noexcept {
    Row* best = nullptr;
    for (Row& row : rows_) {
      if (!row.empty() && (best == nullptr || row.first().at < best->first().at)) best = &row;
    }
    --size_;
    if (best != nullptr && (heap_.empty() || best->first().at <= heap_.front().at)) return best->take_first();
    std::pop_heap(heap_.begin(), heap_.end(), &later);
    const Record record = heap_.back();
    heap_.pop_back();
    return record;
  }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Row {
    std::vector<Record> records;
    std::size_t taken = 0;  // so many of its first ones are gone

    bool empty() const noexcept { return taken == records.size(); }
    const Record& first() const noexcept { return records[taken]; }
    TimePoint last() const noexcept { return records.back().at; }
    Record take_first() noexcept {
      const Record record = records[taken++];
      if (empty()) {
        taken = 0;
        if (records.capacity() > 64) {
          records = std::vector<Record>{};  // not {}, which keeps the memory
        } else {
          records.clear();
        }
      } else if (taken >= 64 && taken * 2 >= records.size()) {
        records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(taken));
        taken = 0;
        if (records.capacity() > records.size() * 4) give_back();
      }
      return record;
    }
    void give_back() noexcept {
      try {
        records.shrink_to_fit();
      } catch (...) {  // it stays larger than it need be
      }
    }
  };
  static bool later(const Record& a, const Record& b) noexcept { return a.at > b.at; }

  std::array<Row, 6> rows_;
  std::vector<Record> heap_;
  std::size_t size_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
