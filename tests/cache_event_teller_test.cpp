// What CacheConfig::on_event is told of when its handler stands still: never more than a bound, and nothing uncounted.
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cascor/cache/event_teller.hpp"
#include "support/gate.hpp"

using cascor::CacheEvent;
using Teller = cascor::detail::EventTeller<>;

namespace {

// A handler that stands still until it is let go, and what it has been told by then.
class Held {
 public:
  explicit Held(int changes) {
    teller_.state("0");
    gate_.await_arrival();  // what waits from now on is all that comes
    for (int i = 1; i <= changes; ++i) {
      teller_.state(std::to_string(i));
      if (i % 10 == 0) teller_.flushed(cascor::FlushReason::server);
    }
  }
  std::vector<CacheEvent> told() {
    gate_.open();
    teller_.settle(std::chrono::steady_clock::now() + std::chrono::minutes{1});
    return told_;
  }

 private:
  std::vector<CacheEvent> told_;  // by the teller's thread, which has ended its work when it is read
  support::Gate gate_;
  Teller teller_{
      [this](const CacheEvent& event) {
        gate_.pass();
        told_.push_back(event);
      },
      cascor::Log{},
      std::make_shared<const cascor::KeySpace>(
          "cascor", std::array<std::string, 5>{"metrics:", "topology:", "session:", "history:", "control:"})};
};

}  // namespace

TEST_CASE("of changes of state that a handler is too slow for the newest are told, and the others counted",
          "[events]") {
  constexpr std::uint64_t changes = 20'000;
  const auto told = Held{changes}.told();
  std::vector<CacheEvent> states;
  std::uint64_t counted = 0;
  std::uint64_t flushes = 0;
  for (const CacheEvent& event : told) {
    (event.kind == "state" ? counted : flushes) += event.count;
    if (event.kind == "state") states.push_back(event);
  }
  REQUIRE(states.size() == 1 + Teller::most_states);
  CHECK(states.front().detail == "0");
  for (std::size_t i = 1; i < states.size(); ++i) {
    CHECK(states[i].detail == std::to_string(changes - Teller::most_states + i));
    CHECK(states[i].count == (i == 1 ? changes - Teller::most_states + 1 : 1));
  }
  CHECK(counted == changes + 1);
  CHECK(flushes == changes / 10);
  CHECK(told.size() <= 1 + Teller::most_states + Teller::most_waiting + 1);  // a sum of the flushes
}

TEST_CASE("changes of state that there is room for are told one by one, among the events that they happened between",
          "[events]") {
  const auto told = Held{20}.told();
  std::vector<std::string> order;
  for (const CacheEvent& event : told) {
    CHECK(event.count == 1);
    order.push_back(event.kind == "state" ? event.detail : event.kind);
  }
  std::vector<std::string> expected;
  for (int i = 0; i <= 20; ++i) {
    expected.push_back(std::to_string(i));
    if (i > 0 && i % 10 == 0) expected.emplace_back("flush");
  }
  CHECK(order == expected);
}
