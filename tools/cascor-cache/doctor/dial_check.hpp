// Reaching a server: its name, each of its addresses, and being let in.
#pragma once

#include <cascor/core/errors.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"
#include "server_command.hpp"
#include "words.hpp"

namespace tool::doctor {

struct DialFacts {
  struct Address {
    std::string text;       ///< "127.0.0.1:6379"
    double connect_ms = 0;  ///< where it could be connected to
    std::string error;      ///< or why not
  };
  std::string peer;  ///< "redis.internal:6379", or a socket's path
  std::vector<Address> addresses;
  double resolve_ms = 0;
  bool reached = false;  ///< connected to, introduced, and answered
  double dial_ms = 0;
  cascor::ErrorCode code = cascor::ErrorCode::connection;
  std::string error;  ///< as the library says it, without a secret
  std::string hint;
};

/// What the cures name.
struct DialPlaces {
  std::string url;  ///< "redis_url (app.yaml:3:16)"
  std::string
      password;      ///< where the password is from: "REDIS_PASSWORD", "redis_url (app.yaml:3:16)"; empty: none given
  std::string user;  ///< the account's name; empty: the default one
};

/// The cure of what dialling `peer` said.
inline std::string cure_of_dial(const DialFacts& facts, const DialPlaces& places) {
  const std::string& error = facts.error;
  const auto says = [&error](std::string_view words) { return error.find(words) != std::string::npos; };
  const bool path = facts.peer.starts_with('/');
  if (says("Connection refused")) {
    return "systemctl start redis-server on that machine (" + command_for(facts.peer) +
           " ping tells when it answers), or correct " + places.url;
  }
  if (path && says("Permission denied")) return "unixsocketperm 770 in redis.conf, and this user in the server's group";
  if (path && says("No such file")) return "unixsocket " + facts.peer + " in redis.conf, or correct " + places.url;
  if (says("Name or service not known") || says("No address") || says("Temporary failure in name")) {
    const std::string host = facts.peer.substr(0, facts.peer.rfind(':'));
    return "getent hosts " + host + " shows what this machine knows; correct " + places.url;
  }
  if (says("not Redis's protocol") || says("of a kind that the command does not have") || says("answered than asked")) {
    return "another program listens there: correct host and port in " + places.url + ", or dial rediss:// if it is a " +
           "tls-port";
  }
  if (says("max number of clients")) {
    return "raise maxclients in redis.conf, or lower connection_pool.max_connections where many processes share it";
  }
  if (says("NOAUTH") ||
      (facts.code == cascor::ErrorCode::authentication && places.password.empty() && !says("NOPERM"))) {
    return "export REDIS_PASSWORD=... with the server's password (requirepass, or the account's in its aclfile)";
  }
  if (says("WRONGPASS") || says("invalid password")) {
    return "correct the password, which is from " + places.password + "; on the server: redis-cli ACL LIST" +
           (places.user.empty() ? "" : ", ACL SETUSER " + places.user + " on >PASSWORD");
  }
  if (says("ERR AUTH") || says("Client sent AUTH")) {
    return "take the password away from " + places.password + ", or set requirepass on the server";
  }
  if (says("DENIED")) return "requirepass, or bind with the interface that is meant, in redis.conf";
  if (says("timed out") || says("Timeout")) {
    return "see whether it hangs or a firewall drops packets: " + command_for(facts.peer) + " ping; " + facts.hint;
  }
  return facts.hint;
}

inline void check_dial(const DialFacts& facts, const DialPlaces& places, Findings& findings) {
  constexpr std::string_view subject = "dial";
  if (!facts.reached) {
    std::string what = facts.error;
    // One that was connected to, and then did not answer.
    for (const auto& address : facts.addresses) {
      if (!address.error.empty() || facts.addresses.size() == 1) continue;
      what += "; " + address.text + " can be connected to";
    }
    return findings.problem(subject, what, cure_of_dial(facts, places));
  }
  std::string what = facts.peer + " lets in within " + milliseconds_text(facts.dial_ms);
  std::string bad;
  for (const auto& address : facts.addresses) {
    if (address.error.empty()) {
      what += address.text == facts.peer ? ", connects" : ", " + address.text + " connects";
      what += " within " + milliseconds_text(address.connect_ms);
      break;  // those behind it are not tried
    }
    bad += (bad.empty() ? "" : ", ") + address.text + ": " + address.error;
  }
  if (facts.resolve_ms >= 100) {
    findings.warning(subject, "looking up the name of " + facts.peer + " took " + milliseconds_text(facts.resolve_ms),
                     "see to the name server (resolvectl status), or give an address in " + places.url);
  }
  if (!bad.empty()) {
    findings.warning(subject, "addresses that are tried in vain at each dial: " + bad,
                     "take them out of the name's records, or give the address that answers in " + places.url);
  }
  findings.ok(subject, what);
}

}  // namespace tool::doctor
