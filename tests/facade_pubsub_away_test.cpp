// Publish and subscribe while Redis is away, when it comes back, where it refuses, and across fork().
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/away.hpp"
#include "support/destroyed_inside.hpp"
#include "support/fault_proxy.hpp"
#include "support/fork.hpp"
#include "support/received.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::Message;

TEST_CASE("with Redis away a message reaches this process's subscriptions, once, and is not sent later") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  Received received;
  const auto subscription = cache.subscribe({"c"}, received.handler(), {.on_gap = received.gap_handler()});
  Received matched;
  const auto by_pattern = cache.subscribe_pattern({"?"}, matched.handler());
  cache.publish("c", "before");
  REQUIRE(received.wait_for(1));
  REQUIRE(matched.wait_for(1));
  server.kill();
  REQUIRE(eventually_away(cache));
  for (int i = 0; i < 5; ++i) CHECK(cache.publish("c", i) == 2);
  REQUIRE(received.wait_for(6));
  REQUIRE(matched.wait_for(6));
  CHECK(received.gaps() == 0);
  server.start();
  REQUIRE(eventually_restored(log));
  // Whoever published when Redis was back already, but the subscription not yet, knows by the gap.
  REQUIRE(eventually([&] { return received.gaps() == 1; }));
  CHECK(cache.publish("c", "after") == 2);
  REQUIRE(received.wait_for(7));
  CHECK(received.all() == std::vector<std::string>{"c \"before\"", "c 0", "c 1", "c 2", "c 3", "c 4", "c \"after\""});
  CHECK(matched.wait_for(7));
}

TEST_CASE("a subscription made while Redis is away is kept, and confirmed when it is back") {
  RedisServer server;
  server.kill();
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  Received received;
  const auto subscription = cache.subscribe({"c"}, received.handler(), {.on_gap = received.gap_handler()});
  CHECK(subscription.is_open());
  CHECK(cache.publish("c", "within") == 1);
  REQUIRE(received.wait_for(1));
  server.start();
  REQUIRE(eventually([&] { return received.gaps() == 1; }));
  CHECK(server.raw("PUBLISH", "c", "from outside").integer == 1);
  REQUIRE(received.wait_for(2));
  CHECK(received.message(1).payload == "from outside");
}

TEST_CASE("a subscription that is closed while Redis is away is not made when it is back") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  Received received;
  auto closed = cache.subscribe({"closed"}, received.handler());
  const auto open = cache.subscribe({"open"}, received.handler());
  server.kill();
  closed.close();
  server.start();
  REQUIRE(eventually([&] { return server.raw("PUBLISH", "open", "1").integer == 1; }));
  CHECK(server.raw("PUBLISH", "closed", "1").integer == 0);
}

TEST_CASE("a connection that is killed while messages flow costs a gap, never a message twice or out of order") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  Received received;
  const auto subscription = cache.subscribe({"c"}, received.handler(), {.on_gap = received.gap_handler()});
  constexpr int rounds = 10;
  for (int round = 1; round <= rounds; ++round) {
    for (int i = 0; i < 100; ++i) cache.publish("c", round * 1000 + i);
    server.raw("CLIENT", "KILL", "TYPE", "pubsub");
    for (int i = 100; i < 200; ++i) cache.publish("c", round * 1000 + i);
    REQUIRE(eventually([&] { return received.gaps() == static_cast<std::size_t>(round); }));
  }
  cache.publish("c", "end");
  REQUIRE(eventually([&] { return received.size() > 0 && received.all().back() == "c \"end\""; }));
  const auto all = received.all();
  std::vector<int> numbers;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) numbers.push_back(std::stoi(all[i].substr(2)));
  CHECK(numbers.size() >= 100);
  CHECK(std::adjacent_find(numbers.begin(), numbers.end(), std::greater_equal<>{}) == numbers.end());
}

TEST_CASE("with strict, a lost Redis throws from publish and subscribe, and leaves no subscription") {
  RedisServer server;
  CapturedLog log;
  auto config = config_for(server, log);
  config.strict = true;
  CacheManager cache{config};
  Received received;
  server.kill();
  CHECK_THROWS_AS(cache.publish("c", 1), cascor::ConnectionError);
  CHECK_THROWS_AS(cache.subscribe({"c"}, received.handler()), cascor::ConnectionError);
  server.start();
  REQUIRE(eventually([&] {
    try {
      return cache.publish("c", 2) == 0;
    } catch (const cascor::ConnectionError&) {  // not asked now
      return false;
    }
  }));
  const auto subscription = cache.subscribe({"c"}, received.handler());
  CHECK(cache.publish("c", 3) == 1);
  REQUIRE(received.wait_for(1));
  CHECK(received.all() == std::vector<std::string>{"c 3"});
}

