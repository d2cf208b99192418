// cascor-cache bench: measures in rounds, shows medians and spreads.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../commands.hpp"
#include "../exit_codes.hpp"
#include "../interrupt.hpp"
#include "../progress.hpp"
#include "../session.hpp"
#include "../table.hpp"
#include "../text.hpp"
#include "redis_benchmark.hpp"
#include "rows.hpp"

namespace tool {
namespace bench {
namespace {

struct Given {
  unsigned rounds = 5;
  bool memory = false;
};

#if defined(__OPTIMIZE__)
constexpr bool optimised = true;
#else
constexpr bool optimised = false;
#endif

double load_now() {
  std::array<double, 1> load{};
  return ::getloadavg(load.data(), 1) == 1 ? load[0] : 0;
}

/// Each row once a round; false where Ctrl-C came in between.
bool measure(Session& session, std::vector<Row>& rows, unsigned rounds, const Interruptible& interruptible) {
  Progress progress{session.out(), "measuring", rounds * rows.size()};
  std::uint64_t done = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    for (Row& row : rows) {
      if (interruptible.interrupted()) return false;
      row.figures.add(row.measure());
      if (row.beside) row.beside_figures.add(row.beside());
      progress.at(++done);
    }
  }
  return true;
}

std::string spread_of(const Series& series, Unit unit) {
  return shown(series.least(), unit) + " to " + shown(series.most(), unit);
}

void show(Session& session, const std::vector<Row>& rows, const std::string& where, unsigned rounds, double load,
          const std::string& no_peer) {
  Output& out = session.out();
  out.paragraph("cascor-cache " CASCOR_CACHE_VERSION_STRING " on " +
                std::to_string(std::thread::hardware_concurrency()) + " processors, load " +
                shown(load, Unit::per_second).substr(0, 4) + "; " + where + "; median of " + std::to_string(rounds) +
                " rounds, least to most, and what stands beside it.");
  Table table{{"WHAT", ">MEDIAN", ">LEAST TO MOST", "?BESIDE IT"}};
  for (const Row& row : rows) {
    std::string beside;
    if (!row.beside_figures.empty()) beside = shown(row.beside_figures.median(), row.unit) + ' ' + row.beside_what;
    table.row({{row.what},
               {shown(row.figures.median(), row.unit), Colour::bold},
               {spread_of(row.figures, row.unit), Colour::dim},
               {beside}});
  }
  table.show(out);
  if (!no_peer.empty()) out.paragraph("redis-benchmark was not run: " + no_peer + '.');
  if (!optimised) out.paragraph("This program was compiled without optimisation: the figures say little.");
}

cascor::json json_of(const Series& series) {
  return {{"median", series.median()}, {"least", series.least()}, {"most", series.most()}};
}

void show_json(Session& session, const std::vector<Row>& rows, const std::string& where, unsigned rounds, double load,
               const std::string& no_peer) {
  cascor::json all = cascor::json::array();
  for (const Row& row : rows) {
    cascor::json one = json_of(row.figures);
    one["what"] = row.what;
    one["unit"] = to_string(row.unit);
    if (!row.beside_figures.empty()) {
      one["beside"] = json_of(row.beside_figures);
      one["beside"]["what"] = row.beside_what;
    }
    all.push_back(std::move(one));
  }
  session.out().value({{"version", CASCOR_CACHE_VERSION_STRING},
                       {"processors", std::thread::hardware_concurrency()},
                       {"load", load},
                       {"optimised", optimised},
                       {"server", json_text(where)},
                       {"rounds", rounds},
                       {"redis_benchmark", no_peer.empty() ? "used" : "not run: " + no_peer},
                       {"rows", all}});
}

int run(Session& session, const Given& given) {
  const Interruptible interruptible;
  const double load = load_now();
  const cascor::CacheConfig& config = session.config();
  const bool redis = session.on_redis() && !given.memory;
  std::string no_peer = "it needs a Redis";
  std::optional<RedisBenchmark> peer;
  std::unique_ptr<RedisRows> on_redis;
  std::vector<Row> rows = memory_rows(config.eviction);
  if (redis) {
    no_peer = peer.emplace(config).why_not();
    on_redis = std::make_unique<RedisRows>(config, *peer);
    for (Row& row : on_redis->rows()) rows.push_back(std::move(row));
  }
  const bool whole = measure(session, rows, given.rounds, interruptible);
  if (on_redis) on_redis->clean_up();
  if (!whole) return interruptible.exit_code();
  const std::string where = redis ? escaped(session.server()) : "memory";
  if (session.out().json())
    show_json(session, rows, where, given.rounds, load, no_peer);
  else
    show(session, rows, where, given.rounds, load, no_peer);
  return done;
}

}  // namespace
}  // namespace bench

void add_bench(CLI::App& app, Session& session) {
  auto* const command = app.add_subcommand("bench", "Measure this machine, and its Redis with keys of its own");
  auto given = std::make_shared<bench::Given>();
  command->add_option("--rounds", given->rounds, "How often each row is measured; 5 if left out")
      ->type_name("N")
      ->check(CLI::Range(1U, 1000U));
  command->add_flag("--memory", given->memory, "Only what needs no server");
  session.runs(command, [&session, given] { return bench::run(session, *given); });
}

}  // namespace tool
