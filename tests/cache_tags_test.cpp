// What memory knows of tags: the keys of each, without those that are gone, whatever it was told or not told.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cascor/cache/pending_changes.hpp"
#include "cascor/cache/tags.hpp"

using cascor::OnlyIf;
using cascor::TimePoint;
using cascor::detail::ValueTags;

namespace {

std::shared_ptr<const ValueTags> tags(std::vector<std::string> names) {
  return std::make_shared<const ValueTags>(ValueTags{std::move(names), 0});
}
std::vector<std::string> sorted(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

class Waiting {
 public:
  void write(const std::string& key, std::vector<std::string> names = {}) {
    pending.write(key, std::make_shared<const std::string>("v"), TimePoint::max(), OnlyIf::always,
                  names.empty() ? nullptr : tags(std::move(names)));
  }
  cascor::detail::PendingChanges<> pending{
      1'000'000, "cascor:*", [](const void*, std::string_view) { return std::string{"cascor:*"}; }, nullptr};
};

}  // namespace

TEST_CASE("each tag has its keys, each once, until it is taken") {
  cascor::detail::TagIndex<> index;
  const auto always = [](std::string_view) { return true; };
  index.add("a", *tags({"one"}), always);
  index.add("b", *tags({"one", "two"}), always);
  index.add("a", *tags({"one"}), always);
  CHECK(index.size() == 3);
  CHECK(sorted(index.take("one")) == std::vector<std::string>{"a", "b"});
  CHECK(index.take("one").empty());
  CHECK(index.take("two") == std::vector<std::string>{"b"});
  CHECK(index.size() == 0);
}

TEST_CASE("keys that come and go leave no more behind than there are") {
  cascor::detail::TagIndex<> index;
  std::set<std::string, std::less<>> alive;
  const auto is_alive = [&](std::string_view key) { return alive.contains(key); };
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "key that is longer than a string's own room " + std::to_string(i);
    alive.insert(key);
    if (i >= 100) alive.erase("key that is longer than a string's own room " + std::to_string(i - 100));
    index.add(key, *tags({"run-" + std::to_string(i / 50), "all"}), is_alive);
    REQUIRE(index.size() <= 700);
  }
  CHECK(index.take("run-0").empty());
  const auto last = index.take("run-399");
  CHECK(last.size() == 50);
}

TEST_CASE("a process knows the tags that it gave a key last, of the newest keys") {
  cascor::detail::TaggedKeys<> known;
  CHECK_FALSE(known.any());
  known.note("k", tags({"one", "two"}));
  CHECK(known.any());
  CHECK(known.former("k", nullptr) == std::vector<std::string>{"one", "two"});
  CHECK(known.former("k", tags({"two", "three"}).get()) == std::vector<std::string>{"one"});
  CHECK(known.former("other", nullptr).empty());
  known.note("k", tags({"three"}));
  CHECK(known.former("k", nullptr) == std::vector<std::string>{"three"});
  known.note("k", nullptr);
  CHECK(known.former("k", nullptr).empty());
  known.note("k", tags({"one"}));
  for (std::size_t i = 0; i < known.most; ++i) known.note("k" + std::to_string(i), tags({"one"}));
  CHECK(known.former("k", nullptr).empty());
  CHECK(known.former("k0", nullptr).size() == 1);
}

TEST_CASE("a tag that is removed while Redis is away takes the writes that wait under it along") {
  Waiting w;
  w.write("cascor:a", {"one"});
  w.write("cascor:b", {"two"});
  w.write("cascor:c");
  w.pending.invalidate_tag("one");
  w.pending.invalidate_tag("one");
  w.write("cascor:d", {"one"});
  CHECK_FALSE(w.pending.empty());
  auto changes = w.pending.take();
  CHECK(w.pending.empty());
  CHECK(changes.tags == std::vector<std::string>{"one"});
  CHECK(changes.erased == decltype(changes.erased){"cascor:a"});
  CHECK(changes.writes.size() == 3);
  CHECK(changes.writes.back().tags->names == std::vector<std::string>{"one"});

  w.pending.invalidate_tag("two");  // newer than what comes back
  w.pending.put_back(std::move(changes));
  changes = w.pending.take();
  CHECK(sorted(changes.tags) == std::vector<std::string>{"one", "two"});
  CHECK(changes.erased.contains("cascor:b"));
  CHECK(changes.writes.size() == 2);
}

TEST_CASE("a counter and a touch keep the tags of the write that waits; a write without them does not") {
  Waiting w;
  w.write("cascor:a", {"one"});
  w.pending.rewrite("cascor:a", std::make_shared<const std::string>("2"), TimePoint::max());
  CHECK(w.pending.take().writes.front().tags->names.front() == "one");
  w.write("cascor:a", {"one"});
  w.write("cascor:a");
  CHECK(w.pending.take().writes.front().tags == nullptr);
}

TEST_CASE("more tags than there is room for become the removal of everything") {
  Waiting w;
  for (std::size_t i = 0; i <= w.pending.max_patterns; ++i) w.pending.invalidate_tag("t" + std::to_string(i));
  const auto changes = w.pending.take();
  CHECK(changes.tags.empty());
  CHECK(changes.patterns == std::vector<std::string>{"cascor:*"});
}
