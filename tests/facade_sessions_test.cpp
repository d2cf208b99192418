// Sessions through the facade: what both backends promise alike, and what becomes of them while Redis is away.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/training/session_id.hpp"
#include "cascor/training/session_scripts.hpp"
#include "support/away.hpp"
#include "support/backends.hpp"
#include "support/distributed.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;
using cascor::CacheStatus;
using cascor::json;

#define BACKENDS OnMemory, OnRedisTcp, OnRedisUnix, OnDistributed

namespace {
using Ids = std::vector<std::string>;
const std::string nobody(43, 'A');
std::set<std::string> set_of(const Ids& ids) { return {ids.begin(), ids.end()}; }
}  // namespace

TEST_CASE("an id is 256 bits as base64url without padding") {
  std::array<std::uint8_t, 32> bits{};
  CHECK(cascor::detail::encode_session_id(bits) == nobody);
  bits.fill(0xFF);
  CHECK(cascor::detail::encode_session_id(bits) == std::string(42, '_') + '8');
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint8_t>(i);
  CHECK(cascor::detail::encode_session_id(bits) ==
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");  // by Python's base64
}

TEMPLATE_TEST_CASE("ids come from the system, whatever generator the cache was given", "", BACKENDS) {
  TestType backend;
  auto config = backend.config();
  config.random = [] { return std::uint64_t{7}; };
  CacheManager cache{config};
  std::set<std::string> ids;
  for (int i = 0; i < 200; ++i) ids.insert(cache.sessions().create("u"));
  CHECK(ids.size() == 200);
  std::set<char> letters;
  for (const auto& id : ids) letters.insert(id.begin(), id.end());
  CHECK(letters.size() == 64);
}

TEMPLATE_TEST_CASE("a session is what it was created and updated with, until it is destroyed", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string id = sessions.create("user_123", {{"theme", "dark"}});
  REQUIRE(id.size() == 43);
  auto session = sessions.get(id);
  REQUIRE(session);
  CHECK(session.status() == CacheStatus::hit);
  CHECK(session.tier() == TestType::tier);
  CHECK(session.ttl() == 24h);
  CHECK(session->user == "user_123");
  CHECK(session->data == json{{"theme", "dark"}});
  CHECK(session->created <= session->last_seen);
  CHECK(sessions.update(id, {1, 2.5, nullptr, json::array(), 9007199254740993}));
  CHECK(sessions.get(id)->data.dump() == "[1,2.5,null,[],9007199254740993]");
  CHECK(sessions.get(id)->user == "user_123");
  CHECK(sessions.get(id)->created == session->created);
  CHECK(sessions.touch(id));
  CHECK(sessions.destroy(id));
  CHECK_FALSE(sessions.destroy(id));
  CHECK_FALSE(sessions.touch(id));
  CHECK_FALSE(sessions.update(id, 1));
  CHECK(sessions.get(id).status() == CacheStatus::miss);
  CHECK(sessions.regenerate(id).empty());
}

TEMPLATE_TEST_CASE("an update never revives a session that ends at the same moment", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  for (int round = 0; round < 50; ++round) {
    const std::string id = sessions.create("u", 0);
    std::atomic<bool> over{false};
    std::atomic<int> revived{0};
    in_threads(4, [&](std::size_t t) {
      if (t == 0) {
        std::this_thread::yield();
        sessions.destroy(id);
        over = true;
        return;
      }
      for (int i = 0; !over || i < 5; ++i) {
        const bool ended = over;
        if (t == 3 ? sessions.touch(id) : sessions.update(id, i)) revived += ended ? 1 : 0;
      }
    });
    CHECK(revived == 0);
    CHECK_FALSE(sessions.get(id));
  }
}

TEMPLATE_TEST_CASE("the sessions of a user are listed and ended together, and nobody else's", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string odd = "a:b *?[x]\n\"\\\u00e9";
  for (const std::string& user : {std::string{"ann"}, odd, std::string{"user:ann"}, std::string{"user:"}, nobody}) {
    INFO(user);
    Ids made;
    for (int i = 0; i < 3; ++i) made.push_back(sessions.create(user, i));
    const std::string other = sessions.create("bob");
    CHECK(set_of(sessions.of_user(user)) == set_of(made));
    CHECK(sessions.get(made[0])->user == user);
    CHECK(sessions.destroy(made[1]));
    CHECK(set_of(sessions.of_user(user)) == std::set<std::string>{made[0], made[2]});
    CHECK(sessions.destroy_all(user) == 2);
    CHECK(sessions.destroy_all(user) == 0);
    CHECK(sessions.of_user(user).empty());
    CHECK_FALSE(sessions.get(made[0]));
    CHECK(sessions.get(other));
  }
  CHECK(sessions.destroy_all("bob") == 5);
}

TEMPLATE_TEST_CASE("a login gives the session a new id, and the old one is worth nothing", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string before = sessions.create("guest", {{"cart", 3}});
  const auto created = sessions.get(before)->created;
  const std::string after = sessions.regenerate(before);
  REQUIRE(after.size() == 43);
  CHECK(after != before);
  CHECK_FALSE(sessions.get(before));
  CHECK(sessions.get(after)->data == json{{"cart", 3}});
  CHECK(sessions.get(after)->created == created);
  CHECK(sessions.of_user("guest") == Ids{after});
}

TEMPLATE_TEST_CASE("what can be no id is a miss, and no server is asked", "", OnMemory, OnRedisTcp) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  cache.set("session:short", {{"user", "u"}});
  std::string commands_before;
  if constexpr (TestType::remote) commands_before = backend.server.info("total_commands_processed");
  for (const std::string& id : {std::string{}, std::string{"*"}, std::string{"short"}, std::string(42, 'A'),
                                std::string(44, 'A'), std::string(42, 'A') + '*', std::string(42, 'A') + '=',
                                "user:" + std::string(38, 'A'), std::string(43, '\0'), "cascor:session:" + nobody}) {
    CHECK(sessions.get(id).status() == CacheStatus::miss);
    CHECK_FALSE(sessions.update(id, 1));
    CHECK_FALSE(sessions.touch(id));
    CHECK_FALSE(sessions.destroy(id));
    CHECK(sessions.regenerate(id).empty());
  }
  if constexpr (TestType::remote) {  // but for the two questions themselves
    CHECK(std::stol(backend.server.info("total_commands_processed")) - std::stol(commands_before) <= 1);
  }
}

