// What waits for Redis's return: decisions about which change survives which, without a server, a clock or a thread.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "cascor/cache/pending_changes.hpp"
#include "cascor/core/glob.hpp"

using cascor::OnlyIf;
using cascor::TimePoint;
using PendingChanges = cascor::detail::PendingChanges<>;

namespace {

constexpr std::size_t plenty = 1'000'000;

// Keys under "cascor:x" have a prefix of their own.
std::string wider(const void* /*context*/, std::string_view key) {
  return key.starts_with("cascor:x") ? "cascor:x*" : "cascor:*";
}
PendingChanges changes_of(std::size_t max_bytes = plenty) {
  return PendingChanges{max_bytes, "cascor:*", &wider, nullptr};
}

void write(PendingChanges& pending, const std::string& key, const std::string& value) {
  pending.write(key, std::make_shared<const std::string>(value), TimePoint::max(), OnlyIf::always);
}

std::string sum(const std::string& number, std::int64_t by) {
  return std::to_string((number.empty() ? 0 : std::stoll(number)) + by);
}

// What a server would hold after the replay: removals first, then writes, then increments.
std::map<std::string, std::string> replayed(PendingChanges::Changes changes,
                                            std::map<std::string, std::string> server) {
  std::erase_if(server, [&](const auto& entry) {
    return changes.erased.contains(entry.first) ||
           std::any_of(changes.patterns.begin(), changes.patterns.end(),
                       [&](const auto& pattern) { return cascor::glob_match(pattern, entry.first); });
  });
  for (const auto& one : changes.writes) server[one.key] = *one.bytes;
  for (const auto& [key, one] : changes.increments) server[key] = sum(server[key], one.by);
  return server;
}

}  // namespace

TEST_CASE("the newest value of a key wins, and the order of writes is kept") {
  auto pending = changes_of();
  write(pending, "a", "1");
  write(pending, "b", "2");
  write(pending, "a", "3");
  CHECK(pending.writes() == 2);
  const auto changes = pending.take();
  CHECK(pending.empty());
  REQUIRE(changes.writes.size() == 2);
  CHECK(changes.writes.front().key == "b");
  CHECK(changes.writes.back().key == "a");
  CHECK(*changes.writes.back().bytes == "3");
}

TEST_CASE("a removal takes the writes before it, and none after it") {
  auto pending = changes_of();
  write(pending, "cascor:a1", "old");
  write(pending, "cascor:b1", "kept");
  write(pending, "cascor:c", "old");
  pending.invalidate("cascor:a*");
  pending.erase("cascor:c");
  write(pending, "cascor:a2", "new");
  CHECK(replayed(pending.take(), {{"cascor:a1", "x"}, {"cascor:a3", "x"}, {"cascor:c", "x"}, {"cascor:d", "x"}}) ==
        std::map<std::string, std::string>{{"cascor:a2", "new"}, {"cascor:b1", "kept"}, {"cascor:d", "x"}});
}

TEST_CASE("an erased key that is written again is written, not erased") {
  auto pending = changes_of();
  pending.erase("cascor:a");
  write(pending, "cascor:a", "1");
  const auto changes = pending.take();
  CHECK(changes.erased.empty());
  CHECK(changes.writes.size() == 1);
}

TEST_CASE("what could not be replayed comes back behind what is newer") {
  auto pending = changes_of();
  write(pending, "cascor:a", "old");
  write(pending, "cascor:b", "old");
  write(pending, "cascor:c", "old");
  write(pending, "cascor:d", "old");
  pending.erase("cascor:e");
  pending.erase("cascor:f");
  pending.invalidate("cascor:g*");
  auto failed = pending.take();
  write(pending, "cascor:a", "new");
  pending.erase("cascor:b");
  pending.invalidate("cascor:[c]*");
  write(pending, "cascor:e", "new");
  pending.put_back(std::move(failed));
  CHECK(pending.writes() == 3);
  CHECK(replayed(pending.take(), {{"cascor:b", "x"}, {"cascor:c2", "x"}, {"cascor:f", "x"}, {"cascor:g1", "x"}}) ==
        std::map<std::string, std::string>{{"cascor:a", "new"}, {"cascor:d", "old"}, {"cascor:e", "new"}});
}

