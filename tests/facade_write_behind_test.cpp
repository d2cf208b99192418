// Writes that return once they are queued: what is seen of them meanwhile, what comes behind them, what becomes of them
// with a server that stands still, is gone, or refuses.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/fault_proxy.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheConfig;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::CacheTier;
using cascor::ErrorCode;
using cascor::json;

namespace {

CacheConfig behind(CacheConfig config) {
  config.write_behind.enabled = true;
  return config;
}
CacheConfig behind(const RedisServer& server, const CapturedLog& log) { return behind(config_for(server, log)); }

// A server that answers nothing while this lives.
class Standstill {
 public:
  explicit Standstill(const RedisServer& server) : server_{server} { server_.pause(); }
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;
  ~Standstill() { server_.resume(); }

 private:
  const RedisServer& server_;
};

}  // namespace

TEMPLATE_TEST_CASE("a queued write is true, is read back at once, and is in the backend after flush()", "", OnMemory,
                   OnRedisTcp, OnRedisUnix) {
  TestType backend;
  CacheManager cache{backend.config()};
  CHECK(cache.flush(1s));
  for (int i = 0; i < 300; ++i) {
    CHECK(cache.set("k" + std::to_string(i), i, {.ttl = 1h, .background = true}));
    CHECK(*cache.get("k" + std::to_string(i)) == i);
  }
  REQUIRE(cache.flush(30s));
  const auto found = cache.get("k299");
  CHECK(*found == 299);
  CHECK(found.tier() == TestType::tier);
  CHECK(cache.keys("k*").size() == 300);
  CHECK(cache.stats().write_behind.pending == 0);
  CHECK(cache.stats().sets == 300);
}

TEST_CASE("in memory write-behind is the write itself") {
  CacheConfig config;
  config.type = cascor::CacheType::memory;
  CacheManager cache{behind(config)};
  CHECK(cache.set("k", 1).tier() == CacheTier::memory);
  CHECK(cache.stats().write_behind.queued == 0);
  CHECK(cache.flush(0s));
}

