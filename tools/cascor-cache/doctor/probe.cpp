#include "probe.hpp"

#include <netdb.h>
#include <cascor/core/clock.hpp>
#include <cascor/redis/resolver.hpp>
#include <cascor/redis/server_error.hpp>
#include <cascor/redis/tls.hpp>
#include <cascor/redis/tracking_rules.hpp>
#include <chrono>

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include "rights_table.hpp"
#include "tls_probe.hpp"

namespace tool::doctor {
namespace {

using cascor::Reply;
using cascor::redis::Answer;
using cascor::redis::Batch;
using cascor::redis::Endpoint;
using Seconds = std::chrono::duration<double>;

class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// "127.0.0.1", as it can be dialled again.
std::string numeric(const cascor::redis::Address& address) {
  std::array<char, NI_MAXHOST> host{};
  const int failed = ::getnameinfo(address.get(), address.size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST);
  return failed == 0 ? std::string{host.data()} : std::string{};
}

// "Error connecting to Redis on 127.0.0.1:6379: Connection refused" less what the report says itself.
std::string reason_of(const std::string& what) {
  const auto at = what.rfind(": ");
  return at == std::string::npos ? what : what.substr(at + 2);
}

void connect_to_each(const Endpoint& endpoint, bool keepalive, cascor::Deadline by, DialFacts& facts) {
  const Stopwatch look_up;
  const auto addresses = cascor::redis::resolve(endpoint.host, endpoint.port, facts.peer, by);
  facts.resolve_ms = look_up.milliseconds();
  constexpr std::size_t most = 8;
  for (std::size_t i = 0; i < addresses.size() && i < most && !by.passed(); ++i) {
    Endpoint at{numeric(addresses[i]), endpoint.port, {}};
    DialFacts::Address& one = facts.addresses.emplace_back();
    one.text = to_string(at);
    const cascor::Deadline share{by.clock(), by.remaining() / 2};
    const Stopwatch connecting;
    try {
      (void)cascor::redis::dial(at, keepalive, share);
      one.connect_ms = connecting.milliseconds();
    } catch (const cascor::CacheError& error) {
      one.error = reason_of(error.what());
    }
  }
}

std::string random_word() {
  std::random_device random;
  std::string word;
  for (int i = 0; i < 12; ++i) word += "0123456789abcdef"[random() % 16];
  return word;
}

}  // namespace

std::vector<Reply> answers_of(Prober::Connection& connection, const Commands& commands, cascor::Deadline by) {
  Batch<> batch;
  for (const auto& command : commands) {
    const std::vector<std::string_view> words{command.begin(), command.end()};
    batch.add_words({Answer::any}, words);
  }
  return connection.execute(batch, by);
}

Prober::Prober(const cascor::CacheConfig& config, const ConfigurationFacts& configuration)
    : config_{config}, configuration_{configuration}, url_{cascor::RedisUrl::parse(config.redis_url)} {
  if (url_.tls) {
    const auto& tls = config.tls;
    options_.secure = cascor::redis::make_tls({tls.ca_file, tls.cert_file, tls.key_file, tls.verify, tls.server_name});
  }
  options_.username = url_.username;
  std::string password = url_.password.empty() ? config.password : url_.password;
  places_.url = configuration.place("redis_url");
  places_.user = url_.username;
  if (!password.empty()) {
    const auto* const given = configuration.find("password");
    places_.password = !url_.password.empty() ? places_.url : given == nullptr ? "password" : given->origin;
    options_.password = [password = std::move(password)] { return password; };
  }
  options_.database = url_.database;
  options_.timeout = config.connection_pool.timeout;
  options_.keepalive = config.connection_pool.socket_keepalive;
}

cascor::Deadline Prober::patience() const {
  constexpr cascor::milliseconds most{3000};
  return {*cascor::SystemClock::shared(), std::min(config_.connection_pool.timeout, most)};
}

std::unique_ptr<Prober::Connection> Prober::dial(const Endpoint& endpoint, DialFacts& facts, bool sentinel) const {
  facts.peer = to_string(endpoint);
  cascor::redis::RedisOptions options = options_;
  options.endpoint = endpoint;
  if (sentinel) {
    options.database = 0;
    options.username.clear();
    options.password = nullptr;
  }
  try {
    if (endpoint.path.empty()) connect_to_each(endpoint, options.keepalive, patience(), facts);
    while (true) {
      const Stopwatch dialling;
      try {
        auto connection = std::make_unique<Connection>(options, patience());
        // What anybody may be told before AUTH tells whether it is let in.
        const Reply pong = answers_of(*connection, {{"PING"}}, patience()).front();
        if (pong.is_error() && !pong.text.starts_with("NOPERM")) {
          cascor::redis::server_error(pong.text, "Error connecting to Redis on " + facts.peer + ": ")->raise();
        }
        facts.dial_ms = dialling.milliseconds();
        facts.reached = true;
        return connection;
      } catch (const cascor::AuthenticationError&) {
        if (!sentinel || options.password || !options_.password) throw;
        options.username = options_.username;
        options.password = options_.password;
      }
    }
  } catch (const cascor::CacheError& error) {
    facts.code = error.code();
    facts.error = error.what();
    facts.hint = error.hint();
  }
  return nullptr;
}

TlsFacts Prober::tls_of(const Endpoint& endpoint) const {
  TlsFacts facts;
  if (!url_.tls || !endpoint.path.empty()) return facts;
  return probe_tls(endpoint, config_.tls, patience());
}

ServerFacts Prober::look_at(const Endpoint& endpoint) const {
  ServerFacts facts;
  auto connection = dial(endpoint, facts.dial);
  facts.tls = tls_of(endpoint);
  if (!connection) return facts;
  try {
    look_closer(*connection, endpoint, facts);
  } catch (const cascor::CacheError& error) {
    facts.dial.reached = false;
    facts.dial.code = error.code();
    facts.dial.error = error.what();
    facts.dial.hint = error.hint();
  }
  return facts;
}

void Prober::look_closer(Connection& connection, const Endpoint& endpoint, ServerFacts& facts) const {
  const std::string& peer = facts.dial.peer;
  const Reply whoami = answers_of(connection, {{"ACL", "WHOAMI"}}, patience()).front();
  facts.rights.user = !whoami.text.empty() && !whoami.is_error() ? whoami.text
                      : url_.username.empty()                    ? "default"
                                                                 : url_.username;
  facts.rights.key_namespace = config_.key_namespace;
  ask_itself(connection, facts);

  facts.round_trips.peer = peer;
  facts.round_trips.timeout_ms = std::chrono::duration<double, std::milli>(config_.connection_pool.timeout).count();
  // Apart from each other: back to back, a command that holds the server up would meet one of them only.
  constexpr int pings = 20;
  constexpr std::chrono::milliseconds apart{5};
  const cascor::Deadline enough{*cascor::SystemClock::shared(), cascor::milliseconds{1000}};
  for (int i = 0; i < pings && !enough.passed(); ++i) {
    std::this_thread::sleep_for(apart);
    const Stopwatch round_trip;
    (void)answers_of(connection, {{"PING"}}, patience());
    facts.round_trips.ping_ms.push_back(round_trip.milliseconds());
  }

  DialFacts again;
  const auto second = dial(endpoint, again);
  if (!second) {
    facts.dial = std::move(again);
    return;
  }
  try_rights(connection, *second, facts);
  try_tracking(*second, facts);
}

// INFO, TIME and the number of runs: what it tells of itself.
void Prober::ask_itself(Connection& connection, ServerFacts& facts) const {
  const std::string& peer = facts.dial.peer;
  const auto before = std::chrono::system_clock::now();
  const Reply time = answers_of(connection, {{"TIME"}}, patience()).front();
  const auto after = std::chrono::system_clock::now();
  facts.clock.peer = peer;
  if (time.elements.size() == 2) {
    const double told =
        std::strtod(time.elements[0].text.c_str(), nullptr) + std::strtod(time.elements[1].text.c_str(), nullptr) / 1e6;
    const double middle =
        Seconds{before.time_since_epoch()}.count() / 2 + Seconds{after.time_since_epoch()}.count() / 2;
    facts.clock.ahead_seconds = told - middle;
    facts.clock.within_seconds = Seconds{after - before}.count() / 2;
  }

  const auto replies = answers_of(connection, {{"INFO"}, {"ZCARD", config_.key_namespace + "runs"}}, patience());
  const InfoText info{replies[0].is_error() ? std::string{} : replies[0].text};
  facts.version = {peer,
                   info,
                   replies[0].is_error() ? replies[0].text : std::string{},
                   url_.kind == cascor::RedisUrl::Kind::cluster,
                   places_.url,
                   facts.rights.user};
  facts.persistence = {peer, info, {}};
  auto& memory = facts.memory;
  memory.peer = peer;
  memory.used = info.number("used_memory");
  memory.limit = info.number("maxmemory");
  memory.machine = info.number("total_system_memory");
  memory.policy = info.text("maxmemory_policy");
  memory.evicted = info.number("evicted_keys").value_or(0);
  memory.runs = static_cast<std::uint64_t>(std::max<std::int64_t>(replies[1].integer, 0));
  facts.clients = {peer, info.number("maxclients"), info.number("connected_clients"),
                   config_.connection_pool.max_connections, configuration_.place("connection_pool.max_connections")};
}

void Prober::try_rights(Connection& connection, Connection& second, ServerFacts& facts) const {
  const std::string& space = config_.key_namespace;
  const std::string name = "doctor-" + random_word();
  const auto attempts = rights_to_try(config_, name, url_.kind == cascor::RedisUrl::Kind::sentinel);
  Commands commands;
  for (const auto& one : attempts) commands.push_back(one.command);
  const auto replies = answers_of(connection, commands, patience());
  facts.rights.tried = true;
  const auto note = [&](const Attempt& one, const Reply& reply) {
    const bool refused = reply.is_error() && (reply.text.starts_with("NOPERM") ||
                                              reply.text.starts_with("ERR The user executing the script can't"));
    const std::string keys = one.keys.empty() ? space + '*' : one.keys;
    facts.rights.rights.push_back({refused ? refused_right(reply.text, one.right, keys, space + '*') : '+' + one.right,
                                   one.off, one.essential, !refused});
    if (!reply.is_error() || refused) return;
    if (reply.text.starts_with("OOM")) facts.memory.write_refused = reply.text;
    if (reply.text.starts_with("MISCONF") || reply.text.starts_with("NOREPLICAS"))
      facts.persistence.write_refused = reply.text;
  };
  for (std::size_t i = 0; i < attempts.size(); ++i) note(attempts[i], replies[i]);

  // A message would be heard: it is queued and thrown away. What an account may not is refused when it is queued.
  const auto queued = answers_of(connection, {{"MULTI"}, {"PUBLISH", space + name, "x"}, {"DISCARD"}}, patience());
  const bool may_queue = !queued[0].is_error();
  if (may_queue) note({"publish", {}, {}, "messages are not published", true}, queued[1]);

  // In one piece, so that no message of somebody else's comes in between.
  const auto listened =
      answers_of(second, {{"SUBSCRIBE", space + name}, {"PSUBSCRIBE", space + '*'}, {"UNSUBSCRIBE"}, {"PUNSUBSCRIBE"}},
                 patience());
  note({"subscribe", {}, {}, "subscribe, and the near cache", true}, listened[0]);
  note({"psubscribe", {}, {}, "subscribe_pattern", false}, listened[1]);
}

void Prober::try_tracking(Connection& second, ServerFacts& facts) const {
  auto& tracking = facts.tracking;
  tracking.wanted = config_.near_cache.enabled;
  tracking.user = facts.rights.user;
  tracking.place = configuration_.place("near_cache.enabled");
  tracking.key_namespace = config_.key_namespace;
  if (!tracking.wanted) return;
  using Rules = cascor::redis::TrackingRules<>;
  tracking.tried = true;
  const Reply id = answers_of(second, {{"CLIENT", "ID"}}, patience()).front();
  if (id.is_error()) {
    tracking.words = id.text;
    return;
  }
  const auto prefixes = config_.near_prefixes();
  auto replies = second.execute(Rules::start(id.integer, prefixes, Rules::channel), patience());
  if (!replies[0].is_error() && replies[1].is_error()) {  // not on Redis's own channel: on one of the namespace
    replies[1] = answers_of(second, {{"SUBSCRIBE", config_.key_namespace + "invalidate"}}, patience()).front();
  }
  for (const Reply& reply : replies) {
    if (reply.is_error() && tracking.words.empty()) tracking.words = reply.text;
  }
  tracking.granted = tracking.words.empty();
}

}  // namespace tool::doctor
