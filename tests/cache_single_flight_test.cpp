// One computation of a key at a time: who leads, who waits, whom something newer has overtaken. Without an engine.
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <string>
#include <thread>

#include "cascor/cache/background.hpp"
#include "cascor/cache/change_signal.hpp"
#include "cascor/cache/lock.hpp"
#include "cascor/cache/single_flight.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::Deadline;
using cascor::TimePoint;

namespace {

using Flights = cascor::detail::SingleFlight<int>;
using Role = Flights::Role;
constexpr TimePoint for_ever = TimePoint::max();

const cascor::SystemClock the_clock;
Deadline soon() { return {the_clock, 50ms}; }
Deadline much_later() { return {the_clock, 20s}; }

auto is(std::string_view key) {
  return [key](std::string_view other) { return other == key; };
}

}  // namespace

TEST_CASE("the first who asks leads, all others follow and get what it gives") {
  Flights flights;
  const auto first = flights.join("k", flights.ended());
  CHECK(first.role == Role::lead);
  CHECK_FALSE(first.read_again);
  std::atomic<int> right{0};
  std::atomic<int> joined{0};
  std::thread leader{[&] {
    eventually([&] { return joined == 8; });
    flights.finish(*first.flight, 42);
  }};
  in_threads(8, [&](std::size_t) {
    const auto other = flights.join("k", flights.ended());
    ++joined;
    if (other.role == Role::follow && flights.wait(*other.flight, the_clock, for_ever) &&
        other.flight->outcome() == 42) {
      ++right;
    }
  });
  leader.join();
  CHECK(right == 8);
  CHECK(flights.idle());
}

TEST_CASE("keys do not wait for one another") {
  Flights flights;
  const auto one = flights.join("one", flights.ended());
  CHECK(flights.join("two", flights.ended()).role == Role::lead);
}

TEST_CASE("who looked before a flight ended and leads after it is told to look again") {
  Flights flights;
  const auto before = flights.ended();
  const auto first = flights.join("k", before);
  flights.finish(*first.flight, 1);
  CHECK(flights.join("k", before).read_again);
}

TEST_CASE("what something newer has overtaken may not publish, and nobody joins it any more") {
  Flights flights;
  const auto old = flights.join("k", flights.ended());
  const auto other = flights.join("other", flights.ended());
  SECTION("by a value") { flights.overtake("k"); }
  SECTION("by a removal") { flights.overtake_removed(is("k"), much_later()); }
  CHECK_FALSE(flights.begin_publishing(*old.flight));
  CHECK(flights.begin_publishing(*other.flight));
  CHECK(flights.end_publishing(*other.flight));

  std::thread{[&] {
    const auto fresh = flights.join("k", flights.ended());
    CHECK(fresh.role == Role::lead);
    flights.finish(*old.flight, 1);  // must not end the fresh one
    CHECK(flights.look("k") == fresh.flight);
    CHECK(flights.begin_publishing(*fresh.flight));
    CHECK(flights.end_publishing(*fresh.flight));
  }}.join();
}

TEST_CASE("a removal waits for what is being published, and is heard where it could not; a newer value does neither") {
  Flights flights;
  const auto publishing = flights.join("k", flights.ended());
  CHECK(flights.begin_publishing(*publishing.flight));
  SECTION("it waits") {
    std::atomic<bool> waited{false};
    std::thread eraser{[&] {
      flights.overtake_removed(is("k"), much_later());
      waited = true;
    }};
    CHECK_FALSE(eventually([&] { return waited.load(); }, 30ms));
    CHECK(flights.end_publishing(*publishing.flight));
    eraser.join();
    CHECK(waited);
  }
  SECTION("it cannot wait any longer") {
    std::thread{[&] { flights.overtake_removed(is("k"), soon()); }}.join();
    CHECK_FALSE(flights.end_publishing(*publishing.flight));
  }
  SECTION("it is the publisher itself") {
    flights.overtake_removed(is("k"), much_later());
    CHECK(flights.end_publishing(*publishing.flight));
  }
  SECTION("it is a newer value") {
    std::thread{[&] {
      flights.overtake("k");
      CHECK(flights.join("k", flights.ended()).role == Role::lead);
    }}.join();
    CHECK(flights.end_publishing(*publishing.flight));
  }
  SECTION("it is another key") {
    std::thread{[&] { flights.overtake_removed(is("j"), much_later()); }}.join();
    CHECK(flights.end_publishing(*publishing.flight));
  }
}

