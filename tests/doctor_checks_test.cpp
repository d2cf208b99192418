// cascor-cache doctor: what its checks make of what was gathered, without a server.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "../tools/cascor-cache/doctor/clients_check.hpp"
#include "../tools/cascor-cache/doctor/clock_check.hpp"
#include "../tools/cascor-cache/doctor/cluster_check.hpp"
#include "../tools/cascor-cache/doctor/configuration_check.hpp"
#include "../tools/cascor-cache/doctor/dial_check.hpp"
#include "../tools/cascor-cache/doctor/history_check.hpp"
#include "../tools/cascor-cache/doctor/info_text.hpp"
#include "../tools/cascor-cache/doctor/memory_check.hpp"
#include "../tools/cascor-cache/doctor/persistence_check.hpp"
#include "../tools/cascor-cache/doctor/rights_check.hpp"
#include "../tools/cascor-cache/doctor/round_trip_check.hpp"
#include "../tools/cascor-cache/doctor/sentinel_check.hpp"
#include "../tools/cascor-cache/doctor/tls_check.hpp"
#include "../tools/cascor-cache/doctor/tracking_check.hpp"
#include "../tools/cascor-cache/doctor/version_check.hpp"

using namespace tool::doctor;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

/// The only finding of a check.
template <class Facts>
Finding only(void (*check)(const Facts&, Findings&), const Facts& facts) {
  Findings findings;
  check(facts, findings);
  REQUIRE(findings.all().size() == 1);
  const Finding one = findings.all().front();
  CHECK(one.cure.empty() == (one.level == Level::ok));  // what is not well has a cure
  return one;
}

MemoryFacts memory(std::uint64_t used, std::uint64_t limit, const std::string& policy) {
  MemoryFacts facts;
  facts.peer = "here:6379";
  facts.used = used;
  facts.limit = limit;
  facts.machine = 16 * 1024 * mib;
  facts.policy = policy;
  return facts;
}

DialFacts reached(const std::string& peer) {
  DialFacts facts;
  facts.peer = peer;
  facts.reached = true;
  return facts;
}

DialFacts away(const std::string& peer) {
  DialFacts facts;
  facts.peer = peer;
  facts.error = "Error connecting to Redis on " + peer + ": Connection refused";
  facts.hint = "Start redis-server there, or correct redis_url.";
  return facts;
}

}  // namespace

TEST_CASE("the doctor fears noeviction once three quarters of the memory are used") {
  CHECK(only(check_memory, memory(50 * mib, 100 * mib, "noeviction")).level == Level::ok);
  CHECK(only(check_memory, memory(80 * mib, 100 * mib, "noeviction")).level == Level::warning);
  const Finding full = only(check_memory, memory(95 * mib, 100 * mib, "noeviction"));
  CHECK(full.level == Level::problem);
  CHECK_THAT(full.cure, Contains("CONFIG SET maxmemory-policy"));
  CHECK(only(check_memory, memory(99 * mib, 100 * mib, "volatile-lru")).level == Level::ok);
  CHECK(only(check_memory, memory(50 * mib, 0, "noeviction")).level == Level::info);
  CHECK(only(check_memory, memory(15 * 1024 * mib, 0, "noeviction")).level == Level::warning);
}

TEST_CASE("the doctor tells that allkeys may evict what must stay, and what a refused write says") {
  auto facts = memory(10 * mib, 100 * mib, "allkeys-lru");
  CHECK(only(check_memory, facts).level == Level::ok);
  facts.runs = 2;
  CHECK_THAT(only(check_memory, facts).what, Contains("the record of 2 runs"));
  facts.write_refused = "OOM command not allowed when used memory > 'maxmemory'.";
  CHECK(only(check_memory, facts).level == Level::problem);
  MemoryFacts unknown;
  unknown.write_refused = facts.write_refused;
  CHECK(only(check_memory, unknown).level == Level::problem);
}

TEST_CASE("the doctor weighs a clock's skew by what the round trip leaves unknown") {
  CHECK(only(check_clock, {"here:6379", 0.4, 0.0}).level == Level::ok);
  CHECK(only(check_clock, {"here:6379", 3.0, 2.5}).level == Level::ok);
  const Finding behind = only(check_clock, {"here:6379", -3.0, 0.001});
  CHECK(behind.level == Level::warning);
  CHECK_THAT(behind.what, Contains("3.0 s behind"));
  CHECK(only(check_clock, {"here:6379", 7200.0, 0.001}).level == Level::problem);
}

