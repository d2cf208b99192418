// Recorded histories of many threads on few keys: each must be explained by some order in which the operations took
// effect one after another, each between its call and its return (linearizability; Wing and Gong, 1993).
#include <atomic>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"

using cascor::Eviction;
using cascor::MemoryCache;

namespace {

enum class Kind : unsigned char { get, set, erase, invalidate, invalidate_all, set_absent };

// Of one key. A value is a number that no other set writes; 0: none.
struct Operation {
  Kind kind = Kind::get;
  int value = 0;      // written, or read
  bool said = false;  // what erase and set_absent answered
  std::uint64_t called = 0;
  std::uint64_t returned = 0;
};

// May `operation` take effect where `held` is under the key? Then `held` becomes what is there afterwards.
bool explains(const Operation& operation, int& held) {
  switch (operation.kind) {
    case Kind::get: return operation.value == held;
    case Kind::set: held = operation.value; return true;
    case Kind::set_absent:
      if (operation.said != (held == 0)) return false;
      if (operation.said) held = operation.value;
      return true;
    case Kind::erase:
      if (operation.said != (held != 0)) return false;
      held = 0;
      return true;
    case Kind::invalidate:
    case Kind::invalidate_all: held = 0; return true;
  }
  return false;
}

// Depth first over which operation comes next; what was tried (the ones done, and what is held) is not tried again.
class Search {
 public:
  explicit Search(const std::vector<Operation>& history) : history_{history}, done_(history.size(), false) {}
  bool finds_an_order(int held = 0, std::size_t count = 0) {
    if (count == history_.size()) return true;
    if (!tried_.emplace(done_, held).second) return false;
    std::uint64_t first_return = ~std::uint64_t{0};
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (!done_[i] && history_[i].returned < first_return) first_return = history_[i].returned;
    }
    for (std::size_t i = 0; i < history_.size(); ++i) {
      int after = held;
      if (done_[i] || history_[i].called > first_return || !explains(history_[i], after)) continue;
      done_[i] = true;
      if (finds_an_order(after, count + 1)) return true;
      done_[i] = false;
    }
    return false;
  }

 private:
  const std::vector<Operation>& history_;
  std::vector<bool> done_;
  std::set<std::pair<std::vector<bool>, int>> tried_;
};

constexpr int keys = 2;
using History = std::vector<std::vector<Operation>>;  // by key

History record(Eviction eviction, std::uint32_t seed) {
  MemoryCache<int> cache{{.eviction = eviction, .shards = 1}};
  std::atomic<std::uint64_t> time{0};
  std::atomic<int> next_value{1};
  std::atomic<int> ready{0};
  std::vector<History> of_thread(4, History(keys));
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < of_thread.size(); ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random{seed * 100 + t};
      ++ready;
      while (ready < 4) std::this_thread::yield();
      for (int i = 0; i < 12; ++i) {
        const auto key = static_cast<std::size_t>(random() % keys);
        const std::string name = "key" + std::to_string(key);
        Operation operation;
        const auto drawn = random() % 11;
        operation.kind = drawn < 4   ? Kind::get
                         : drawn < 6 ? Kind::set
                         : drawn < 7 ? Kind::erase
                         : drawn < 8 ? Kind::invalidate
                         : drawn < 9 ? Kind::invalidate_all
                                     : Kind::set_absent;
        if (operation.kind == Kind::set || operation.kind == Kind::set_absent) operation.value = next_value++;
        operation.called = time++;
        if (operation.kind == Kind::get) {
          const auto hit = cache.get(name);
          operation.value = hit ? *hit : 0;
        } else if (operation.kind == Kind::set) {
          cache.set(name, operation.value);
        } else if (operation.kind == Kind::erase) {
          operation.said = cache.erase(name);
        } else if (operation.kind == Kind::invalidate) {
          cache.erase_matching(name + "*");
        } else if (operation.kind == Kind::invalidate_all) {
          cache.erase_matching("*");
        } else {
          operation.said = cache.set_if(name, operation.value, {}, cascor::absent) == cascor::SetOutcome::stored;
        }
        operation.returned = time++;
        for (std::size_t one = 0; one < keys; ++one) {
          if (one == key || operation.kind == Kind::invalidate_all) of_thread[t][one].push_back(operation);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  History all(keys);
  for (const auto& one : of_thread) {
    for (std::size_t key = 0; key < keys; ++key) all[key].insert(all[key].end(), one[key].begin(), one[key].end());
  }
  return all;
}

}  // namespace

TEST_CASE("what many threads saw of a key happened in some one order, each operation between its call and its return") {
  for (const auto eviction : {Eviction::lru, Eviction::s3fifo}) {
    for (std::uint32_t seed = 1; seed <= 150; ++seed) {
      CAPTURE(to_string(eviction), seed);
      for (const auto& history : record(eviction, seed)) REQUIRE(Search{history}.finds_an_order());
    }
  }
}

TEST_CASE("the search for an order finds none where a value is read that was overwritten before the call") {
  const std::vector<Operation> stale{
      {Kind::set, 1, false, 0, 1}, {Kind::set, 2, false, 2, 3}, {Kind::get, 1, false, 4, 5}};
  CHECK_FALSE(Search{stale}.finds_an_order());
  const std::vector<Operation> at_once{
      {Kind::set, 1, false, 0, 1}, {Kind::set, 2, false, 2, 5}, {Kind::get, 1, false, 3, 4}};
  CHECK(Search{at_once}.finds_an_order());
}
