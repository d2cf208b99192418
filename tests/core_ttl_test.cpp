// TTLs: any duration a caller may give, to the millisecond.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ratio>
#include <type_traits>

#include "cascor/core/ttl.hpp"

using cascor::DataError;
using cascor::expiry_after;
using cascor::milliseconds;
using cascor::time_left;
using cascor::TimePoint;
using cascor::Ttl;
using Catch::Matchers::Contains;
using namespace std::chrono_literals;

namespace {

const TimePoint now{1000h};

milliseconds resolved(Ttl ttl) { return ttl.resolve(77ms, now); }

}  // namespace

TEST_CASE("a TTL left out is that of the prefix") {
  CHECK(resolved({}) == 77ms);
  CHECK(Ttl{}.resolve(cascor::no_expiry, now) == 0ms);
}

TEST_CASE("whole durations are taken exactly, in any unit") {
  CHECK(resolved(5s) == 5000ms);
  CHECK(resolved(24h) == 86'400'000ms);
  CHECK(resolved(1ms) == 1ms);
  CHECK(resolved(1'000'000ns) == 1ms);
  CHECK(resolved(std::chrono::duration<int, std::ratio<1, 3>>{3}) == 1000ms);
  CHECK(resolved(std::chrono::duration<unsigned char>{255}) == 255'000ms);
  CHECK(resolved(cascor::no_expiry) == 0ms);
  CHECK(resolved(0s) == 0ms);
  CHECK(resolved(-0.0 * 1s) == 0ms);
}

TEST_CASE("a part of a millisecond is rounded up and never becomes 'no expiry'") {
  CHECK(resolved(1ns) == 1ms);
  CHECK(resolved(500us) == 1ms);
  CHECK(resolved(999'999ns) == 1ms);
  CHECK(resolved(1'000'001ns) == 2ms);
  CHECK(resolved(300'000'001ns) == 301ms);
  CHECK(resolved(std::chrono::duration<double>{1e-12}) == 1ms);
  CHECK(resolved(std::chrono::duration<double>{std::numeric_limits<double>::denorm_min()}) == 1ms);
  CHECK(resolved(std::chrono::duration<double, std::milli>{2.25}) == 3ms);
  CHECK(resolved(std::chrono::duration<int, std::ratio<1, 3>>{1}) == 334ms);
}

TEST_CASE("fractions of seconds are the milliseconds that they were written as") {
  for (int ms = 1; ms <= 20'000; ++ms) {
    const double seconds = ms / 1000.0;
    if (resolved(std::chrono::duration<double>{seconds}) != milliseconds{ms}) FAIL(seconds << " s");
    if (resolved(std::chrono::duration<float>{static_cast<float>(seconds)}) != milliseconds{ms}) FAIL(seconds << " s");
    if (resolved(std::chrono::duration<long double>{ms / 1000.0L}) != milliseconds{ms}) FAIL(seconds << " s");
  }
  CHECK(resolved(std::chrono::duration<double>{0.1 + 0.2}) == 300ms);
  CHECK(resolved(std::chrono::duration<double, std::ratio<3600>>{0.5}) == 30min);
}

TEST_CASE("a negative TTL is a DataError, and what is no number is one too") {
  for (const Ttl ttl : {Ttl{-1ms}, Ttl{-1ns}, Ttl{-1h}, Ttl{milliseconds::min()}, Ttl{std::chrono::hours::min()},
                        Ttl{std::chrono::duration<double>{-1e-9}},
                        Ttl{std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}},
                        Ttl{std::chrono::duration<double>{-std::numeric_limits<double>::infinity()}}}) {
    CHECK_THROWS_WITH(resolved(ttl), Contains("negative TTL"));
  }
  CHECK_THROWS_WITH(Ttl{}.resolve(-1ms, now), Contains("negative TTL"));
}

TEST_CASE("a TTL past what the clock can tell is a DataError") {
  for (const Ttl ttl : {Ttl{std::chrono::hours::max()}, Ttl{milliseconds::max()}, Ttl{std::chrono::nanoseconds::max()},
                        Ttl{std::chrono::duration<std::uint64_t>{std::numeric_limits<std::uint64_t>::max()}},
                        Ttl{std::chrono::duration<double>{1e30}},
                        Ttl{std::chrono::duration<double>{std::numeric_limits<double>::infinity()}},
                        Ttl{std::chrono::duration<float>{std::numeric_limits<float>::max()}}}) {
    CHECK_THROWS_WITH(resolved(ttl), Contains("past what the clock can tell"));
    try {
      (void)resolved(ttl);
    } catch (const DataError& error) {
      CHECK_THAT(error.hint(), Contains("no_expiry"));
    }
  }
  CHECK_THROWS_AS(Ttl{}.resolve(milliseconds::max(), now), DataError);
}

TEST_CASE("the longest TTL ends just before the clock does, and is no 'no expiry'") {
  const auto room = std::chrono::floor<milliseconds>(TimePoint::max() - now);
  CHECK(resolved(room - 1ms) == room - 1ms);
  CHECK(expiry_after(now, room - 1ms) < TimePoint::max());
  CHECK_THROWS_AS(resolved(room), DataError);
  CHECK_THROWS_AS(resolved(room + 1ms), DataError);
}

TEST_CASE("an entry ends its TTL after it was stored, one without a TTL never") {
  CHECK(expiry_after(now, 5ms) == now + 5ms);
  CHECK(expiry_after(now, cascor::no_expiry) == TimePoint::max());
}

TEST_CASE("what is left is rounded up, zero only at the end, and nothing where there is no end") {
  const TimePoint end = now + 10ms;
  CHECK(time_left(end, now) == 10ms);
  CHECK(time_left(end, now + 1ns) == 10ms);
  CHECK(time_left(end, now + 9'999'999ns) == 1ms);
  CHECK(time_left(end, end) == 0ms);
  CHECK(time_left(end, end + 1h) == 0ms);
  CHECK(time_left(TimePoint::max(), now) == std::nullopt);
}

TEST_CASE("a TTL is known at compile time where its duration is") {
  static_assert(std::is_nothrow_constructible_v<Ttl, std::chrono::seconds>);
  constexpr Ttl ttl{1500us};
  CHECK(resolved(ttl) == 2ms);
}
