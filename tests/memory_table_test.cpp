// What a shard is built of: the table of entries, the hash of keys, the budget of bytes.
#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory/budget.hpp"
#include "cascor/memory/hash_table.hpp"
#include "cascor/memory/key_hash.hpp"

using cascor::CacheHandle;
using cascor::detail::Allowance;
using cascor::detail::Budget;
using cascor::detail::HashTable;
using cascor::detail::KeyHash;
using namespace std::string_literals;

namespace {

using Handle = CacheHandle<int>;
using Table = HashTable<int>;

Handle entry(std::string_view key, std::uint64_t hash) {
  Handle made = Handle::adopt(Table::Node::make(key, 0, {}, {}));
  made.node()->hash = hash;
  return made;
}

// A table and a map that must agree. Hashes are made to collide, and to run round the end of the table.
class Pair {
 public:
  explicit Pair(std::uint64_t hashes) : hashes_{hashes} {}

  void insert(const std::string& key) {
    if (model_.count(key) != 0) return;
    Handle made = entry(key, hash(key));
    table_.reserve_one();
    table_.insert(*made.node());
    model_.emplace(key, std::move(made));
  }
  void erase(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return;
    table_.erase(*found->second.node());
    model_.erase(found);
  }
  void replace(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return;
    Handle made = entry(key, hash(key));
    table_.replace(*found->second.node(), *made.node());
    found->second = std::move(made);
  }
  template <class Leaves>
  void erase_if(Leaves leaves) {
    std::set<std::string> asked;
    table_.erase_if([&](Table::Node& node) {
      asked.emplace(node.key());
      return leaves(node.key());
    });
    REQUIRE(asked.size() == model_.size());
    std::erase_if(model_, [&](const auto& one) { return leaves(one.first); });
  }
  void check(int keys) const {
    REQUIRE(table_.size() == model_.size());
    for (int i = 0; i < keys; ++i) {
      const std::string key = std::to_string(i);
      const auto found = model_.find(key);
      REQUIRE(table_.find(hash(key), key) == (found == model_.end() ? nullptr : found->second.node()));
    }
    std::size_t visited = 0;
    table_.each([&](Table::Node& node) {
      ++visited;
      REQUIRE(model_.count(std::string{node.key()}) == 1);
    });
    REQUIRE(visited == model_.size());
  }
  const Table& table() const { return table_; }

 private:
  std::uint64_t hash(const std::string& key) const {
    // All near the last slots of any table size.
    return hashes_ == 0 ? KeyHash{{1, 2, 3}}(key) : ~(std::stoull(key) % hashes_);
  }
  std::uint64_t hashes_;
  Table table_;
  std::map<std::string, Handle> model_;
};

}  // namespace

TEST_CASE("the table finds what a map finds, whatever was inserted and erased, colliding or not") {
  for (const std::uint64_t hashes : {0U, 1U, 2U, 5U, 40U}) {
    CAPTURE(hashes);
    std::mt19937 random{static_cast<std::uint32_t>(hashes + 1)};
    const auto up_to = [&random](int most) { return std::uniform_int_distribution<int>{0, most}(random); };
    Pair pair{hashes};
    for (int i = 0; i < 3'000; ++i) {
      const std::string key = std::to_string(up_to(120));
      switch (up_to(9)) {
        case 0:
        case 1:
        case 2: pair.erase(key); break;
        case 3: pair.replace(key); break;
        default: pair.insert(key);
      }
      if (i % 40 == 0) pair.erase_if([&](std::string_view one) { return one.back() == "0123456789"[i / 40 % 10]; });
      if (i % 20 == 0) pair.check(121);
    }
    pair.erase_if([](std::string_view) { return true; });
    pair.check(121);
  }
}