TEMPLATE_TEST_CASE("users without a name, or with one too long or not UTF-8, and such data are data errors", "",
                   BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  CHECK_THROWS_AS(sessions.create(""), cascor::DataError);
  CHECK_THROWS_AS(sessions.create(std::string(901, 'u')), cascor::DataError);
  CHECK_THROWS_AS(sessions.create("\xff"), cascor::DataError);
  CHECK_THROWS_AS(sessions.create("u", "\xff"), cascor::DataError);
  CHECK_THROWS_AS(sessions.update(nobody, "\xff"), cascor::DataError);
  CHECK_THROWS_AS(sessions.of_user(""), cascor::DataError);
  CHECK(sessions.get(sessions.create(std::string(900, 'u'))));
  CHECK(sessions.of_user("u").empty());
}

TEMPLATE_TEST_CASE("no line and no error shows an id", "", BACKENDS) {
  const LogLevelIs all{cascor::LogLevel::debug};
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string id = sessions.create("u");
  sessions.get(id);
  cache.set("session:" + id, "no session");
  const auto broken = sessions.get(id);
  CHECK(broken.status() == CacheStatus::error);
  REQUIRE(broken.error() != nullptr);
  CHECK(std::string{broken.error()->what()}.find(id) == std::string::npos);
  CHECK_FALSE(sessions.update(id, 1));
  CHECK(sessions.destroy(id));
  CHECK_FALSE(backend.log.mentions(id));
}

TEMPLATE_TEST_CASE("clearing the cache, or a pattern, ends sessions", "", BACKENDS) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string one = sessions.create("u");
  CHECK(cache.invalidate_cache("session:" + one.substr(0, 20) + "*") == 1);
  CHECK_FALSE(sessions.get(one));
  const std::string other = sessions.create("u");
  cache.clear_all_cache();
  CHECK_FALSE(sessions.get(other));
  CHECK(sessions.of_user("u").empty());
}

