// cascor-cache doctor: gathers, has the checks decide, shows what they found.
#include <CLI/App.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../commands.hpp"
#include "../exit_codes.hpp"
#include "../session.hpp"
#include "../table.hpp"
#include "../text.hpp"
#include "configuration_probe.hpp"
#include "history_probe.hpp"
#include "probe.hpp"
#include "report.hpp"
#include "topology_probe.hpp"

namespace tool {
namespace doctor {
namespace {

struct Given {
  bool all = false;  ///< every value of the configuration
};

/// What an exit code is to say of the servers.
struct Outcome {
  bool config_failed = false;
  bool away = false;
  bool refused = false;
};

void check_server(const ServerFacts& facts, const DialPlaces& places, Findings& findings) {
  const bool tls_fails = check_tls(facts.tls, facts.dial.peer, findings);
  if (facts.dial.reached || !tls_fails) check_dial(facts.dial, places, findings);
  if (!facts.dial.reached) return;
  check_version(facts.version, findings);
  check_rights(facts.rights, findings);
  check_round_trips(facts.round_trips, findings);
  check_tracking(facts.tracking, findings);
  check_memory(facts.memory, findings);
  check_clients(facts.clients, findings);
  check_clock(facts.clock, findings);
  check_persistence(facts.persistence, findings);
}

void add(const Finding& one, Findings& to) {
  switch (one.level) {
    case Level::ok: return to.ok(one.subject, one.what);
    case Level::info: return to.info(one.subject, one.what, one.cure);
    case Level::warning: return to.warning(one.subject, one.what, one.cure);
    case Level::problem: return to.problem(one.subject, one.what, one.cure);
  }
}

/// The masters of a cluster: what is well, or worth knowing, is told of the first, what is not well of each, and once
/// where all have it.
void check_each(const std::vector<ServerFacts>& servers, const DialPlaces& places, Findings& findings) {
  std::vector<Findings> each(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) check_server(servers[i], places, each[i]);
  const auto has = [](const Findings& some, const Finding& one) {
    return std::find(some.all().begin(), some.all().end(), one) != some.all().end();
  };
  const auto alike = [](const Findings& some, const Finding& one) {
    return std::any_of(some.all().begin(), some.all().end(), [&one](const Finding& other) {
      return other.level == one.level && other.subject == one.subject;
    });
  };
  Findings told;
  for (std::size_t i = 0; i < each.size(); ++i) {
    for (const Finding& one : each[i].all()) {
      if (one.level == Level::ok && i > 0) continue;
      if (has(told, one) || (one.level == Level::info && alike(told, one))) continue;
      const std::string& peer = servers[i].dial.peer;
      const bool all = std::all_of(each.begin(), each.end(), [&](const Findings& other) { return has(other, one); });
      Finding shown = one;
      if (!all && one.level != Level::ok && one.what.find(peer) == std::string::npos) shown.what += " (" + peer + ')';
      add(one, told);
      add(shown, findings);
    }
  }
}

void note(const ServerFacts& facts, Outcome& outcome) {
  if (facts.dial.reached) return;
  (facts.dial.code == cascor::ErrorCode::authentication ? outcome.refused : outcome.away) = true;
}

void examine_redis(const cascor::CacheConfig& config, const ConfigurationFacts& configuration, Findings& findings,
                   Outcome& outcome) {
  std::optional<Prober> prober;
  try {
    prober.emplace(config, configuration);
  } catch (const cascor::ConfigError& error) {  // a file of tls
    outcome.config_failed = true;
    return findings.problem("TLS", error.what(), error.hint());
  }
  using Kind = cascor::RedisUrl::Kind;
  const cascor::RedisUrl& url = prober->url();
  if (url.kind == Kind::cluster) {
    std::vector<cascor::redis::Endpoint> masters;
    const ClusterFacts facts = probe_cluster(*prober, masters);
    check_cluster(facts, prober->places(), findings);
    outcome.away = std::any_of(facts.nodes.begin(), facts.nodes.end(),
                               [](const ClusterFacts::Node& node) { return node.master && !node.dial.reached; });
    outcome.away = outcome.away || facts.asked.empty();
    std::vector<ServerFacts> servers;
    for (const auto& master : masters) note(servers.emplace_back(prober->look_at(master)), outcome);
    return check_each(servers, prober->places(), findings);
  }
  std::optional<cascor::redis::Endpoint> at;
  if (url.kind == Kind::sentinel) {
    check_sentinels(probe_sentinels(*prober, at), prober->places(), findings);
    outcome.away = !at;
    if (!at) return;
  } else if (url.kind == Kind::unix_socket) {
    at.emplace(cascor::redis::Endpoint{{}, 0, url.path});
  } else {
    at.emplace(cascor::redis::Endpoint{url.nodes.at(0).host, url.nodes.at(0).port, {}});
  }
  const ServerFacts facts = prober->look_at(*at);
  note(facts, outcome);
  check_server(facts, prober->places(), findings);
}

void show_all_values(Session& session, const ConfigurationFacts& facts) {
  Table table{{"KEY", "VALUE", "FROM"}};
  for (const auto& value : facts.values) {
    const Colour colour = value.differs ? Colour::bold : Colour::plain;
    table.row({{escaped(value.key), colour}, {escaped(value.value), colour}, {escaped(value.origin), Colour::dim}});
  }
  table.show(session.out());
  session.out().line();
}

void show(Session& session, const std::string& head, const Findings& findings) {
  constexpr std::size_t usual_columns = 80;
  constexpr std::size_t usual_rows = 24;
  constexpr std::size_t most_said = 700;  // a server may have much to say
  Output& out = session.out();
  const std::size_t columns =
      out.terminal() && out.columns() > 0 ? std::min<std::size_t>(out.columns(), 120) : usual_columns;
  const std::size_t rows = std::max(out.terminal() ? out.rows() : usual_rows, usual_rows);
  Findings safe;
  for (Finding one : findings.all()) {
    one.what = cut(escaped(one.what), most_said);
    one.cure = cut(escaped(one.cure), most_said);
    add(one, safe);
  }
  constexpr std::size_t others = 3;  // the head, the sum, and the line that is typed next
  const Report report{safe, columns, rows - others};
  out.line(cut(head, columns));
  for (const auto& line : report.lines()) {
    const Colour colour = line.level == Level::problem   ? Colour::bad
                          : line.level == Level::warning ? Colour::doubtful
                          : line.level == Level::ok      ? Colour::good
                                                         : Colour::dim;
    out.line((line.mark.empty() ? std::string{} : out.painted(colour, line.mark)) + line.text);
  }
  const std::size_t problems = findings.count(Level::problem);
  const std::size_t warnings = findings.count(Level::warning);
  out.line(problems + warnings == 0
               ? "All is well."
               : counted(problems, "problem", "problems") + ", " + counted(warnings, "warning", "warnings") + '.');
}

void show_json(Session& session, const std::string& server, const ConfigurationFacts& configuration,
               const Findings& findings) {
  cascor::json values = cascor::json::array();
  for (const auto& one : configuration.values)
    values.push_back({{"key", one.key}, {"value", json_text(one.value)}, {"origin", json_text(one.origin)}});
  cascor::json found = cascor::json::array();
  for (const Finding& one : findings.all()) {
    found.push_back({{"level", to_string(one.level)},
                     {"subject", one.subject},
                     {"what", json_text(one.what)},
                     {"cure", json_text(one.cure)}});
  }
  session.out().value({{"server", json_text(server)},
                       {"problems", findings.count(Level::problem)},
                       {"warnings", findings.count(Level::warning)},
                       {"findings", found},
                       {"configuration", values}});
}

int exit_code_for(const Outcome& outcome, const Findings& findings) {
  if (outcome.config_failed) return wrong_usage;
  if (outcome.away) return unreachable;
  if (outcome.refused) return refused;
  return findings.count(Level::problem) + findings.count(Level::warning) == 0 ? done : nothing_found;
}

int examine(Session& session, const Given& given) {
  ConfigurationFacts configuration;
  Findings findings;
  Outcome outcome;
  const auto config = probe_configuration(session, configuration);
  outcome.config_failed = !config;
  check_configuration(configuration, findings);
  std::string server = "no usable configuration";
  if (config && !config->enabled) {
    server = "switched off";
    findings.info("cache", "it is switched off by " + configuration.place("enabled") + ": every read is a miss",
                  "enabled: true");
  } else if (config) {
    const bool redis = config->type == cascor::CacheType::redis;
    server = redis ? session.server() : "memory";
    if (redis) examine_redis(*config, configuration, findings, outcome);
    check_history(probe_history(*config, configuration), findings);
  }
  if (session.out().json()) {
    show_json(session, server, configuration, findings);
  } else {
    if (given.all) show_all_values(session, configuration);
    std::string head = "cascor-cache doctor: " + escaped(server);
    if (config) head += ", namespace " + escaped(config->key_namespace);
    show(session, head, findings);
  }
  return exit_code_for(outcome, findings);
}

}  // namespace
}  // namespace doctor

void add_doctor(CLI::App& app, Session& session) {
  auto* const command = app.add_subcommand("doctor", "Looks for what is wrong, and says what cures it");
  auto given = std::make_shared<doctor::Given>();
  command->add_flag("--all", given->all, "Every value of the configuration, and where it is from");
  session.runs(command, [&session, given] { return doctor::examine(session, *given); });
}

}  // namespace tool