TEST_CASE("while the server stands still nobody waits who writes or reads what is queued") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  server.raw("SET", "cascor:gone", "before");
  std::optional<Standstill> still{server};
  std::vector<int> numbers(50'000, 7);
  const auto took = time_of([&] {
    for (int i = 0; i < 2'000; ++i) CHECK(cache.set("latest", i, {.ttl = 1h}));
    CHECK(cache.cache_metrics("epoch_1", {{"loss", 0.5}}, 1h));
    CHECK(cache.set("large", numbers, {.ttl = cascor::no_expiry}));
    for (const auto& one : cache.set_many({{"a", 1}, {"b", 2}})) CHECK(one);
    const auto latest = cache.get("latest");
    CHECK(*latest == 1999);
    CHECK(latest.status() == CacheStatus::hit);
    CHECK(latest.tier() == CacheTier::memory);
    CHECK(latest.age() < 1h);
    CHECK(latest.ttl() <= 1h);
    CHECK(*cache.get_many({"b", "latest", "a"})[2] == 1);
    CHECK(*cache.get<std::vector<int>>("large") == numbers);
    CHECK(cache.contains("latest"));
    CHECK(cache.ttl("large") == cascor::no_expiry);
    CHECK(cache.ttl("latest") > 59min);
  });
  CHECK(took < 10s);  // the server's silence costs a call 20
  const auto stats = cache.stats().write_behind;
  CHECK(stats.queued == 2'004);
  CHECK(stats.conflated >= 1'998);
  CHECK(stats.pending <= 6);
  CHECK_FALSE(cache.flush(1ms));
  still.reset();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:latest").text == "1999");
  CHECK(server.raw("PTTL", "cascor:latest").integer > 3'000'000);
  CHECK(server.raw("PTTL", "cascor:large").integer == -1);
  const auto after = cache.stats().write_behind;
  CHECK(after.sent == after.queued - after.conflated);
  CHECK(json(cache.stats())["write_behind"]["sent"] == after.sent);
  CHECK(changes_in(log).empty());
}

TEST_CASE("what changes a key comes behind what is queued of it") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  for (int round = 0; round < 50; ++round) {
    CHECK(cache.set("erased", round));
    CHECK(cache.erase("erased"));
    CHECK(server.raw("EXISTS", "cascor:erased").integer == 0);
    CHECK_FALSE(cache.erase("erased"));

    CHECK(cache.set("counter", 10 * round));
    CHECK(cache.increment("counter") == 10 * round + 1);
    CHECK(server.raw("GET", "cascor:counter").text == std::to_string(10 * round + 1));

    CHECK(cache.set("touched", round));
    CHECK(cache.touch("touched", 2h));
    CHECK(server.raw("PTTL", "cascor:touched").integer > 3'600'000);

    CHECK(cache.set("claimed", round));
    const auto claimed = cache.set("claimed", "another's", {.only_if = cascor::absent});
    CHECK_FALSE(claimed);
    CHECK(claimed.error()->code() == ErrorCode::data);
    CHECK(cache.set("claimed", "known", {.only_if = cascor::present}).tier() == CacheTier::redis);
    CHECK(server.raw("GET", "cascor:claimed").text == "\"known\"");

    CHECK(cache.set("metrics:a", round));
    CHECK(cache.set("metrics:b", round));
    CHECK(cache.keys("metrics:*").size() == 2);
    CHECK(cache.invalidate_cache("metrics:*") == 2);
    CHECK_FALSE(cache.get("metrics:a"));
    CHECK(cache.set("asked", round));
    CHECK(cache.command({"GET", "cascor:asked"}).text == std::to_string(round));
  }
}

TEST_CASE("a write that is not queued comes behind one that is") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  for (int i = 0; i < 50; ++i) {
    CHECK(cache.set("k", "queued", {.background = true}));
    CHECK(cache.set("k", i).tier() == CacheTier::redis);
    CHECK(server.raw("GET", "cascor:k").text == std::to_string(i));
  }
}

TEST_CASE("a removal that finds no time to be sent is done here at once, and in Redis in its turn") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  for (const auto* key : {"cascor:erased", "cascor:metrics:a", "cascor:kept"}) server.raw("SET", key, "\"before\"");
  std::optional<Standstill> still{server};
  CHECK(cache.set("erased", "after"));
  CHECK(cache.set("metrics:a", "after"));
  CHECK(cache.set("kept", "after"));
  auto hasty = cache.with_deadline(50ms);
  CHECK(hasty.erase("erased"));
  CHECK(hasty.invalidate_cache("metrics:*") == 1);
  CHECK_FALSE(hasty.touch("kept", 1h));
  const auto counted = hasty.increment("kept");
  CHECK(counted.status() == CacheStatus::error);
  CHECK(counted.error()->code() == ErrorCode::timeout);
  CHECK(hasty.set("kept", 0, {.only_if = cascor::absent}).error()->code() == ErrorCode::timeout);
  CHECK(cache.get("erased").status() == CacheStatus::miss);
  CHECK(cache.get("metrics:a").status() == CacheStatus::miss);
  CHECK_FALSE(cache.contains("erased"));
  CHECK_FALSE(cache.ttl("erased"));
  CHECK(*cache.get("kept") == "after");
  CHECK(cache.set("erased", "again"));  // behind its removal
  still.reset();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("EXISTS", "cascor:metrics:a").integer == 0);
  CHECK(server.raw("GET", "cascor:kept").text == "\"after\"");
  CHECK(server.raw("GET", "cascor:erased").text == "\"again\"");
}