TEMPLATE_TEST_CASE("the sessions stay the same object when the manager moves", "", OnMemory, OnRedisTcp) {
  TestType backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const CacheManager moved = std::move(cache);
  const std::string id = sessions.create("u");
  CHECK(sessions.get(id));
}

TEST_CASE("a session lives for 24 hours from its last use") {
  OnMemory backend;
  auto config = backend.config();
  const auto clock = std::make_shared<cascor::ManualClock>();
  config.clock = clock;
  CacheManager cache{config};
  auto& sessions = cache.sessions();
  const std::string used = sessions.create("u");
  const std::string unused = sessions.create("u");
  const auto created = sessions.get(used)->created;
  for (int i = 0; i < 5; ++i) {
    clock->advance(20h);
    REQUIRE(sessions.get(used));
  }
  CHECK(sessions.get(used)->last_seen - created == 100h);
  CHECK(sessions.get(used)->created == created);
  CHECK_FALSE(sessions.get(unused));
  CHECK(sessions.of_user("u") == Ids{used});
  clock->advance(24h);
  CHECK_FALSE(sessions.get(used));
  CHECK(sessions.of_user("u").empty());
}

// ---- on Redis

TEST_CASE("what stands in Redis is JSON with a sliding expiry, and a sorted set of the user's ids") {
  OnRedisTcp backend;
  auto config = backend.config();
  CacheManager cache{config};
  auto& sessions = cache.sessions();
  const std::string id = sessions.create("ann", {{"theme", "dark"}});
  const std::string key = "cascor:session:" + id;
  const auto text = json::parse(backend.server.raw("GET", key).text);
  CHECK(text.size() == 4);
  CHECK(text.at("user") == "ann");
  CHECK(text.at("data") == json{{"theme", "dark"}});
  CHECK(text.at("created") == text.at("last_seen"));
  CHECK(backend.server.raw("TYPE", "cascor:session:user:ann").text == "zset");
  CHECK(backend.server.raw("ZSCORE", "cascor:session:user:ann", id).kind == cascor::Reply::Kind::string);
  backend.server.raw("PEXPIRE", key, "5000");
  CHECK(sessions.get(id));
  CHECK(backend.server.raw("PTTL", key).integer > 86'000'000);
  CHECK(backend.server.raw("PTTL", "cascor:session:user:ann").integer > 86'000'000);
  CHECK(sessions.destroy(id));
  CHECK(backend.server.raw("EXISTS", key, "cascor:session:user:ann").integer == 0);
}

TEST_CASE("ids whose time is over drop out of a user's set, and the first use in a minute moves the time") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string id = sessions.create("ann");
  backend.server.raw("ZADD", "cascor:session:user:ann", "1000", "long dead");
  CHECK(sessions.of_user("ann") == Ids{id});
  CHECK(backend.server.raw("ZCARD", "cascor:session:user:ann").integer == 1);
  auto old = json::parse(backend.server.raw("GET", "cascor:session:" + id).text);
  old["last_seen"] = "2020-01-01T00:00:00+00:00";
  backend.server.raw("SET", "cascor:session:" + id, old.dump());
  backend.server.raw("ZADD", "cascor:session:user:ann", "9999999999999", id);
  CHECK(sessions.get(id));
  CHECK(json::parse(backend.server.raw("GET", "cascor:session:" + id).text).at("last_seen") != old["last_seen"]);
  CHECK(backend.server.raw("ZSCORE", "cascor:session:user:ann", id).text != "9999999999999");
}

TEST_CASE("scripts are known to the server by the digests that are written here") {
  RedisServer server;
  for (const auto& script : {cascor::detail::slide_script, cascor::detail::swap_script, cascor::detail::enter_script,
                             cascor::detail::list_script}) {
    CHECK(server.raw("SCRIPT", "LOAD", std::string{script.text}).text == script.sha1);
  }
}

