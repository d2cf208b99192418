// What this process remembers of the values that it has seen in Redis: decisions, without a server.
#include <catch2/catch.hpp>
#include <string>

#include "cascor/cache/seen_values.hpp"

using Seen = cascor::detail::SeenValues<>;
using Verdict = Seen::Verdict;

TEST_CASE("the last bytes seen under a key are known, others there have changed since") {
  Seen seen{1 << 20};
  CHECK(seen.verdict("k", "v") == Verdict::changed);  // it has never looked
  seen.saw("k", "v");
  CHECK(seen.verdict("k", "v") == Verdict::known);
  CHECK(seen.verdict("k", "w") == Verdict::changed);
  CHECK(seen.verdict("l", "v") == Verdict::changed);
  seen.saw("k", "w");
  CHECK(seen.verdict("k", "w") == Verdict::known);
  CHECK(seen.verdict("k", "v") == Verdict::changed);
  seen.saw("k", "");
  CHECK(seen.verdict("k", "") == Verdict::known);
}

TEST_CASE("what this process wrote itself is known, whether it was told that it arrived or not") {
  Seen seen{1 << 20};
  seen.saw("k", "read");
  seen.sending("k", "first");
  CHECK(seen.verdict("k", "read") == Verdict::known);
  CHECK(seen.verdict("k", "first") == Verdict::known);
  seen.saw("k", "first");
  seen.sending("k", "second");
  CHECK(seen.verdict("k", "first") == Verdict::known);
  CHECK(seen.verdict("k", "second") == Verdict::known);
  CHECK(seen.verdict("k", "read") == Verdict::changed);
  CHECK(seen.verdict("l", "second") == Verdict::changed);
}

TEST_CASE("of a key that was lost track of nothing is known but what was written") {
  Seen seen{1 << 20};
  seen.saw("k", "v");
  seen.lost_track("k");
  CHECK(seen.verdict("k", "v") == Verdict::unknown);
  CHECK(seen.verdict("l", "v") == Verdict::changed);
  seen.saw("k", "w");
  CHECK(seen.verdict("k", "v") == Verdict::changed);
  seen.lost_track_of_all();
  CHECK(seen.verdict("k", "w") == Verdict::unknown);
  CHECK(seen.verdict("l", "v") == Verdict::unknown);
  seen.saw("l", "v");
  CHECK(seen.verdict("l", "w") == Verdict::changed);
}

TEST_CASE("past its bound the oldest are forgotten and the rest is remembered, and it knows which it may have been") {
  Seen seen{64 << 10};
  for (int i = 0; i < 400; ++i) seen.saw("k" + std::to_string(i), "v");
  for (int i = 0; i < 400; ++i) CHECK(seen.verdict("k" + std::to_string(i), "v") == Verdict::known);
  CHECK(seen.verdict("never", "v") == Verdict::changed);
  seen.saw("hot", "v");
  for (int i = 0; i < 100'000; ++i) {
    seen.saw("l" + std::to_string(i), "v");
    seen.sending("l" + std::to_string(i), "w");
    if (i % 100 == 0) seen.saw("hot", "v");
  }
  CHECK(seen.verdict("hot", "w") == Verdict::changed);
  CHECK(seen.verdict("l99999", "v") == Verdict::known);
  CHECK(seen.verdict("l99999", "w") == Verdict::known);
  CHECK(seen.verdict("l99999", "x") == Verdict::changed);
  CHECK(seen.verdict("k7", "w") == Verdict::unknown);
}

TEST_CASE("without room for anything nothing is known") {
  Seen seen{0};
  seen.saw("k", "v");
  seen.sending("k", "v");
  CHECK(seen.verdict("k", "v") == Verdict::unknown);
}
