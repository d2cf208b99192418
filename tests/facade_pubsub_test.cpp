// Publish and subscribe through the facade: what both backends promise alike.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache.hpp"
#include "support/backends.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/received.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::Channel;
using cascor::json;
using cascor::Message;
using cascor::Subscription;

#define BACKENDS OnMemory, OnRedisTcp, OnRedisUnix, OnDistributed

TEMPLATE_TEST_CASE("a message reaches who listens to its channel, and nobody else", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received one;
  Received other;
  const auto here = cache.subscribe({"cascor:control"}, one.handler());
  const auto there = cache.subscribe({"cascor:events"}, other.handler());
  CHECK(reaches(backend, cache.publish("cascor:control", {{"command", "pause"}}), 1));
  CHECK(cache.publish("cascor:nobody", 1) == 0);
  CHECK(reaches(backend, cache.publish("cascor:events", "end"), 1));
  REQUIRE(other.wait_for(1));
  REQUIRE(one.wait_for(1));
  CHECK(one.all() == std::vector<std::string>{R"(cascor:control {"command":"pause"})"});
  CHECK(other.all() == std::vector<std::string>{R"(cascor:events "end")"});
}

TEMPLATE_TEST_CASE("messages of a channel come in the order in which they were published", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received received;
  const auto subscription = cache.subscribe({"a", "b"}, received.handler());
  for (int i = 0; i < 2000; ++i) cache.publish(i % 2 == 0 ? "a" : "b", i);
  REQUIRE(received.wait_for(2000));
  const auto all = received.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    REQUIRE(all[i] == (i % 2 == 0 ? "a " : "b ") + std::to_string(i));
  }
}

TEMPLATE_TEST_CASE("subscribers of one channel see the messages of many publishers in one order", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received one;
  Received other;
  const auto first = cache.subscribe({"c"}, one.handler());
  const auto second = cache.subscribe_pattern({"[c]"}, other.handler());
  in_threads(4, [&](std::size_t t) {
    for (int i = 0; i < 200; ++i) cache.publish("c", {t, i});
  });
  REQUIRE(one.wait_for(800));
  REQUIRE(other.wait_for(800));
  CHECK(one.all() == other.all());
}

TEMPLATE_TEST_CASE("an event is an envelope of type, time and data", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received received;
  const auto subscription = cache.subscribe({"cascor:training", "mine"}, received.handler());
  CHECK(reaches(backend, cache.publish_event(Channel::training, "metrics_update", {{"epoch", 5}}), 1));
  CHECK(reaches(backend, cache.publish_event("mine", "text \"quoted\"", nullptr), 1));
  REQUIRE(received.wait_for(2));
  const auto event = received.message(0).json();
  CHECK(event.at("type") == "metrics_update");
  CHECK(event.at("data") == json{{"epoch", 5}});
  CHECK(event.size() == 3);
  const std::string time = event.at("timestamp");
  CHECK(time.size() == 24);
  CHECK(time[10] == 'T');
  CHECK(time.back() == 'Z');
  CHECK(received.message(1).json().at("type") == "text \"quoted\"");
}

TEST_CASE("the four channels are in the namespace") {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  config.key_namespace = "lab:";
  CacheManager cache{config};
  Received received;
  const auto subscription = cache.subscribe_pattern({"*"}, received.handler());
  for (const auto channel : {Channel::training, Channel::control, Channel::topology, Channel::events}) {
    cache.publish_event(channel, "t", 0);
  }
  REQUIRE(received.wait_for(4));
  CHECK(received.channels() == std::vector<std::string>{"lab:training", "lab:control", "lab:topology", "lab:events"});
}

TEMPLATE_TEST_CASE("a pattern brings what its glob matches, and each message once", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received some;
  Received overlapping;
  Received twice;
  const auto by_glob = cache.subscribe_pattern({"run:[1-3]?"}, some.handler());
  const auto by_two = cache.subscribe_pattern({"run:*", "*1*", "run:*"}, overlapping.handler());
  const auto by_name = cache.subscribe({"run:12", "run:12"}, twice.handler());
  for (const char* channel : {"run:12", "run:9", "xrun:12", "run:4x", "run:3x"}) cache.publish(channel, 0);
  cache.publish("run:12", "end");
  REQUIRE(some.wait_for(3));
  REQUIRE(overlapping.wait_for(6));
  REQUIRE(twice.wait_for(2));
  CHECK(some.channels() == std::vector<std::string>{"run:12", "run:3x", "run:12"});
  CHECK(overlapping.channels() == std::vector<std::string>{"run:12", "run:9", "xrun:12", "run:4x", "run:3x", "run:12"});
  CHECK(twice.channels() == std::vector<std::string>{"run:12", "run:12"});
}

