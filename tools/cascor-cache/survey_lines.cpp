#include <algorithm>
#include <cstdio>
#include <iterator>

#include "survey.hpp"
#include "table.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::Prefix;
using Lines = std::vector<std::string>;

std::string percent(double part, double rest) {
  if (part + rest <= 0) return "–";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * part / (part + rest));
  return text;
}

Colour colour_of(cascor::HealthStatus status) {
  switch (status) {
    case cascor::HealthStatus::up: return Colour::good;
    case cascor::HealthStatus::disabled: return Colour::doubtful;
    case cascor::HealthStatus::down:
    case cascor::HealthStatus::unavailable: break;
  }
  return Colour::bad;
}

std::string ttl_text(std::chrono::milliseconds ttl) {
  return ttl.count() == 0 ? "no end" : duration_text(static_cast<double>(ttl.count()) / 1'000);
}

std::chrono::milliseconds ttl_of(const cascor::CacheConfig& config, Prefix prefix) {
  switch (prefix) {
    case Prefix::metrics: return config.prefix_ttl.metrics;
    case Prefix::topology: return config.prefix_ttl.topology;
    case Prefix::session: return config.prefix_ttl.session;
    case Prefix::history: return config.prefix_ttl.history;
    case Prefix::control: return config.prefix_ttl.control;
    case Prefix::other: break;
  }
  return config.ttl;
}

// Lines one by one, each within the columns.
class Page {
 public:
  Page(const Output& out, std::size_t columns) : out_{out}, columns_{columns} {}
  void text(std::string_view escaped, Colour colour = Colour::plain) {
    for (const std::string& line : wrapped(escaped, columns_, 2)) {
      lines_.push_back(out_.painted(colour, columns_ == 0 ? line : cut(line, columns_)));
    }
  }
  void table(const Table& table) {
    auto more = table.lines(out_, columns_);
    std::move(more.begin(), more.end(), std::back_inserter(lines_));
  }
  void gap() { lines_.emplace_back(); }
  Lines take() { return std::move(lines_); }

 private:
  const Output& out_;
  std::size_t columns_;
  Lines lines_;
};

void add_health(Page& page, Session& session, const cascor::Health& health) {
  const auto& details = health.details;
  page.text(escaped(session.server()) + "  " + std::string{to_string(health.status)}, colour_of(health.status));
  if (health.status != cascor::HealthStatus::up) return page.text(escaped(health.message));
  std::string server = "Redis " + escaped(details.version.value_or("of an unknown version"));
  if (details.uptime_seconds) server += ", up " + duration_text(static_cast<double>(*details.uptime_seconds));
  if (details.last_ping_ms) server += ", ping " + duration_text(*details.last_ping_ms / 1'000);
  page.text(server);
  if (details.info_error) page.text("It tells no more: " + escaped(*details.info_error), Colour::doubtful);
}

void add_keys(Page& page, Session& session, const Survey& survey) {
  if (!survey.keys) return;
  page.gap();
  Table table{{escaped(session.config().key_namespace), ">KEYS", ">?TTL"}};
  for (std::size_t p = 0; p < cascor::prefix_count; ++p) {
    const auto prefix = static_cast<Prefix>(p);
    table.row({{std::string{to_string(prefix)}},
               {count_text(survey.keys->by_prefix[p])},
               {ttl_text(ttl_of(session.config(), prefix))}});
  }
  table.row({{"all", Colour::bold}, {count_text(survey.keys->total) + (survey.keys->more ? "+" : ""), Colour::bold}});
  if (survey.runs) table.row({{"runs"}, {count_text(*survey.runs)}, {"no end"}});
  page.table(table);
}

std::string count_of(const ServerInfo& info, const char* name) {
  const auto value = info.number(name);
  return value && *value >= 0 ? count_text(static_cast<std::uint64_t>(*value)) : "?";
}

void add_nodes(Page& page, const Survey& survey) {
  const auto& nodes = survey.health.details.nodes;
  if (nodes.empty()) return;
  page.gap();
  const bool told = !survey.nodes.empty();
  Table table{{"NODE", "ROLE", "STATE", told ? ">?MEMORY" : "", told ? ">?COMMANDS/S" : "", "?LAST ERROR"}};
  for (const auto& node : nodes) {
    const auto info = survey.nodes.find(node.address);
    const bool known = info != survey.nodes.end();
    const Colour colour = node.state == "up" ? Colour::good : node.state == "down" ? Colour::bad : Colour::doubtful;
    table.row({{escaped(node.address)},
               {escaped(node.role)},
               {escaped(node.state), colour},
               {known ? bytes_text(info->second.number("used_memory").value_or(0)) : ""},
               {known ? count_of(info->second, "instantaneous_ops_per_sec") : ""},
               {escaped(node.last_error)}});
  }
  page.table(table);
}

std::string memory_of(const ServerInfo& info) {
  const double most = info.number("maxmemory").value_or(0);
  return bytes_text(info.number("used_memory").value_or(0)) + (most > 0 ? " of " + bytes_text(most) : ", no bound");
}

// Counters of the server, of all of its clients; with an earlier look also since then.
void add_server(Page& page, const Survey& survey, const Survey* before) {
  const ServerInfo& info = survey.info;
  if (info.empty()) return;
  page.gap();
  page.text(
      survey.nodes.empty() ? "The server, for all of its clients" : "The masters together, for all of their clients",
      Colour::dim);
  Table table{{"", ""}};
  table.row({{"memory"}, {memory_of(info)}});
  table.row({{"when full"}, {escaped(info.text("maxmemory_policy"))}});
  table.row(
      {{"clients"}, {count_of(info, "connected_clients") + ", " + count_of(info, "blocked_clients") + " blocked"}});
  table.row({{"tracking"}, {count_of(info, "tracking_clients")}});
  table.row({{"commands/s"}, {count_of(info, "instantaneous_ops_per_sec")}});
  const double hits = info.number("keyspace_hits").value_or(0);
  const double misses = info.number("keyspace_misses").value_or(0);
  table.row({{"hit rate"}, {percent(hits, misses)}});
  if (before != nullptr && !before->info.empty()) {
    table.row({{"hit rate now"},
               {percent(hits - before->info.number("keyspace_hits").value_or(0),
                        misses - before->info.number("keyspace_misses").value_or(0))}});
  }
  table.row({{"evicted"}, {count_of(info, "evicted_keys")}});
  table.row({{"expired"}, {count_of(info, "expired_keys")}});
  page.table(table);
}

}  // namespace

Lines survey_lines(Session& session, const Survey& survey, const Survey* before, std::size_t columns) {
  Page page{session.out(), columns};
  add_health(page, session, survey.health);
  add_keys(page, session, survey);
  add_nodes(page, survey);
  add_server(page, survey, before);
  for (const std::string& problem : survey.problems) page.text(escaped(problem), Colour::doubtful);
  return page.take();
}

}  // namespace tool