TEST_CASE("the doctor counts a pool and its two links against maxclients") {
  const auto level = [](std::uint64_t most, std::uint64_t connected, std::uint64_t pool) {
    return only(check_clients, {"here:6379", most, connected, pool, "connection_pool.max_connections (code)"}).level;
  };
  CHECK(level(10'000, 20, 50) == Level::ok);
  CHECK(level(60, 20, 50) == Level::warning);
  CHECK(level(52, 0, 50) == Level::ok);
  CHECK(level(51, 0, 50) == Level::problem);
}

TEST_CASE("the doctor names a missing right, what it switches off, and the line that grants it") {
  RightsFacts facts{true, "ann", "lab:", {{"+get", "reads", true, true}}};
  CHECK(only(check_rights, facts).level == Level::ok);
  facts.rights.push_back({"+psubscribe", "subscribe_pattern", false, false});
  CHECK(only(check_rights, facts).level == Level::warning);
  facts.rights.push_back({"+eval", "increment", true, false});
  facts.rights.push_back({"+eval", "increment", true, false});
  const Finding found = only(check_rights, facts);
  CHECK(found.level == Level::problem);
  CHECK_THAT(found.cure, Contains("ACL SETUSER ann +psubscribe +eval;"));
  for (const char* right : {"+a", "+b", "+c"}) facts.rights.push_back({right, "this", true, false});
  CHECK_THAT(only(check_rights, facts).cure, Contains("ACL SETUSER ann ~lab:* &lab:* +@all -@dangerous"));

  CHECK(refused_right("NOPERM this user has no permissions to run the 'get' command", "get", "a*", "b*") == "+get");
  CHECK(refused_right("NOPERM this user has no permissions to access one of the keys used as arguments", "get", "a*",
                      "b*") == "~a*");
  CHECK(refused_right("NOPERM No permissions to access a channel", "publish", "a*", "b*") == "&b*");
}

TEST_CASE("the doctor tells how long a certificate is good for, and for whom it is") {
  TlsFacts facts;
  facts.wanted = facts.shaken = facts.trusted = facts.name_fits = true;
  facts.wanted_name = "localhost";
  facts.version = "TLSv1.3";
  facts.subject = "CN = server";
  facts.names = {"redis.internal", "10.0.0.7"};
  facts.seconds_left = 100 * 86'400.0;
  const auto found = [](const TlsFacts& given, bool fails) {
    Findings findings;
    CHECK(check_tls(given, "here:6380", findings) == fails);
    return findings.all();
  };
  CHECK(found(facts, false).at(0).level == Level::ok);
  auto soon = facts;
  soon.seconds_left = 3 * 86'400.0;
  CHECK(found(soon, false).at(0).level == Level::warning);
  auto expired = facts;
  expired.seconds_left = -3 * 86'400.0;
  CHECK_THAT(found(expired, true).at(0).what, Contains("expired 3 days ago"));
  auto early = facts;
  early.seconds_to_begin = 3600;
  CHECK_THAT(found(early, true).at(0).what, Contains("not valid for another 60 min"));
  auto other = facts;
  other.name_fits = false;
  CHECK_THAT(found(other, true).at(0).cure, Contains("server_name: redis.internal"));
  auto unknown = facts;
  unknown.trusted = false;
  unknown.chain_error = "unable to get local issuer certificate";
  CHECK_THAT(found(unknown, true).at(0).cure, Contains("ca_file"));
  unknown.verify = false;
  CHECK(found(unknown, false).at(0).level == Level::warning);  // that nothing is verified
  auto ours = facts;
  ours.own_file = "client.pem";
  ours.own_seconds_left = -60;
  CHECK_THAT(found(ours, true).at(0).what, Contains("our certificate client.pem expired"));
}

TEST_CASE("the doctor tells which Sentinels are away, disagree, or are too few") {
  const auto found = [](const SentinelFacts& facts) {
    Findings findings;
    check_sentinels(facts, {"redis_url (app.yaml:3:16)", {}, {}}, findings);
    return findings.all();
  };
  const SentinelFacts::One good{reached("a:26379"), true, "m:6379", {}, 1, 2};
  SentinelFacts facts{"mymaster", {good, good, good}};
  facts.all[1].dial.peer = "b:26379";
  CHECK(found(facts).at(0).level == Level::ok);
  auto one_away = facts;
  one_away.all[2].dial = away("c:26379");
  CHECK(found(one_away).at(0).level == Level::warning);
  auto all_away = one_away;
  for (auto& one : all_away.all) one.dial = away("c:26379");
  CHECK(found(all_away).at(0).level == Level::problem);
  auto disagree = facts;
  disagree.all[1].master = "n:6379";
  CHECK_THAT(found(disagree).at(0).what, Contains("a:26379 names m:6379, b:26379 names n:6379"));
  auto few = facts;
  few.all[0].quorum_words = "NOQUORUM 1 usable Sentinels.";
  CHECK_THAT(found(few).at(0).what, Contains("no failover is possible: NOQUORUM"));
  auto nobody = facts;
  for (auto& one : nobody.all) one.knows_master = false;
  CHECK_THAT(found(nobody).at(0).what, Contains("no master named mymaster"));
  auto bare = facts;
  bare.all[0].replicas = 0;
  CHECK_THAT(found(bare).at(0).cure, Contains("replicaof m 6379"));
}

TEST_CASE("the doctor finds the slots of a cluster that nobody has, and the nodes that are away") {
  using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;
  CHECK(gaps_between({{0, 16'383}}).empty());
  CHECK(gaps_between({{8000, 16'383}, {0, 7000}}) == Ranges{{7001, 7999}});
  CHECK(gaps_between({{5, 10}, {7, 8}}) == Ranges{{0, 4}, {11, 16'383}});
  CHECK(gaps_between({}) == Ranges{{0, 16'383}});

  const auto found = [](const ClusterFacts& facts) {
    Findings findings;
    check_cluster(facts, {"redis_url (default)", {}, {}}, findings);
    return findings.all();
  };
  ClusterFacts facts;
  facts.wanted = true;
  facts.asked = "a:7000";
  facts.state = "ok";
  facts.nodes = {{reached("a:7000"), true, 1}, {reached("b:7000"), false, 0}};
  CHECK(found(facts).at(0).level == Level::ok);
  auto holed = facts;
  holed.state = "fail";
  holed.uncovered = {{3, 3}, {10, 19}};
  CHECK_THAT(found(holed).at(0).what, Contains("11 slots are of no node: 3, 10-19; cluster_state fail"));
  auto lost = facts;
  lost.nodes[1].dial = away("b:7000");
  CHECK(found(lost).at(0).level == Level::warning);
  lost.nodes[1].master = true;
  CHECK(found(lost).at(0).level == Level::problem);
  auto failed = facts;
  failed.failed_slots = 5461;
  CHECK(found(failed).at(0).level == Level::problem);
  auto no_cluster = facts;
  no_cluster.error = "ERR This instance has cluster support disabled";
  CHECK(found(no_cluster).at(0).level == Level::problem);
  ClusterFacts nothing;
  nothing.wanted = true;
  nothing.seeds_away = {away("a:7000"), away("b:7000")};
  CHECK(found(nothing).size() == 2);
}

TEST_CASE("the doctor's cure of a dial fits what was said") {
  const DialPlaces places{"redis_url (app.yaml:3:16)", "REDIS_PASSWORD", "ann"};
  const auto cure = [&](const std::string& peer, const std::string& said,
                        cascor::ErrorCode code = cascor::ErrorCode::connection) {
    DialFacts facts = away(peer);
    facts.error = "Error connecting to Redis on " + peer + ": " + said;
    facts.code = code;
    return cure_of_dial(facts, places);
  };
  CHECK_THAT(cure("h:6379", "Connection refused"), Contains("redis-cli -h h -p 6379 ping"));
  CHECK_THAT(cure("[::1]:6379", "Connection refused"), Contains("redis-cli -h ::1 -p 6379 ping"));
  CHECK_THAT(cure("/run/r.sock", "No such file or directory"), Contains("unixsocket /run/r.sock"));
  CHECK_THAT(cure("/run/r.sock", "Permission denied"), Contains("unixsocketperm"));
  CHECK_THAT(cure("h:6379", "Name or service not known"), Contains("getent hosts h"));
  CHECK_THAT(cure("h:6379", "ERR max number of clients reached"), Contains("maxclients"));
  CHECK_THAT(cure("h:6379", "WRONGPASS invalid", cascor::ErrorCode::authentication),
             Contains("from REDIS_PASSWORD") && Contains("ACL SETUSER ann on >PASSWORD"));
  CHECK_THAT(cure("h:6379", "NOAUTH Authentication required.", cascor::ErrorCode::authentication),
             Contains("export REDIS_PASSWORD="));
  CHECK_THAT(cure("h:6379", "DENIED Redis is running in protected mode"), Contains("requirepass"));
  CHECK(cure("h:6379", "something new") == "Start redis-server there, or correct redis_url.");

  Findings findings;
  DialFacts slow = reached("h:6379");
  slow.resolve_ms = 900;
  slow.addresses = {{"10.0.0.1:6379", 0, "timed out"}, {"10.0.0.2:6379", 0.2, {}}, {"10.0.0.3:6379", 0, "timed out"}};
  check_dial(slow, places, findings);
  REQUIRE(findings.count(Level::warning) == 2);
  CHECK_THAT(findings.all()[1].what, Contains("10.0.0.1") && !Contains("10.0.0.3"));
}

TEST_CASE("the doctor says what an unknown key was meant to be, and shows what differs from the default") {
  CHECK_THAT(cure_of_complaint("app.yaml:6:5: unknown key 'ttl_second' under backend.cache; the nearest known key is "
                               "'ttl_seconds'"),
             Contains("at app.yaml:6:5 write ttl_seconds:"));
  CHECK_THAT(cure_of_complaint("CASCOR_CACHE_TTL: unknown environment variable; the nearest known name is "
                               "CASCOR_CACHE_TTL_SECONDS"),
             Contains("unset CASCOR_CACHE_TTL; export CASCOR_CACHE_TTL_SECONDS="));
  ConfigurationFacts facts;
  facts.values = {{"type", "redis", "app.yaml:3:5", false}, {"ttl_seconds", "7", "CASCOR_CACHE_TTL_SECONDS", true}};
  CHECK_THAT(only(check_configuration, facts).what,
             Contains("2 keys are given, 1 not as the default: ttl_seconds 7 (CASCOR_CACHE_TTL_SECONDS)"));
  facts.error = "app.yaml:3:5: type: found 'x'";
  facts.hint = "Correct it.";
  CHECK(only(check_configuration, facts).level == Level::problem);
}

TEST_CASE("the doctor looks after the folder of journals") {
  HistoryFacts facts;
  facts.directory = "data";
  facts.place = "history.directory (default)";
  facts.free_bytes = 1e12;
  CHECK(only(check_history, facts).level == Level::ok);
  auto tight = facts;
  tight.free_bytes = 1e8;
  CHECK(only(check_history, tight).level == Level::warning);
  tight.free_bytes = 1e6;
  CHECK(only(check_history, tight).level == Level::problem);
  auto closed = facts;
  closed.not_usable = "Permission denied";
  CHECK(only(check_history, closed).level == Level::problem);
  auto waiting = facts;
  waiting.waiting = {{"data/pending/here", "here", true, 2, 1000}};
  CHECK(only(check_history, waiting).level == Level::info);
  waiting.waiting[0].ours = false;
  waiting.refused = 1;
  Findings findings;
  check_history(waiting, findings);
  CHECK(findings.count(Level::warning) == 2);
}

TEST_CASE("the doctor judges a server by its INFO") {
  const InfoText info{"# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:x\r\nrole:master\r\nbroken line\r\n"};
  CHECK(info.text("redis_version") == "7.0.15");
  CHECK_FALSE(info.number("uptime_in_seconds"));
  CHECK(info.text("broken line").empty());
  CHECK(only(check_version, {"here:6379", info, {}, false, "redis_url", "ann"}).level == Level::ok);
  CHECK(only(check_version, {"here:6379", InfoText{"redis_version:5.0.3"}, {}, false, "redis_url", "ann"}).level ==
        Level::problem);
  CHECK(only(check_version, {"here:6379", {}, "NOPERM", false, "redis_url", "ann"}).cure == "ACL SETUSER ann +info");

  const auto durable = [](const char* text) {
    return only(check_persistence, {"here:6379", InfoText{text}, {}}).level;
  };
  CHECK(durable("aof_enabled:1") == Level::ok);
  CHECK(durable("aof_enabled:0") == Level::info);
  CHECK(durable("rdb_last_bgsave_status:err") == Level::problem);
  CHECK(durable("aof_last_write_status:err") == Level::problem);
  CHECK(durable("loading:1") == Level::problem);
  CHECK(only(check_persistence, {"here:6379", {}, "NOREPLICAS Not enough good replicas to write."})
            .cure.find("min-replicas-to-write") != std::string::npos);
}

TEST_CASE("the doctor finds a slow server, and one that refuses to tell of changes") {
  CHECK(only(check_round_trips, {"here:6379", {0.1, 0.2, 4.0}, 5000}).level == Level::ok);
  CHECK(only(check_round_trips, {"here:6379", {30, 40, 50}, 5000}).level == Level::warning);
  CHECK(only(check_round_trips, {"here:6379", {0.1, 0.1, 30, 30}, 5000}).level == Level::warning);
  CHECK(only(check_round_trips, {"here:6379", {0.1, 0.1, 0.1, 30}, 5000}).level == Level::ok);
  CHECK(only(check_round_trips, {"here:6379", {0.1, 0.2, 300}, 500}).level == Level::warning);
  TrackingFacts facts{true, true, true, {}, "ann", "near_cache.enabled (default)", "cascor:"};
  CHECK(only(check_tracking, facts).level == Level::ok);
  facts.granted = false;
  facts.words = "NOPERM this user has no permissions to run the 'client|tracking' command";
  CHECK_THAT(only(check_tracking, facts).cure, Contains("ACL SETUSER ann +client|tracking"));
  facts.words = "ERR unknown command";
  CHECK_THAT(only(check_tracking, facts).cure, Contains("Redis 6"));
}