TEST_CASE("a server that forgot the scripts is told them again") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  auto& sessions = cache.sessions();
  const std::string id = sessions.create("u", 1);
  for (int i = 2; i < 5; ++i) {
    backend.server.raw("SCRIPT", "FLUSH");
    CHECK(sessions.update(id, i));
    CHECK(sessions.get(id)->data == i);
  }
}

TEST_CASE("sessions of another client, times in its own form, are read") {
  OnRedisTcp backend;
  CacheManager cache{backend.config()};
  const auto read = [&](const std::string& text) {
    backend.server.raw("SET", "cascor:session:" + nobody, text);
    return cache.sessions().get(nobody);
  };
  CHECK(read(R"({"user":"py","data":{"a":[]},"created":1700000000.5,"last_seen":"2023-11-14T23:13:20.500+01:00"})")
            ->created.time_since_epoch() == 1700000000500ms);
  CHECK(read(R"({"user":"py","created":"2023-11-14T22:13:20Z"})")->created.time_since_epoch() == 1700000000s);
  CHECK(read(R"({"user":"py","created":"yesterday","last_seen":1e300})")->created.time_since_epoch() == 0s);
  CHECK(read(R"({"data":1})").status() == CacheStatus::error);
  CHECK(read("[]").status() == CacheStatus::error);
  CHECK(cache.sessions().get(nobody).error()->code() == cascor::ErrorCode::data);
}

TEST_CASE("with Redis away sessions live in memory, and are in Redis when it is back, with their user's set") {
  RedisServer server;
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CacheManager elsewhere{config_for(server, log)};
  auto& sessions = cache.sessions();
  server.kill();
  const std::string kept = sessions.create("ann", 1);
  const std::string ended = sessions.create("ann", 2);
  REQUIRE(kept.size() == 43);
  CHECK(sessions.get(kept)->data == 1);
  CHECK(sessions.update(kept, 3));
  CHECK(set_of(sessions.of_user("ann")) == std::set<std::string>{kept, ended});
  CHECK(sessions.destroy(ended));
  CHECK_FALSE(sessions.update(ended, 1));
  CHECK(sessions.of_user("ann") == Ids{kept});
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(sessions.get(kept)->data == 3);
  CHECK(elsewhere.sessions().get(kept)->data == 3);
  CHECK_FALSE(elsewhere.sessions().get(ended));
  CHECK(elsewhere.sessions().of_user("ann") == Ids{kept});
  CHECK(elsewhere.sessions().destroy_all("ann") == 1);
}

TEST_CASE("ending a user's sessions while Redis is away reaches, on its return, those that only Redis knew") {
  RedisServer server{{"--appendonly", "yes", "--appendfsync", "always"}};
  CapturedLog log;
  CacheManager cache{config_for(server, log)};
  CapturedLog quiet;
  CacheManager elsewhere{config_for(server, quiet)};
  const std::string before = elsewhere.sessions().create("ann");
  REQUIRE(cache.sessions().get(before));
  server.kill();
  REQUIRE(eventually_away(cache));
  cache.sessions().destroy_all("ann");
  const std::string fresh = cache.sessions().create("ann");
  server.start();
  REQUIRE(eventually_restored(log));
  CHECK(cache.sessions().get(fresh));
  CHECK_FALSE(cache.sessions().get(before));
  CHECK(cache.sessions().of_user("ann") == Ids{fresh});
}

TEST_CASE("without a fallback nothing keeps a session while Redis is away: the id is empty; with strict it throws") {
  RedisServer server;
  server.kill();
  CapturedLog log;
  auto config = config_for(server, log);
  config.fallback.enabled = false;
  CacheManager cache{config};
  CHECK(cache.sessions().create("u").empty());
  CHECK(cache.sessions().get(nobody).status() == CacheStatus::error);
  CHECK(cache.sessions().of_user("u").empty());
  server.start();
  config.strict = true;
  CacheManager strict{config};
  server.kill();
  CHECK_THROWS_AS(strict.sessions().create("u"), cascor::ConnectionError);
  CHECK_THROWS_AS(strict.sessions().get(nobody), cascor::ConnectionError);
}
