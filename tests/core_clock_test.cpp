// Clocks, deadlines, and the time of one operation.
#include <catch2/catch.hpp>
#include <chrono>

#include "cascor/core/clock.hpp"

using cascor::Clock;
using cascor::Deadline;
using cascor::ManualClock;
using cascor::milliseconds;
using cascor::Now;
using cascor::SystemClock;
using cascor::TimePoint;
using namespace std::chrono_literals;

namespace {

class CountingClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    ++reads;
    return TimePoint{1000h + reads * 1ms};
  }
  cascor::WallTime wall() const noexcept override { return {}; }
  mutable int reads = 0;
};

}  // namespace

TEST_CASE("the system's clock moves on, and tells the calendar's time") {
  const auto& clock = *SystemClock::shared();
  const TimePoint before = std::chrono::steady_clock::now();
  const TimePoint read = clock.now();
  CHECK(before <= read);
  CHECK(read <= std::chrono::steady_clock::now());
  CHECK(clock.wall() >= std::chrono::system_clock::now() - 1min);
  CHECK(SystemClock::shared() == SystemClock::shared());
}

TEST_CASE("a manual clock stands still until it is moved, on both scales alike") {
  ManualClock clock;
  const auto now = clock.now();
  const auto wall = clock.wall();
  CHECK(clock.now() == now);
  clock.advance(90min + 1ns);
  CHECK(clock.now() - now == 90min + 1ns);
  CHECK(clock.wall() - wall == 90min + 1ns);
  clock.advance(-1ns);
  CHECK(clock.now() - now == 90min);
  CHECK(now > TimePoint{});
}

TEST_CASE("an operation has one time: read when it is first asked for, and not again") {
  const CountingClock clock;
  Now now{clock};
  CHECK(clock.reads == 0);
  const TimePoint first = now();
  CHECK(now() == first);
  CHECK(clock.reads == 1);
}

TEST_CASE("a deadline has passed from its very moment on") {
  ManualClock clock;
  const Deadline deadline{clock, 50ms};
  CHECK(deadline.at() == clock.now() + 50ms);
  CHECK(&deadline.clock() == &clock);
  CHECK_FALSE(deadline.passed());
  CHECK(deadline.remaining() == 50ms);
  clock.advance(50ms - 1ns);
  CHECK_FALSE(deadline.passed());
  CHECK(deadline.remaining() == 1ms);  // rounded up: zero would mean that it has passed
  clock.advance(1ns);
  CHECK(deadline.passed());
  CHECK(deadline.remaining() == 0ms);
  clock.advance(1h);
  CHECK(deadline.remaining() == 0ms);
}

TEST_CASE("a deadline of nothing or less has passed at once") {
  ManualClock clock;
  for (const milliseconds within : {0ms, -1ms, milliseconds::min()}) {
    const Deadline deadline{clock, within};
    CHECK(deadline.passed());
    CHECK(deadline.remaining() == 0ms);
  }
}

TEST_CASE("a deadline past what the clock can tell never passes") {
  ManualClock clock;
  for (const milliseconds within :
       {milliseconds::max(), std::chrono::floor<milliseconds>(TimePoint::max() - clock.now())}) {
    const Deadline deadline{clock, within};
    CHECK(deadline.at() == TimePoint::max());
    clock.advance(24h);
    CHECK_FALSE(deadline.passed());
    CHECK(deadline.remaining() > 1'000'000h);
    clock.advance(-24h);
  }
}

TEST_CASE("of two deadlines the sooner one counts") {
  ManualClock clock;
  const Deadline soon{clock, 1ms};
  const Deadline late{clock, 1h};
  CHECK(Deadline::sooner(soon, late).at() == soon.at());
  CHECK(Deadline::sooner(late, soon).at() == soon.at());
}