TEMPLATE_TEST_CASE("channels and messages are bytes", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received received;
  const std::string odd{"\0\r\n*\xff spaced", 12};
  const auto subscription = cache.subscribe(std::vector<std::string>{odd, "*"}, received.handler());
  const std::string large(300'000, 'x');
  CHECK(reaches(backend, cache.publish(odd, "\u00e9\r\n"), 1));
  CHECK(reaches(backend, cache.publish("*", large), 1));
  CHECK(cache.publish("other", "not a pattern here") == 0);
  REQUIRE(received.wait_for(2));
  CHECK(received.message(0).channel == odd);
  CHECK(received.message(0).json() == "\u00e9\r\n");
  CHECK(received.message(1).payload == '"' + large + '"');
}

TEMPLATE_TEST_CASE("names that are empty, or none, and texts that are no UTF-8 are data errors", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  const auto nothing = [](const Message&) {};
  CHECK_THROWS_AS(cache.publish("", 1), cascor::DataError);
  CHECK_THROWS_AS(cache.publish("c", "\xff"), cascor::DataError);
  CHECK_THROWS_AS(cache.publish_event("c", "\xff", 1), cascor::DataError);
  CHECK_THROWS_AS(cache.subscribe({"a", ""}, nothing), cascor::DataError);
  CHECK_THROWS_AS(cache.subscribe_pattern({""}, nothing), cascor::DataError);
  CHECK_THROWS_AS(cache.subscribe(std::vector<std::string>{}, nothing), cascor::DataError);
  CHECK(cache.publish("c", NAN) == 0);
}

TEST_CASE("a payload that is no JSON text is a data error for who asks for JSON") {
  CHECK_THROWS_AS((Message{"c", "no json"}.json()), cascor::DataError);
  CHECK_THROWS_AS((Message{"c", std::string(2000, '[')}.json()), cascor::DataError);
}

TEMPLATE_TEST_CASE("after close() returns no handler runs, however many messages are on their way", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> closed{false};
    std::atomic<int> late{0};
    std::atomic<int> called{0};
    auto subscription = cache.subscribe({"c"}, [&](const Message&) {
      if (closed) ++late;
      ++called;
      std::this_thread::yield();
      if (closed) ++late;
    });
    for (int i = 0; i < 50; ++i) cache.publish("c", i);
    REQUIRE(eventually([&] { return called > 0; }));
    subscription.close();
    closed = true;
    CHECK_FALSE(subscription.is_open());
    cache.publish("c", "late");
    subscription.close();
    CHECK(late == 0);
  }
}

TEMPLATE_TEST_CASE("a subscription ends with its object, and goes with it when it is moved", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received one;
  Received other;
  {
    Subscription first = cache.subscribe({"c"}, one.handler());
    Subscription moved = std::move(first);
    CHECK_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): what a move leaves is promised
    CHECK(moved.is_open());
    CHECK(reaches(backend, cache.publish("c", 1), 1));
    REQUIRE(one.wait_for(1));
    moved = cache.subscribe({"d"}, other.handler());
    CHECK(eventually([&] { return cache.publish("c", 2) == 0; }));
    CHECK(reaches(backend, cache.publish("d", 3), 1));
    REQUIRE(other.wait_for(1));
  }
  CHECK(eventually([&] { return cache.publish("d", 4) == 0; }));
  CHECK(one.size() == 1);
}

TEMPLATE_TEST_CASE("a handler may close its own subscription, make another and use the cache", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  std::atomic<int> called{0};
  Received inner;
  Subscription nested;
  const auto own = std::make_shared<Subscription>();
  std::mutex mutex;
  {
    const std::lock_guard lock{mutex};
    *own = cache.subscribe({"c"}, [&, own](const Message& message) {
      const std::lock_guard in_order{mutex};
      cache.set("seen", message.json());
      nested = cache.subscribe({"d"}, inner.handler());
      cache.publish("d", "from inside");
      ++called;
      own->close();
    });
  }
  cache.publish("c", 7);
  cache.publish("c", 8);
  REQUIRE(inner.wait_for(1));
  REQUIRE(eventually([&] { return called > 0; }));
  CHECK(*cache.get("seen") == 7);
  CHECK(eventually([&] { return cache.publish("c", 9) == 0; }));
  CHECK(called == 1);
  const std::lock_guard lock{mutex};
  CHECK_FALSE(own->is_open());
}

