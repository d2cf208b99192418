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

// All near the last chunk of any table size; 0: as keys are.
struct Hash {
  std::uint64_t different = 0;
  std::uint64_t operator()(std::string_view key) const {
    return different == 0 ? KeyHash{{1, 2, 3}}(key) : ~(std::stoull(std::string{key}) % different << 31U);
  }
};
using Table = HashTable<int, Hash>;

Handle entry(std::string_view key) { return Handle::adopt(Table::Node::make(key, 0, {}, {}, false)); }

// A table and a map that must agree. Hashes are made to collide, and to run round the end of the table.
class Pair {
 public:
  explicit Pair(std::uint64_t different) : hash_{different} { table_.set_up(hash_); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() = default;

  void insert(const std::string& key) {
    if (model_.count(key) != 0) return;
    Handle made = entry(key);
    table_.reserve_one();
    table_.insert(hash_(key), *made.node());
    model_.emplace(key, std::move(made));
  }
  void erase(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return;
    table_.erase(hash_(key), *found->second.node());
    model_.erase(found);
  }
  void replace(const std::string& key) {
    const auto found = model_.find(key);
    if (found == model_.end()) return;
    Handle made = entry(key);
    table_.replace(hash_(key), *found->second.node(), *made.node());
    found->second = std::move(made);
  }
  template <class Leaves>
  void erase_if(Leaves leaves) {
    std::set<std::string> asked;
    table_.each([&](Table::Node& node) {
      asked.emplace(node.key());
      if (leaves(node.key())) table_.erase(hash_(node.key()), node);
    });
    REQUIRE(asked.size() == model_.size());
    std::erase_if(model_, [&](const auto& one) { return leaves(one.first); });
  }
  void check(int keys) const {
    REQUIRE(table_.size() == model_.size());
    for (int i = 0; i < keys; ++i) {
      const std::string key = std::to_string(i);
      const auto found = model_.find(key);
      REQUIRE(table_.find(hash_(key), key) == (found == model_.end() ? nullptr : found->second.node()));
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
  Hash hash_;
  Table table_;
  std::map<std::string, Handle> model_;
};

}  // namespace

TEST_CASE("the table finds what a map finds, whatever was inserted and erased, colliding or not") {
  for (const std::uint64_t different : {0U, 1U, 2U, 5U, 40U}) {
    CAPTURE(different);
    std::mt19937 random{static_cast<std::uint32_t>(different + 1)};
    const auto up_to = [&random](int most) { return std::uniform_int_distribution<int>{0, most}(random); };
    Pair pair{different};
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

TEST_CASE("a table weighs 13 to 19 bytes an entry while it grows, and gives memory back when it empties") {
  Pair pair{0};
  for (int i = 0; i < 20'000; ++i) {
    pair.insert(std::to_string(i));
    if (i > 1'000) {
      const double each = static_cast<double>(pair.table().bytes()) / (i + 1);
      REQUIRE(each > 12.7);
      REQUIRE(each < 19.3);
    }
  }
  for (int i = 0; i < 19'900; ++i) pair.erase(std::to_string(i));
  for (int i = 20'000; i < 20'020; ++i) pair.insert(std::to_string(i));
  CHECK(pair.table().bytes() <= 8 * 1'024);
  pair.check(19'900);
}

TEST_CASE("an entry is found by its hash alone, where no other has the same") {
  const Hash hash;
  Table table;
  table.set_up(hash);
  std::vector<Handle> entries;
  for (int i = 0; i < 1'000; ++i) {
    entries.push_back(entry(std::to_string(i)));
    table.reserve_one();
    table.insert(hash(std::to_string(i)), *entries.back().node());
  }
  for (int i = 0; i < 1'000; ++i) {
    REQUIRE(table.find(hash(std::to_string(i))) == entries[static_cast<std::size_t>(i)].node());
  }
  CHECK(table.find(hash("none")) == nullptr);
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
