// The account that docs/redis.md tells an operator to make is enough for every call, and for nothing beyond its keys.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/documented_account.hpp"
#include "support/redis_client.hpp"

using namespace std::chrono_literals;
using namespace support;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

bool any_key(std::string_view) { return true; }
cascor::Deadline next_deadline() { return in(10s); }

}  // namespace

TEST_CASE("the documented account is enough for every call, and reaches no other application's keys") {
  RedisServer server;
  make_documented_account(server);
  cascor::redis::RedisOptions options = options_for(server);
  options.username = "cascor";
  options.password = [] { return "secret"; };
  RedisBackend backend{options};

  const std::string_view key = "cascor:metrics:latest";
  const std::vector<std::string_view> keys{key};
  CHECK(backend.set_many(std::vector<cascor::StoreEntry>{{key, "1", 1h}}, in(10s)).at(0).stored);
  CHECK(backend.set_many(std::vector<cascor::StoreEntry>{{key, "2", 1h, cascor::present}}, in(10s)).at(0).stored);
  CHECK(backend.get(key, in(10s)).bytes == "2");
  CHECK(backend.get_many(keys, in(10s)).at(0).bytes == "2");
  CHECK(backend.contains(key, in(10s)));
  CHECK(backend.ttl(key, in(10s)) > 0ms);
  CHECK(backend.touch(key, 1min, in(10s)));
  CHECK(backend.touch(key, cascor::no_expiry, in(10s)));
  CHECK(backend.increment(key, 40, 1min, in(10s)) == 42);
  CHECK(backend.increment("cascor:count", 1, cascor::no_expiry, in(10s)) == 1);
  CHECK(backend.keys("cascor:*", 10, any_key, next_deadline).size() == 2);
  CHECK(backend.command(std::vector<std::string_view>{"STRLEN", key}, in(10s)).integer == 2);
  CHECK(backend.erase_many(keys, in(10s)) == 1);
  CHECK(backend.erase_matching("cascor:*", any_key, next_deadline) == 1);
  CHECK_NOTHROW(backend.ping(in(10s)));
  CHECK(backend.info(in(10s)).info_error.empty());

  server.raw("SET", "other:key", "theirs");
  const auto answer = backend.get("other:key", in(10s));
  REQUIRE(answer.error);
  CHECK(answer.error->code() == cascor::ErrorCode::authentication);
  CHECK_THAT(answer.error->hint(), Catch::Contains("ACL SETUSER"));
  CHECK_THROWS_AS(backend.erase_many(std::vector<std::string_view>{"other:key"}, in(10s)), cascor::AuthenticationError);
  CHECK(backend.command(std::vector<std::string_view>{"FLUSHALL"}, in(10s)).is_error());
  CHECK(server.raw("GET", "other:key").text == "theirs");
}