TEMPLATE_TEST_CASE("a handler that throws is logged, and delivery goes on", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  Received received;
  const auto subscription = cache.subscribe({"c"}, [&](const Message& message) {
    received.add(message);
    if (message.payload == "1") throw std::runtime_error{"no such epoch"};
    if (message.payload == "2") throw 5;  // NOLINT(hicpp-exception-baseclass)
  });
  for (int i = 0; i < 4; ++i) cache.publish("c", i);
  REQUIRE(received.wait_for(4));
  CHECK(backend.log.mentions("a handler of a subscription to c threw; delivery goes on: no such epoch"));
  CHECK(backend.log.mentions("for the 2th time"));
}

TEMPLATE_TEST_CASE("a slow handler keeps 65,536 messages waiting, then the oldest go and on_gap tells", "", OnMemory,
                   OnRedisTcp, OnRedisUnix) {
  TestType backend;
  CacheManager cache{backend.config()};
  constexpr std::size_t kept = 65'536;
  std::mutex gate;
  std::unique_lock shut{gate};
  std::atomic<bool> started{false};
  std::vector<std::string> seen;
  std::atomic<bool> done{false};
  const auto slow = cache.subscribe({"c"},
                                    [&](const Message& message) {
                                      started = true;
                                      const std::lock_guard open{gate};
                                      seen.push_back(message.payload);
                                      if (message.payload == "\"end\"") done = true;
                                    },
                                    {.on_gap = [&] { seen.emplace_back("gap"); }});
  Received quick;
  const auto other = cache.subscribe({"c"}, quick.handler());
  cache.publish("c", "first");
  REQUIRE(eventually([&] { return started.load(); }));
  in_threads(8, [&](std::size_t) {
    for (std::size_t i = 0; i < kept / 8 + 1; ++i) cache.publish("c", 0);
  });
  cache.publish("c", "end");
  const std::size_t published = kept + 10;
  CHECK(quick.wait_for(published));  // who is quick misses nothing
  shut.unlock();
  REQUIRE(eventually([&] { return done.load(); }));
  const std::lock_guard open{gate};
  CHECK(seen.size() == kept + 2);
  CHECK(seen[0] == "\"first\"");
  CHECK(seen[1] == "gap");
}

TEMPLATE_TEST_CASE("the end of the manager closes its subscriptions", "", BACKENDS) {
  TestType backend;
  std::atomic<int> running{0};
  std::atomic<bool> over{false};
  std::atomic<int> late{0};
  std::vector<Subscription> left;
  {
    std::optional<CacheManager> cache{backend.config()};
    CacheManager moved = std::move(*cache);
    cache.reset();
    for (int i = 0; i < 3; ++i) {
      left.push_back(moved.subscribe({"c"}, [&](const Message& message) {
        if (over) ++late;
        ++running;
        moved.set("from a handler", message.json());
      }));
    }
    for (int i = 0; i < 100; ++i) moved.publish("c", i);
    REQUIRE(eventually([&] { return running > 0; }));
  }
  over = true;
  for (auto& subscription : left) {
    CHECK_FALSE(subscription.is_open());
    subscription.close();
  }
  CHECK(late == 0);
}

TEMPLATE_TEST_CASE("subscriptions come and go in many threads while messages flow", "", OnMemory, OnRedisTcp) {
  TestType backend;
  CacheManager cache{backend.config()};
  std::atomic<bool> done{false};
  std::atomic<int> bad{0};
  std::thread publisher{[&] {
    while (!done) cache.publish("c", 1);
  }};
  in_threads(4, [&](std::size_t) {
    for (int i = 0; i < 40; ++i) {
      std::atomic<int> heard{0};
      auto subscription = i % 2 == 0 ? cache.subscribe({"c"}, [&](const Message&) { ++heard; })
                                     : cache.subscribe_pattern({"?"}, [&](const Message&) { ++heard; });
      if (!eventually([&] { return heard > 0; })) ++bad;
    }
  });
  done = true;
  publisher.join();
  CHECK(bad == 0);
}

TEST_CASE("a disabled cache reaches nobody and hears nothing") {
  cascor::CacheConfig config;
  config.enabled = false;
  CacheManager cache{config};
  Received received;
  const auto subscription = cache.subscribe({"c"}, received.handler());
  CHECK(cache.publish("c", 1) == 0);
  CHECK(received.size() == 0);
}