TEST_CASE("a table gives back memory once it has become a quarter full") {
  Pair pair{0};
  for (int i = 0; i < 10'000; ++i) pair.insert(std::to_string(i));
  CHECK(pair.table().slots() == 16'384);
  for (int i = 0; i < 9'900; ++i) pair.erase(std::to_string(i));
  for (int i = 20'000; i < 20'020; ++i) pair.insert(std::to_string(i));
  CHECK(pair.table().slots() <= 512);
  for (int i = 9'900; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    CHECK(pair.table().find(KeyHash{{1, 2, 3}}(key), key) != nullptr);
  }
}

TEST_CASE("a predicate that throws leaves the table whole") {
  Table table;
  std::vector<Handle> entries;
  for (int i = 0; i < 20; ++i) {
    entries.push_back(entry(std::to_string(i), 0));
    table.reserve_one();
    table.insert(*entries.back().node());
  }
  int calls = 0;
  CHECK_THROWS_AS(table.erase_if([&calls](const Table::Node&) {
    if (++calls == 8) throw std::runtime_error{"no more"};
    return calls % 2 == 0;
  }),
                  std::runtime_error);
  CHECK(table.size() == 17);
  std::size_t found = 0;
  for (const auto& one : entries) found += table.find(0, one.node()->key()) != nullptr ? 1U : 0U;
  CHECK(found == 17);
}

TEST_CASE("equal keys hash alike under one seed, and otherwise under another") {
  const KeyHash hash{{11, 22, 33}};
  const KeyHash same{{11, 22, 33}};
  const KeyHash other{{11, 22, 34}};
  std::string text;
  for (int size = 0; size < 100; ++size) {
    CHECK(hash(text) == same(std::string{text}));
    CHECK(hash(text) != other(text));
    text.push_back(static_cast<char>('a' + size % 26));
  }
  CHECK(KeyHash{}("key") != KeyHash{}("key"));
  CHECK(hash(std::string_view{}) == hash(""));
}

TEST_CASE("every byte and the size of a key count, at every length") {
  const KeyHash hash{{11, 22, 33}};
  for (std::size_t size = 1; size <= 70; ++size) {
    std::string text(size, '\0');
    const std::uint64_t whole = hash(text);
    CHECK(hash(std::string_view{text}.substr(1)) != whole);
    for (std::size_t i = 0; i < size; ++i) {
      for (const char bit : {'\x01', '\x80'}) {
        text[i] = bit;
        // Close to half of the 64 bits change; fewer than ten would be one in a billion.
        if (std::popcount(hash(text) ^ whole) < 10) FAIL(size << " bytes, byte " << i);
        text[i] = '\0';
      }
    }
  }
}

TEST_CASE("keys that differ by a number spread evenly over slots and over shards") {
  for (const std::string prefix : {"", "k", "cascor:metrics:epoch_"}) {
    const KeyHash hash;
    std::vector<int> slots(1024, 0);
    std::array<int, 16> shards{};
    for (int i = 0; i < 102'400; ++i) {
      const std::uint64_t value = hash(prefix + std::to_string(i));
      ++slots[value & 1023U];
      ++shards[value >> 48U & 15U];
    }
    // 100 a slot, with a standard deviation of 10; 6,400 a shard, of 80.
    for (const int count : slots) {
      if (count < 40 || count > 160) FAIL(prefix << ": " << count);
    }
    for (const int count : shards) {
      if (count < 5'900 || count > 6'900) FAIL(prefix << ": " << count);
    }
  }
}

TEST_CASE("a budget gives all that is asked for or nothing, and never more than there is") {
  Budget budget{100};
  CHECK(budget.take(60));
  CHECK_FALSE(budget.take(41));
  CHECK(budget.used() == 60);
  CHECK(budget.take(40));
  CHECK_FALSE(budget.take(1));
  CHECK(budget.take(0));
  budget.give_back(100);
  CHECK(budget.used() == 0);
  CHECK_FALSE(budget.take(std::numeric_limits<std::size_t>::max()));
  CHECK(budget.limit() == 100);
}

TEST_CASE("an allowance spends what it was given, then what is replaced, then the budget's; the rest goes back") {
  Budget budget{100};
  REQUIRE(budget.take(80));  // held by entries
  {
    Allowance room{budget};
    CHECK_FALSE(room.exchange(21, 0));
    CHECK(budget.used() == 80);
    room.add(30);  // of an entry that was evicted: still in use, but by this one
    CHECK(room.exchange(45, 5));
    CHECK(budget.used() == 90);
    CHECK(room.exchange(10, 25));  // 15 are left
    CHECK(budget.used() == 90);
    CHECK_FALSE(room.exchange(26, 0));
    CHECK(room.exchange(5, 0));
    CHECK(budget.used() == 90);
  }
  CHECK(budget.used() == 80);
}
