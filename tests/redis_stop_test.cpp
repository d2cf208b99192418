// stop(): every call under way ends at once, and each later one, whatever it waits for.
#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <string>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "support/black_hole.hpp"
#include "support/redis_client.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using RedisBackend = cascor::redis::RedisBackend<>;
using cascor::redis::RedisOptions;

namespace {

const std::string stopped = "Redis is not asked any more: the cache is being shut down";

// Ends by itself only after an hour.
std::future<std::string> get_later(RedisBackend& backend) {
  return std::async(std::launch::async,
                    [&backend] { return what_of<cascor::ConnectionError>([&] { (void)backend.get("k", in(1h)); }); });
}

ScriptedServer::Script silent_after_introduction() {
  return [](ScriptedConnection& c, std::size_t) {
    (void)c.command();
    c.send("+OK\r\n");
    c.listen_in_silence();
  };
}

}  // namespace

TEST_CASE("stop ends calls that wait for an answer, for a connection and for their batch, and each later one") {
  ScriptedServer server{silent_after_introduction()};
  RedisOptions options = options_for(server);
  options.max_connections = 1;
  RedisBackend backend{options};
  std::vector<std::future<std::string>> calls;
  calls.push_back(get_later(backend));
  REQUIRE(eventually([&] { return backend.stats().commands == 1; }));
  for (std::size_t i = 0; i < 4; ++i) calls.push_back(get_later(backend));
  REQUIRE(eventually([&] { return backend.pool().waiting == 4; }));
  const std::vector<std::string_view> alone{"KEYS", "*"};
  calls.push_back(std::async(std::launch::async, [&] {
    return what_of<cascor::ConnectionError>([&] { (void)backend.command(alone, in(1h)); });
  }));
  REQUIRE(eventually([&] { return backend.pool().waiting == 5; }));
  const auto took = time_of([&] {
    backend.stop();
    for (auto& call : calls) CHECK(call.get() == stopped);
  });
  CHECK(took < soon);
  CHECK(what_of<cascor::ConnectionError>([&] { (void)backend.get("k", in(1h)); }) == stopped);
  CHECK(what_of<cascor::ConnectionError>([&] { backend.ping(in(1h)); }) == stopped);
  CHECK(what_of<cascor::ConnectionError>([&] { (void)backend.command(alone, in(1h)); }) == stopped);
  CHECK(server.connections() == 1);
}

TEST_CASE("stop ends a call that is dialling or introducing itself") {
  const bool introducing = GENERATE(true, false);
  CAPTURE(introducing);
  std::atomic<bool> heard{false};
  ScriptedServer server{[&](ScriptedConnection& c, std::size_t) {
    (void)c.command();
    heard = true;
    c.listen_in_silence();
  }};
  RedisOptions options = options_for(server);
  BlackHole hole;
  if (!introducing) options.endpoint = endpoint_of(hole.port());
  RedisBackend backend{options};
  auto call = get_later(backend);
  if (introducing) REQUIRE(eventually([&] { return heard.load(); }));
  if (!introducing) REQUIRE(eventually([&] { return backend.pool().in_use == 1; }));
  const auto took = time_of([&] {
    backend.stop();
    CHECK(call.get() == stopped);
  });
  CHECK(took < soon);
}

TEST_CASE("stop ends the wait before a retry") {
  const int nobody = free_port();
  RedisOptions options;
  options.endpoint = endpoint_of(nobody);
  options.random = [] { return std::uint64_t{0}; };
  RedisBackend backend{options};
  backend.stop();
  CHECK(time_of([&] { CHECK(what_of<cascor::ConnectionError>([&] { backend.ping(in(1h)); }) == stopped); }) < soon);
}

TEST_CASE("stop while many threads call: each call ends, none hangs, none reads another's answer") {
  RedisServer server;
  server.raw("SET", "k", "v");
  for (int round = 0; round < 5; ++round) {
    RedisBackend backend{options_for(server)};
    std::atomic<int> served{0};
    std::atomic<int> wrong{0};
    std::thread callers{[&] {
      in_threads(16, [&](std::size_t) {
        try {
          while (true) {
            if (backend.get("k", in(1h)).bytes != "v") ++wrong;
            ++served;
          }
        } catch (const cascor::ConnectionError& error) {
          if (error.what() != stopped) ++wrong;
        } catch (const cascor::CacheError&) {
          ++wrong;
        }
      });
    }};
    CHECK(eventually([&] { return served > 100; }));
    backend.stop();
    callers.join();
    CHECK(wrong == 0);
  }
}
