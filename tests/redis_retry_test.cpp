// Whether to try again and when: decisions, shown without a server, a socket or a clock.
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <optional>

#include "cascor/redis/retry.hpp"

using namespace std::chrono_literals;
using cascor::redis::after_reply;
using cascor::redis::AfterReply;
using cascor::redis::Backoff;
using cascor::redis::FailedAttempt;
using cascor::redis::Repeat;
using cascor::redis::RetryPolicy;

namespace {

const std::function<std::uint64_t()> longest = [] { return ~std::uint64_t{0}; };
const std::function<std::uint64_t()> none = [] { return std::uint64_t{0}; };
constexpr FailedAttempt nothing_sent{.anything_sent = false, .idle_connection = false};
constexpr FailedAttempt sent{.anything_sent = true, .idle_connection = false};
constexpr FailedAttempt sent_on_idle{.anything_sent = true, .idle_connection = true};

}  // namespace

TEST_CASE("nothing sent: anything may be tried again, whatever the settings") {
  const auto repeat = GENERATE(Repeat::safe, Repeat::unsafe);
  const bool retry_sent = GENERATE(true, false);
  RetryPolicy policy{repeat, retry_sent};
  CHECK(policy.after(nothing_sent, 1s, none));
}

TEST_CASE("something sent: what is not safe to repeat is never sent twice, nor on a connection that was idle") {
  for (const auto& failed : {sent, sent_on_idle}) {
    RetryPolicy policy{Repeat::unsafe, true};
    CHECK_FALSE(policy.after(failed, 1h, none));
  }
}

TEST_CASE("something sent: what is safe to repeat is, unless retrying is switched off") {
  CHECK(RetryPolicy{Repeat::safe, true}.after(sent, 1s, none));
  CHECK_FALSE(RetryPolicy{Repeat::safe, false}.after(sent, 1s, none));
  CHECK_FALSE(RetryPolicy{Repeat::safe, false}.after(sent_on_idle, 1s, none));
}

TEST_CASE("three attempts at most") {
  RetryPolicy policy{Repeat::safe, true};
  CHECK(policy.after(nothing_sent, 1h, none));
  CHECK(policy.after(nothing_sent, 1h, none));
  CHECK_FALSE(policy.after(nothing_sent, 1h, none));
  CHECK_FALSE(policy.after(nothing_sent, 1h, none));
}

TEST_CASE("a connection that was closed while idle is replaced without waiting") {
  RetryPolicy policy{Repeat::safe, true};
  CHECK(policy.after(sent_on_idle, 1s, longest) == 0ms);
}

TEST_CASE("a wait that would reach the deadline is not begun") {
  RetryPolicy policy{Repeat::safe, true};
  CHECK_FALSE(policy.after(nothing_sent, 0ms, none));
  const std::function<std::uint64_t()> ten = [] { return 10U; };
  CHECK_FALSE(RetryPolicy{Repeat::safe, true}.after(nothing_sent, 10ms, ten));
  CHECK(RetryPolicy{Repeat::safe, true}.after(nothing_sent, 11ms, ten) == 10ms);
}

TEST_CASE("backoff doubles its bound up to the most, and draws anything from zero to the bound") {
  Backoff backoff{10ms, 35ms};
  for (const std::uint64_t bound : {10U, 20U, 35U, 35U}) {
    CAPTURE(bound);
    CHECK(backoff.next([bound] { return bound; }) == std::chrono::milliseconds{bound});
  }
  CHECK(backoff.next([] { return 36U; }) == 0ms);  // one past the bound comes round to zero
  CHECK(backoff.next(none) == 0ms);
}

TEST_CASE("a reply that passes by itself is tried again, whatever the command") {
  for (const char* reply :
       {"TRYAGAIN Multiple keys request during rehashing of slot", "CLUSTERDOWN The cluster is down",
        "LOADING Redis is loading the dataset in memory", "MASTERDOWN Link with MASTER is down",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."}) {
    CAPTURE(reply);
    CHECK(after_reply(reply) == AfterReply::again);
  }
}

TEST_CASE("a server that is not the master any more is asked again on another connection") {
  CHECK(after_reply("READONLY You can't write against a read only replica.") == AfterReply::again_elsewhere);
}

TEST_CASE("what stays as it is until somebody acts is reported, and so is every other error") {
  for (const char* reply :
       {"MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381",
        "OOM command not allowed when used memory > 'maxmemory'.", "NOSCRIPT No matching script. Please use EVAL.",
        "EXECABORT Transaction discarded because of previous errors.", "ERR unknown command", "WRONGTYPE Operation",
        "NOAUTH Authentication required.", "BUSYGROUP Consumer Group name already exists",
        "BUSYKEY Target key name already exists.", "LOADINGS", "", "readonly"}) {
    CAPTURE(reply);
    CHECK(after_reply(reply) == AfterReply::report);
  }
}
