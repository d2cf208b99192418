// What people reach for next to get and set: TTLs, counters, conditions and lists of keys, on a real server.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/redis_client.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::no_expiry;
using cascor::OnlyIf;
using cascor::StoreEntry;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

bool set(RedisBackend& backend, const std::string& key, const std::string& value, OnlyIf only_if,
         cascor::milliseconds ttl = no_expiry) {
  const auto outcome = backend.set_many(std::vector<StoreEntry>{{key, value, ttl, only_if}}, in(10s)).at(0);
  CHECK_FALSE(outcome.error);
  return outcome.stored;
}

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

}  // namespace

TEST_CASE("ttl tells what is left, that a key does not expire, and that there is none") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  server.raw("SET", "ends", "v", "PX", "60000");
  server.raw("SET", "stays", "v");
  const auto left = backend.ttl("ends", in(10s));
  REQUIRE(left);
  CHECK(*left <= 60s);
  CHECK(*left > 50s);
  CHECK(backend.ttl("stays", in(10s)) == no_expiry);
  CHECK_FALSE(backend.ttl("nothing", in(10s)));
}

TEST_CASE("touch gives a key another TTL, or none, and says whether it was there") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  server.raw("SET", "k", "v");
  CHECK(backend.touch("k", 60s, in(10s)));
  CHECK(server.raw("PTTL", "k").integer > 50'000);
  CHECK(backend.touch("k", no_expiry, in(10s)));
  CHECK(server.raw("PTTL", "k").integer == -1);
  CHECK(backend.touch("k", no_expiry, in(10s)));  // it was there, and does not expire as before
  CHECK_FALSE(backend.touch("nothing", 60s, in(10s)));
  CHECK_FALSE(backend.touch("nothing", no_expiry, in(10s)));
}

TEST_CASE("a counter begins at zero, has the TTL that the last call gave it, and counts each call once") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  CHECK(backend.increment("c", 5, 60s, in(10s)) == 5);
  CHECK(server.raw("PTTL", "c").integer > 50'000);
  CHECK(backend.increment("c", -7, no_expiry, in(10s)) == -2);
  CHECK(server.raw("PTTL", "c").integer == -1);
  CHECK(backend.increment("c", 0, no_expiry, in(10s)) == -2);
  std::atomic<int> failed{0};
  in_threads(16, [&](std::size_t) {
    for (int i = 0; i < 50; ++i) {
      try {
        (void)backend.increment("many", 1, 60s, in(60s));
      } catch (const cascor::CacheError&) {
        ++failed;
      }
    }
  });
  CHECK(failed == 0);
  CHECK(server.raw("GET", "many").text == "800");
}

TEST_CASE(
    "a sum has 64 bits, to the last of them; what would be more, or is no integer, is an error and changes nothing") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  CHECK(backend.increment("c", largest - 1, no_expiry, in(10s)) == largest - 1);
  CHECK(backend.increment("c", 1, no_expiry, in(10s)) == largest);
  CHECK_THROWS_AS(backend.increment("c", 1, 60s, in(10s)), cascor::ResponseError);
  CHECK(server.raw("GET", "c").text == std::to_string(largest));
  CHECK(server.raw("PTTL", "c").integer == -1);
  CHECK(backend.increment("d", std::numeric_limits<std::int64_t>::min(), no_expiry, in(10s)) ==
        std::numeric_limits<std::int64_t>::min());
  server.raw("SET", "text", "12x");
  CHECK_THROWS_AS(backend.increment("text", 1, 60s, in(10s)), cascor::ResponseError);
  server.raw("RPUSH", "list", "1");
  CHECK_THROWS_AS(backend.increment("list", 1, 60s, in(10s)), cascor::ResponseError);
  CHECK(server.raw("PTTL", "text").integer == -1);
}

TEST_CASE("a write on a condition is carried out if that holds, and says so") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  CHECK_FALSE(set(backend, "k", "1", OnlyIf::present));
  CHECK(set(backend, "k", "2", OnlyIf::absent, 60s));
  CHECK(server.raw("PTTL", "k").integer > 50'000);
  CHECK_FALSE(set(backend, "k", "3", OnlyIf::absent));
  CHECK(server.raw("GET", "k").text == "2");
  CHECK(set(backend, "k", "4", OnlyIf::present));
  CHECK(server.raw("GET", "k").text == "4");
  CHECK(server.raw("PTTL", "k").integer == -1);
}

TEST_CASE("of many that write where nothing is, one does") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  for (int round = 0; round < 10; ++round) {
    const std::string key = "k" + std::to_string(round);
    std::atomic<int> stored{0};
    in_threads(8, [&](std::size_t thread) {
      const std::string value = std::to_string(thread);
      try {
        const StoreEntry entry{key, value, no_expiry, OnlyIf::absent};
        stored += backend.set_many({&entry, 1}, in(60s)).at(0).stored ? 1 : 0;
      } catch (const cascor::CacheError&) {
        stored += 100;
      }
    });
    CHECK(stored == 1);
  }
}

TEST_CASE("keys lists what matches and may be listed, each once, and no more than the limit") {
  RedisServer server;
  RedisBackend backend{options_for(server)};
  std::vector<std::string> fill{"MSET"};
  for (int i = 0; i < 3'000; ++i) fill.insert(fill.end(), {"cascor:metrics:" + std::to_string(i), "v"});
  fill.insert(fill.end(), {"cascor:run:1", "v", "other", "v"});
  server.raw(fill);
  const auto may_list = [](std::string_view key) { return !key.starts_with("cascor:run:"); };
  const auto next_deadline = [] { return in(30s); };
  auto all = backend.keys("cascor:*", 10'000, may_list, next_deadline);
  CHECK(all.size() == 3'000);
  std::sort(all.begin(), all.end());
  CHECK(std::unique(all.begin(), all.end()) == all.end());
  CHECK(std::count_if(all.begin(), all.end(), may_list) == 3'000);
  CHECK(backend.keys("cascor:*", 10, may_list, next_deadline).size() == 10);
  CHECK(backend.keys("cascor:*", 0, may_list, next_deadline).empty());
  CHECK(backend.keys("nothing*", 10, may_list, next_deadline).empty());
}