TEST_CASE("values arrive in the order in which the newest of them were written") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  std::atomic<bool> done{false};
  std::thread writer{[&] {
    for (int i = 1; i <= 20'000; ++i) {
      cache.set_many({{"record" + std::to_string(i % 1'000), i}, {"latest", i}}, {.ttl = 1h});
    }
    done = true;
  }};
  int late = 0;
  int seen = 0;
  while (!done) {
    const auto latest = server.raw("GET", "cascor:latest");
    if (latest.is_nil()) continue;
    const int at = std::stoi(latest.text);
    const auto record = server.raw("GET", "cascor:record" + std::to_string(at % 1'000));
    if (record.is_nil() || std::stoi(record.text) < at) ++late;
    ++seen;
  }
  writer.join();
  CHECK(late == 0);
  CHECK(seen > 0);
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:latest").text == "20000");
}

TEST_CASE("a full queue makes a write wait for room, and says so when none comes; what it took is not lost") {
  RedisServer server;
  CapturedLog log;
  auto config = behind(server, log);
  config.write_behind.max_pending = 10;
  CacheManager cache{config};
  std::optional<Standstill> still{server};
  auto hasty = cache.with_deadline(50ms);
  int accepted = 0;
  cascor::StoreResult refused{CacheTier::memory};
  while ((refused = hasty.set("k" + std::to_string(accepted), accepted))) ++accepted;
  CHECK(accepted == 10);
  REQUIRE(refused.error() != nullptr);
  CHECK(refused.error()->code() == ErrorCode::timeout);
  CHECK(std::string{refused.error()->what()} == "Timeout while 10 queued writes wait for Redis on " + server.address());
  CHECK(refused.error()->hint().find("max_pending") != std::string::npos);
  CHECK(hasty.set("k9", "newer"));  // takes no room
  CHECK(cache.stats().write_behind.waits == 1);
  CHECK(cache.stats().errors == 1);
  std::thread patient{[&] { CHECK(cache.set("patient", 1)); }};
  CHECK(eventually([&] { return cache.stats().write_behind.waits == 2; }));
  still.reset();
  patient.join();
  REQUIRE(cache.flush(30s));
  for (int i = 0; i < 9; ++i) CHECK(server.raw("GET", "cascor:k" + std::to_string(i)).text == std::to_string(i));
  CHECK(server.raw("GET", "cascor:k9").text == "\"newer\"");
  CHECK(server.raw("EXISTS", "cascor:patient").integer == 1);
  for (int i = 0; i < 1'000; ++i) CHECK(cache.set("many" + std::to_string(i), i));
  CHECK(cache.flush(30s));
  CHECK(cache.keys("many*").size() == 1'000);
}

TEST_CASE("with Redis away the queue goes where every write goes, and flush() tells when it has arrived") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  CHECK(cache.set("before", 1, {.ttl = 1h}));
  server.kill();
  CHECK(cache.set("k", 1, {.ttl = 1h}));
  CHECK(cache.set("k", 2, {.ttl = 1h}));
  CHECK(cache.set("erased", 2, {.ttl = 1h}));
  CHECK(cache.erase("erased"));
  CHECK(eventually([&] { return cache.stats().write_behind.pending == 0; }));
  CHECK(*cache.get("k") == 2);
  CHECK_FALSE(cache.get("erased"));
  CHECK(cache.stats().write_behind.kept >= 1);
  CHECK_FALSE(cache.flush(50ms));
  server.start();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:k").text == "2");
  CHECK(server.raw("EXISTS", "cascor:erased").integer == 0);
  CHECK(cache.set("after", 1));
  CHECK(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:after").text == "1");
}

TEST_CASE("connections that are cut under load cost no queued write") {
  RedisServer server;
  FaultProxy proxy{server};
  CapturedLog log;
  CacheManager cache{behind(config_for_port(proxy.endpoint().port, log))};
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 500; ++i) CHECK(cache.set("k" + std::to_string(i), round * 1'000 + i, {.ttl = 1h}));
    proxy.sever();
  }
  REQUIRE(cache.flush(60s));
  for (int i = 0; i < 500; ++i) {
    REQUIRE(server.raw("GET", "cascor:k" + std::to_string(i)).text == std::to_string(19'000 + i));
  }
}

TEST_CASE("a manager that goes sends what is queued first") {
  RedisServer server;
  CapturedLog log;
  {
    CacheManager cache{behind(server, log)};
    for (int i = 0; i < 5'000; ++i) cache.set("k" + std::to_string(i), i);
  }
  CHECK(server.raw("DBSIZE").integer == 5'000);
  CHECK_FALSE(log.mentions("lost"));
}

TEST_CASE("what cannot be sent within shutdown_timeout is counted in one line") {
  RedisServer server;
  CapturedLog log;
  auto config = behind(server, log);
  config.shutdown_timeout = 100ms;
  std::optional<CacheManager> cache{std::in_place, config};
  const Standstill still{server};
  for (int i = 0; i < 7; ++i) CHECK(cache->set("k" + std::to_string(i), i));
  const auto took = time_of([&] { cache.reset(); });
  CHECK(took < 10s);  // a call would take 20
  const auto lines = log.lines();
  CHECK(lines.back() == "WARNING: 7 queued writes could not be sent to Redis on " + server.address() +
                            " within shutdown_timeout (0.1s), lost");
  CHECK(log.count("WARNING") == 1);
}

TEST_CASE("what Redis refuses is counted, logged once, told by flush(), and leaves no older value") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  CHECK(cache.set("k0", "old"));
  REQUIRE(cache.flush(30s));
  server.raw("CONFIG", "SET", "maxmemory", "1");
  for (int i = 0; i < 5; ++i) {
    CHECK(cache.set("k" + std::to_string(i), "new"));
    CHECK_FALSE(cache.flush(30s));
  }
  CHECK(cache.stats().write_behind.refused == 5);
  CHECK(cache.stats().errors == 5);
  CHECK(log.count("WARNING: A queued write was refused: OOM") == 1);
  CHECK(server.raw("DBSIZE").integer == 0);
  server.raw("CONFIG", "SET", "maxmemory", "0");
  CHECK(cache.set("k0", "newer"));
  CHECK(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:k0").text == "\"newer\"");
}

TEST_CASE("a queued write that expires before it is sent leaves no older value") {
  RedisServer server;
  CapturedLog log;
  auto config = behind(server, log);
  const auto clock = std::make_shared<cascor::ManualClock>();
  config.clock = clock;
  CacheManager cache{config};
  server.raw("SET", "cascor:k", "\"old\"");
  std::optional<Standstill> still{server};
  CHECK(cache.set("first", 1));  // on its way
  CHECK(eventually([&] {         // until it is, more would leave with it
    cache.set("k", "new", {.ttl = 1s});
    return cache.stats().write_behind.pending >= 2;
  }));
  CHECK(*cache.get("k") == "new");
  clock->advance(2s);
  CHECK(cache.get("k").status() == CacheStatus::miss);
  CHECK_FALSE(cache.contains("k"));
  still.reset();
  CHECK(eventually([&] { return server.raw("EXISTS", "cascor:k").integer == 0; }));
}

TEST_CASE("strict: a queued write throws for want of room only, and is sent when Redis is there again") {
  RedisServer server;
  CapturedLog log;
  auto config = behind(server, log);
  config.strict = true;
  config.write_behind.max_pending = 3;
  CacheManager cache{config};
  CHECK(cache.set("k", 1));
  CHECK(cache.flush(30s));
  server.kill();
  for (int i = 0; i < 3; ++i) CHECK(cache.set("k" + std::to_string(i), i));
  CHECK_THROWS_AS(cache.with_deadline(50ms).set("one more", 1), cascor::TimeoutError);
  CHECK_THROWS_AS(cache.get("k"), cascor::ConnectionError);
  CHECK(cache.health().details.queued_writes == 3);
  CHECK(*cache.get("k2") == 2);
  CHECK_THROWS_AS(cache.with_deadline(50ms).erase("k2"), cascor::TimeoutError);
  CHECK_FALSE(cache.get("k2"));
  CHECK_FALSE(cache.flush(10ms));
  server.start();
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("GET", "cascor:k1").text == "1");
  CHECK(server.raw("EXISTS", "cascor:k2").integer == 0);
  CHECK(log.count("WARNING") == 1);
  server.raw("CONFIG", "SET", "maxmemory", "1");
  CHECK(cache.set("too much", 1));
  CHECK_FALSE(cache.flush(30s));
  CHECK(cache.stats().write_behind.refused == 1);
}

TEST_CASE("a child has an empty queue of its own, and what its parent queued the parent sends") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{behind(server, log)};
  std::optional<Standstill> still{server};
  for (int i = 0; i < 100; ++i) CHECK(cache.set("parents" + std::to_string(i), i));
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    char go = 0;
    const bool good = ::read(pipe[0], &go, 1) == 1 && cache.stats().write_behind.pending == 0 &&
                      cache.set("childs", 1) && cache.flush(30s);
    ::_exit(good ? 0 : 1);
  }
  still.reset();
  REQUIRE(::write(pipe[1], "g", 1) == 1);
  int status = 1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::close(pipe[0]);
  ::close(pipe[1]);
  CHECK(status == 0);
  CHECK(server.raw("GET", "cascor:childs").text == "1");
  REQUIRE(cache.flush(30s));
  CHECK(server.raw("DBSIZE").integer == 101);
}

TEST_CASE("many threads: each reads back what it wrote last, and that is what Redis ends with") {
  RedisServer server;
  CapturedLog log;
  auto config = behind(server, log);
  config.write_behind.max_pending = 50;
  CacheManager cache{config};
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2'000; ++i) {
        const std::string key = "t" + std::to_string(t) + ":" + std::to_string(i % 20);
        if (!cache.set(key, i)) ++wrong;
        if (i % 7 == 0) {
          if (!cache.erase(key)) ++wrong;
          if (cache.get(key)) ++wrong;
        } else if (cache.get(key).value_or(-1) != i) {
          ++wrong;
        }
        if (i % 500 == 0 && !cache.flush(30s)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  REQUIRE(cache.flush(30s));
  for (int t = 0; t < 4; ++t) {
    for (int i = 1'980; i < 2'000; ++i) {
      const auto held = server.raw("GET", "cascor:t" + std::to_string(t) + ":" + std::to_string(i % 20));
      REQUIRE(held.text == (i % 7 == 0 ? "" : std::to_string(i)));
    }
  }
}