TEST_CASE("a right that the account lacks is thrown by subscribe whatever strict says, and logged once by publish") {
  RedisServer server;
  server.raw("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&cascor:*", "+@all");
  CapturedLog log;
  auto config = config_for(server, log);
  config.redis_url = server.url("limited:secret");
  CacheManager cache{config};
  Received received;
  CHECK_THROWS_WITH(cache.subscribe({"other"}, received.handler()), Catch::Contains("(to subscribe to other)"));
  CHECK_THROWS_AS(cache.subscribe_pattern({"other*"}, received.handler()), cascor::AuthenticationError);
  for (int i = 0; i < 3; ++i) CHECK(cache.publish("other", 1) == 0);
  CHECK(log.count("WARNING: Publishing failed: NOPERM") == 1);
  const auto allowed = cache.subscribe({"cascor:events"}, received.handler());
  CHECK(cache.publish("cascor:events", 1) == 1);
  CHECK(cache.health().status == cascor::HealthStatus::up);
}

TEST_CASE("a call with a deadline ends by it, also where the server never confirms") {
  RedisServer server;
  FaultProxy proxy{server};
  CapturedLog log;
  auto config = config_for_port(proxy.endpoint().port, log);
  config.connection_pool.timeout = 10min;
  CacheManager cache{config};
  proxy.set(Fault::black_hole());
  Received received;
  const auto took = time_of([&] {
    const auto subscription = cache.with_deadline(100ms).subscribe({"c"}, received.handler());
    CHECK(subscription.is_open());
    (void)cache.with_deadline(100ms).publish("c", 1);
  });
  CHECK(took < 1min);
}

TEST_CASE("a link that fell silent is noticed within the pool's timeout, and made anew") {
  RedisServer server;
  FaultProxy proxy{server};
  CapturedLog log;
  auto config = config_for_port(proxy.endpoint().port, log);
  config.connection_pool.timeout = 250ms;
  CacheManager cache{config};
  Received received;
  const auto subscription = cache.subscribe({"c"}, received.handler(), {.on_gap = received.gap_handler()});
  const auto before = received.gaps();
  proxy.set(Fault::black_hole());
  const auto connections = proxy.connections();
  REQUIRE(eventually([&] { return proxy.connections() > connections; }));
  proxy.heal();
  proxy.sever();
  REQUIRE(eventually([&] { return received.gaps() > before; }));
  REQUIRE(eventually([&] { return server.raw("PUBLISH", "c", "1").integer == 1; }));
  REQUIRE(received.wait_for(1));
}

TEST_CASE("a cache with subscriptions ends quickly, whether its server is there, silent or gone") {
  RedisServer server;
  for (const bool pause : {false, true}) {
    CapturedLog log;
    auto config = config_for(server, log);
    config.shutdown_timeout = 100ms;
    std::optional<CacheManager> cache{config};
    Received received;
    auto subscription = cache->subscribe({"c"}, received.handler());
    if (pause) server.pause();
    CHECK(time_of([&] { cache.reset(); }) < 15s);
    server.resume();
    CHECK_FALSE(subscription.is_open());
  }
}

#if !defined(FORKS_UNDER_TSAN)

TEST_CASE("a child abandons its parent's subscriptions, makes its own, and disturbs neither") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  Received received;
  std::atomic<bool> done{false};
  std::optional<cascor::Subscription> subscription{cache.subscribe({"c"}, received.handler())};
  std::thread busy{[&] {
    while (!done) cache.publish("c", "busy");
  }};
  for (int round = 0; round < 10; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::alarm(60);
      bool good = !subscription->is_open();
      subscription.reset();
      Received own;
      auto fresh = cache.subscribe({"child"}, own.handler());
      good = good && cache.publish("child", 1) == 1 && own.wait_for(1);
      fresh.close();
      ::_exit(good ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  done = true;
  busy.join();
  CHECK(subscription->is_open());
  CHECK(cache.publish("c", "still") == 1);
  REQUIRE(eventually([&] { return received.all().back() == "c \"still\""; }));
}

TEST_CASE("a manager that is destroyed from inside a subscription's handler says so, and ends the program") {
  CHECK(ends_the_program([](cascor::CacheConfig&) {},
                         [](CacheManager& cache) {
                           static const auto subscription =
                               cache.subscribe({"c"}, [](const Message&) { DestroysTheCache{}(); });
                           cache.publish("c", 1);
                         }));
}

#endif