TEST_CASE("a queued flight is led by who starts it, by who needs it sooner, or by nobody") {
  Flights flights;
  const auto queued = flights.enqueue("k");
  REQUIRE(queued);
  CHECK_FALSE(flights.enqueue("k"));
  SECTION("started") {
    CHECK(flights.start(*queued));
    std::thread{[&] { CHECK(flights.join("k", flights.ended()).role == Role::follow); }}.join();
  }
  SECTION("taken over") {
    CHECK(flights.join("k", flights.ended()).role == Role::lead);
    CHECK_FALSE(flights.start(*queued));
  }
  SECTION("withdrawn") {
    flights.withdraw(*queued);
    CHECK_FALSE(flights.start(*queued));
    CHECK(flights.idle());
    CHECK(flights.enqueue("k"));
  }
  SECTION("overtaken before it began") {
    flights.overtake_removed(is("k"), much_later());
    CHECK_FALSE(flights.start(*queued));
    CHECK(flights.idle());
  }
}

TEST_CASE("a wait ends by its moment, on the clock that it is given") {
  Flights flights;
  cascor::ManualClock clock;
  const auto led = flights.join("k", flights.ended());
  CHECK_FALSE(flights.wait(*led.flight, clock, clock.now()));
  std::atomic<bool> ended{false};
  auto waiter = std::async(std::launch::async, [&] {
    const bool in_time = flights.wait(*led.flight, clock, clock.now() + 1h);
    ended = true;
    return in_time;
  });
  CHECK_FALSE(eventually([&] { return ended.load(); }, 30ms));
  eventually([&] {
    clock.advance(1h);
    return ended.load();
  });
  CHECK_FALSE(waiter.get());
}

TEST_CASE("a thread that would wait for itself is told so, over others too") {
  Flights flights;
  const auto mine = flights.join("a", flights.ended());
  CHECK(flights.join("a", flights.ended()).role == Role::circle);

  Gate leads_b;
  auto other = std::async(std::launch::async, [&] {
    const auto b = flights.join("b", flights.ended());
    leads_b.pass();
    const auto a = flights.join("a", flights.ended());
    const bool followed = a.role == Role::follow && flights.wait(*a.flight, the_clock, for_ever);
    flights.finish(*b.flight, 2);
    return b.role == Role::lead && followed;
  });
  leads_b.await_arrival();
  leads_b.open();
  CHECK(eventually([&] { return flights.join("b", flights.ended()).role == Role::circle; }));
  flights.finish(*mine.flight, 1);
  CHECK(other.get());
}

TEST_CASE("what runs in the background is bounded, in order, and joined at the end") {
  struct Task final : cascor::detail::BackgroundTask {
    explicit Task(Gate& g, std::atomic<int>& count) : gate{g}, done{count} {}
    void run() noexcept override {
      gate.pass();
      ++done;
    }
    Gate& gate;
    std::atomic<int>& done;
  };
  Gate gate;
  std::atomic<int> done{0};
  const auto task = [&]() -> std::unique_ptr<cascor::detail::BackgroundTask> {
    return std::make_unique<Task>(gate, done);
  };
  {
    cascor::detail::Background<> background{2, 3};
    for (int i = 0; i < 2; ++i) {
      auto one = task();
      CHECK(background.post(one));
      gate.await_arrival(i + 1);
    }
    for (int i = 0; i < 3; ++i) {
      auto one = task();
      CHECK(background.post(one));
    }
    auto over = task();
    CHECK_FALSE(background.post(over));
    CHECK(over);  // it is still the caller's
    gate.open();
    CHECK(eventually([&] { return done == 5; }));
    background.stop();
    CHECK_FALSE(background.post(over));
  }
  CHECK(gate.arrived() == 5);  // two threads ran them all
}

TEST_CASE("who listens for a change is woken by it, also by one that came before the wait, and once") {
  cascor::detail::ChangeSignal signal;
  signal.ring();
  cascor::detail::ChangeSignal::Listening listening{signal};
  CHECK_FALSE(listening.wait_for(1ms));
  signal.ring();
  CHECK(listening.wait_for(20s));
  CHECK_FALSE(listening.wait_for(1ms));
  std::thread ringer{[&] { signal.ring(); }};
  CHECK(listening.wait_for(20s));
  ringer.join();
}

TEST_CASE("a key and its lock share a slot unless the key has braces of its own") {
  using cascor::detail::hash_tag;
  const auto share = [](const std::string& key) { return hash_tag("cascor:lock:{" + key + "}") == hash_tag(key); };
  CHECK(share("cascor:metrics:latest"));
  CHECK_FALSE(share("cascor:{a}b"));
  CHECK_FALSE(share("cascor:a}b"));
  CHECK(hash_tag("a{}b") == "a{}b");
  CHECK(hash_tag("a{b") == "a{b");
  CHECK(hash_tag("{app}:lock:{{app}:k}") == hash_tag("{app}:k"));
}
