// A master that three real Sentinels watch over: fails over by hand, is killed, hangs.
#include <atomic>
#include <catch2/catch.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/sentinel.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/redis_client.hpp"
#include "support/redis_sentinels.hpp"

using namespace std::chrono_literals;
using cascor::StoreEntry;
using support::eventually;
using support::in;
using support::RedisSentinels;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

std::unique_ptr<RedisBackend> client_of(const RedisSentinels& all, cascor::redis::RedisOptions options = {},
                                        const std::string& name = "mymaster") {
  return std::make_unique<RedisBackend>(std::make_unique<cascor::redis::Sentinel<>>(options, all.endpoints(), name));
}
bool set(RedisBackend& client, const std::string& key, const std::string& value, cascor::milliseconds within = 10s) {
  const StoreEntry entry{key, value};
  try {
    return client.set_many({&entry, 1}, in(within)).front().stored;
  } catch (const cascor::CacheError&) {
    return false;
  }
}
std::string get(RedisBackend& client, const std::string& key) { return *client.get(key, in(10s)).bytes; }

// Until a write succeeds again on another master than `old`; how long that took after the Sentinels named it.
std::chrono::milliseconds time_to_first_write(RedisSentinels& all, RedisBackend& client, std::size_t old) {
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> done{false};
  std::atomic<Clock::rep> elected{0};
  std::thread observer{[&] {
    while (!done && elected == 0) {
      if (all.master() != old) elected = Clock::now().time_since_epoch().count();
    }
  }};
  const bool written = eventually([&] { return elected != 0 && set(client, "after", "v", 1s); }, 60s);
  const auto end = Clock::now();
  done = true;
  observer.join();
  REQUIRE(written);
  return std::chrono::duration_cast<std::chrono::milliseconds>(end.time_since_epoch() - Clock::duration{elected});
}

}  // namespace

TEST_CASE("The master that the Sentinels name is used, and one Sentinel that answers is enough", "[sentinel]") {
  RedisSentinels all;
  all.sentinel(0).kill();
  all.sentinel(1).kill();
  const auto client = client_of(all);
  CHECK(set(*client, "k", "v"));
  CHECK(all.server(0).raw("GET", "k").text == "v");
  CHECK_NOTHROW(client->ping(in(10s)));
}

TEST_CASE("Without a Sentinel, or with a name that none knows, the error says so", "[sentinel]") {
  RedisSentinels all;
  const auto stranger = client_of(all, {}, "another");
  const auto seen = support::error_of<cascor::ConnectionError>([&] { (void)stranger->get("k", in(5s)); });
  CHECK(seen.what == "Error connecting to Redis: the Sentinels know no master named another");
  CHECK(seen.hint == "Name the master in redis_url as sentinel.conf does (sentinel monitor <name> …).");
  for (std::size_t i = 0; i < 3; ++i) all.sentinel(i).kill();
  const auto client = client_of(all);
  CHECK(support::what_of<cascor::ConnectionError>([&] {
          (void)client->get("k", in(5s));
        }).starts_with("Error connecting to Redis on 127.0.0.1:"));
}

TEST_CASE("A failover by hand is followed, and no connection to the old master is left", "[sentinel]") {
  RedisSentinels all;
  const auto client = client_of(all);
  REQUIRE(set(*client, "before", "v"));
  all.await_replicas();
  (void)all.server(0).raw("WAIT", "2", "10000");
  REQUIRE(all.sentinel(2).raw("SENTINEL", "FAILOVER", "mymaster").text == "OK");
  const auto took = time_to_first_write(all, *client, 0);
  std::cout << "SENTINEL FAILOVER: first write " << took.count() << " ms after the election\n";
  CHECK(get(*client, "before") == "v");
  // The old master may have taken that write, and lost it: it was one until it was told.
  CHECK(eventually(
      [&] { return set(*client, "later", "v") && all.server(all.master()).raw("GET", "later").text == "v"; }));
  CHECK(eventually(
      [&] { return all.server(0).raw("CLIENT", "LIST").text.find("name=cascor-cache") == std::string::npos; }));
}

TEST_CASE("A master that is killed is replaced by who takes its place", "[sentinel]") {
  RedisSentinels all;
  const auto client = client_of(all);
  REQUIRE(set(*client, "before", "v"));
  all.await_replicas();
  all.server(0).kill();
  const auto took = time_to_first_write(all, *client, 0);
  std::cout << "kill -9 of the master: first write " << took.count() << " ms after the election\n";
  CHECK(took < 5s);
  CHECK(get(*client, "before") == "v");
}

TEST_CASE("A master that hangs holds nobody once another one is elected", "[sentinel]") {
  RedisSentinels all;
  const auto client = client_of(all);
  REQUIRE(set(*client, "before", "v"));
  all.await_replicas();
  all.server(0).pause();
  std::atomic<bool> ended{false};
  std::string value;
  std::thread caller{[&] {  // with all the time in the world
    value = client->get("before", in(600s)).bytes.value_or("nothing");
    ended = true;
  }};
  const auto took = time_to_first_write(all, *client, 0);
  std::cout << "SIGSTOP of the master: first write " << took.count() << " ms after the election\n";
  CHECK(eventually([&] { return ended.load(); }, 60s));
  all.server(0).resume();
  caller.join();
  CHECK(value == "v");
}

TEST_CASE("Sentinels that want a password get that of the configuration", "[sentinel]") {
  RedisSentinels all{"secret"};
  cascor::redis::RedisOptions options;
  options.password = [] { return std::string{"secret"}; };
  const auto client = client_of(all, options);
  CHECK(set(*client, "k", "v"));
  options.password = [] { return std::string{"wrong"}; };
  const auto stranger = client_of(all, options);
  const std::string what = support::what_of<cascor::AuthenticationError>([&] { (void)stranger->get("k", in(5s)); });
  CHECK(what.find("WRONGPASS") != std::string::npos);
  CHECK(what.find("wrong") == std::string::npos);
}

TEST_CASE("A replica in the master's place counts as away", "[sentinel]") {
  RedisSentinels& all = support::shared_sentinels();
  cascor::redis::RedisOptions options = support::options_for(all.server(1));
  options.must_be_master = true;
  RedisBackend client{options};
  CHECK(support::what_of<cascor::ConnectionError>([&] { (void)client.get("k", in(5s)); }) ==
        "Error connecting to Redis on " + all.server(1).address() + ": it is a replica and not the master");
}