TEST_CASE("past the bound the oldest writes go, are counted, and do not leave an older value behind") {
  auto pending = changes_of(2'000);
  for (int i = 0; i < 100; ++i) write(pending, "cascor:" + std::to_string(i), "value");
  CHECK(pending.writes() < 20);
  CHECK(pending.writes() > 2);
  const auto kept = pending.writes();
  CHECK(pending.take_dropped() == 100 - kept);
  CHECK(pending.take_dropped() == 0);
  const auto server = replayed(pending.take(), {{"cascor:0", "older still"}, {"cascor:99", "older still"}});
  CHECK_FALSE(server.contains("cascor:0"));
  CHECK(server.at("cascor:99") == "value");
}

TEST_CASE("a value larger than the bound goes alone") {
  auto pending = changes_of(2'000);
  write(pending, "cascor:small", "value");
  write(pending, "cascor:large", std::string(10'000, 'x'));
  CHECK(pending.writes() == 1);
  CHECK(pending.take_dropped() == 1);
  const auto server = replayed(pending.take(), {{"cascor:large", "old"}});
  CHECK(server == std::map<std::string, std::string>{{"cascor:small", "value"}});
}

TEST_CASE("too many patterns become one of everything, and writes after them survive") {
  auto pending = changes_of();
  write(pending, "cascor:before", "1");
  for (std::size_t i = 0; i <= PendingChanges::max_patterns; ++i) {
    pending.invalidate("cascor:x" + std::to_string(i) + '*');
  }
  write(pending, "cascor:after", "2");
  pending.erase("cascor:after all");
  CHECK(pending.take_widened() == PendingChanges::max_patterns + 1);
  auto changes = pending.take();
  CHECK(changes.patterns == std::vector<std::string>{"cascor:*"});
  CHECK(changes.erased.empty());
  CHECK(replayed(std::move(changes), {{"cascor:x7", "x"}, {"cascor:y", "x"}}) ==
        std::map<std::string, std::string>{{"cascor:after", "2"}, {"cascor:before", "1"}});
}

TEST_CASE("too many erasures become the removal of their prefix, counted, and others stay as they are") {
  auto pending = changes_of(100'000);
  pending.erase("cascor:y");
  write(pending, "cascor:x before", "1");
  int erased = 0;
  while (pending.take_widened() == 0) pending.erase("cascor:x" + std::to_string(erased++));
  CHECK(erased > 100);
  CHECK(erased < 2'000);
  write(pending, "cascor:x after", "2");
  auto changes = pending.take();
  CHECK(changes.patterns == std::vector<std::string>{"cascor:x*"});
  CHECK(changes.erased == std::unordered_set<std::string>{"cascor:y"});
  CHECK(replayed(std::move(changes), {{"cascor:x7", "x"}, {"cascor:y", "x"}, {"cascor:z", "x"}}).count("cascor:z") ==
        1);
}

TEST_CASE("erasures beyond counting leave room for writes") {
  auto pending = changes_of(100'000);
  for (int i = 0; i < 10'000; ++i) {
    pending.erase("cascor:x" + std::to_string(i));
    write(pending, "cascor:" + std::to_string(i % 10), "value");
  }
  CHECK(pending.writes() == 10);
  CHECK(pending.take_dropped() == 0);
}

TEST_CASE("two writes of a key that wait have the condition that both in turn come to") {
  auto pending = changes_of();
  const auto value = std::make_shared<const std::string>("1");
  pending.write("cascor:a", value, TimePoint::max(), OnlyIf::absent);
  pending.write("cascor:a", value, TimePoint::max(), OnlyIf::present);  // met by the write before it
  pending.write("cascor:b", value, TimePoint::max(), OnlyIf::always);
  pending.write("cascor:b", value, TimePoint::max(), OnlyIf::present);
  pending.erase("cascor:c");
  pending.write("cascor:c", value, TimePoint::max(), OnlyIf::absent);  // met by the removal before it
  pending.write("cascor:d", value, TimePoint::max(), OnlyIf::absent);
  pending.write("cascor:d", value, TimePoint::max(), OnlyIf::always);  // takes the place of whatever is there
  pending.write("cascor:e", value, TimePoint::max(), OnlyIf::present);
  pending.write("cascor:e", value, TimePoint::max(), OnlyIf::present);
  pending.write("cascor:f", value, TimePoint::max(), OnlyIf::absent);
  pending.rewrite("cascor:f", value, TimePoint::max());  // counted on: its condition is the counter's
  const auto changes = pending.take();
  std::map<std::string, OnlyIf> conditions;
  for (const auto& one : changes.writes) conditions[one.key] = one.only_if;
  CHECK(conditions == std::map<std::string, OnlyIf>{{"cascor:a", OnlyIf::always},
                                                    {"cascor:b", OnlyIf::always},
                                                    {"cascor:c", OnlyIf::always},
                                                    {"cascor:d", OnlyIf::always},
                                                    {"cascor:e", OnlyIf::present},
                                                    {"cascor:f", OnlyIf::absent}});
}

TEST_CASE("a condition that was met by what could not be replayed is not asked of Redis") {
  auto pending = changes_of();
  const auto value = std::make_shared<const std::string>("1");
  pending.erase("cascor:a");
  pending.write("cascor:b", value, TimePoint::max(), OnlyIf::always);
  auto failed = pending.take();
  pending.write("cascor:a", value, TimePoint::max(), OnlyIf::absent);
  pending.write("cascor:b", value, TimePoint::max(), OnlyIf::present);
  pending.put_back(std::move(failed));
  const auto changes = pending.take();
  CHECK(changes.writes.size() == 2);
  for (const auto& one : changes.writes) CHECK(one.only_if == OnlyIf::always);
}

TEST_CASE("increments add up, survive a replay that fails, and go with what is removed or written") {
  auto pending = changes_of();
  for (const auto* key : {"cascor:a", "cascor:b", "cascor:c", "cascor:d"}) {
    pending.increment(key, 2, TimePoint::max());
    pending.increment(key, 3, TimePoint::max());
  }
  CHECK(pending.writes() == 4);
  auto failed = pending.take();
  CHECK(pending.empty());
  pending.increment("cascor:a", 10, TimePoint::max());
  pending.erase("cascor:b");
  pending.invalidate("cascor:c");
  write(pending, "cascor:d", "100");
  pending.put_back(std::move(failed));
  CHECK(replayed(pending.take(), {{"cascor:a", "1000"}, {"cascor:b", "1000"}, {"cascor:c", "1000"}}) ==
        std::map<std::string, std::string>{{"cascor:a", "1015"}, {"cascor:d", "100"}});
}

TEST_CASE("the same removal again is one removal") {
  auto pending = changes_of();
  for (int i = 0; i < 10; ++i) {
    pending.invalidate("cascor:a*");
    pending.erase("cascor:b");
  }
  const auto changes = pending.take();
  CHECK(changes.patterns.size() == 1);
  CHECK(changes.erased.size() == 1);
}

TEST_CASE("whatever is changed and however often a replay fails, the server ends with what memory said") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  const std::vector<std::string> keys{"cascor:a", "cascor:ab", "cascor:b", "cascor:ba", "cascor:c"};
  const std::vector<std::string> patterns{"cascor:a*", "cascor:?", "cascor:b", "cascor:*b*", "cascor:*"};
  for (int round = 0; round < 300; ++round) {
    auto pending = changes_of();
    std::map<std::string, std::string> server;
    for (const auto& key : keys) server[key] = "1000";
    auto truth = server;
    PendingChanges::Changes failed;
    bool under_way = false;
    for (int i = 0; i < 30; ++i) {
      const auto& key = keys[random() % keys.size()];
      const auto& pattern = patterns[random() % patterns.size()];
      switch (random() % 7) {
        case 0:
          write(pending, key, std::to_string(i));
          truth[key] = std::to_string(i);
          break;
        case 1: {
          const std::string value = sum(truth[key], i);
          if (pending.has_write(key)) {
            write(pending, key, value);
          } else {
            pending.increment(key, i, TimePoint::max());
          }
          truth[key] = value;
          break;
        }
        case 2:
          pending.erase(key);
          truth.erase(key);
          break;
        case 3:
          pending.invalidate(pattern);
          std::erase_if(truth, [&](const auto& entry) { return cascor::glob_match(pattern, entry.first); });
          break;
        case 4:
          if (under_way) break;
          failed = pending.take();
          under_way = true;
          break;
        default:
          if (!under_way) break;
          if (random() % 2 == 0 && !failed.writes.empty()) {  // part of it had reached the server
            for (const auto& removed : failed.erased) server.erase(removed);
            for (const auto& removed : failed.patterns) {
              std::erase_if(server, [&](const auto& entry) { return cascor::glob_match(removed, entry.first); });
            }
            failed.erased.clear();
            failed.patterns.clear();
            server[failed.writes.front().key] = *failed.writes.front().bytes;
            failed.writes.pop_front();
          }
          pending.put_back(std::move(failed));
          failed = {};
          under_way = false;
          break;
      }
    }
    if (under_way) pending.put_back(std::move(failed));
    REQUIRE(replayed(pending.take(), server) == truth);
  }
}
