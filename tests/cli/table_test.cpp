// Tables and help of cascor-cache: columns under each other, and never wider than the terminal.
#include "table.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "help.hpp"
#include "server_info.hpp"
#include "text.hpp"

using tool::Output;
using tool::Table;
using Lines = std::vector<std::string>;

TEST_CASE("Columns stand under each other, to the left or to the right", "[cli]") {
  Table table{{"NAME", ">COUNT"}};
  table.row({{"a"}, {"1"}});
  table.row({{"längst"}, {"1,000"}});
  CHECK(table.lines(Output{}, 0) == Lines{"NAME    COUNT", "a           1", "längst  1,000"});
}

TEST_CASE("Where it is narrow, what may go goes, then the widest is cut", "[cli]") {
  Table table{{"NAME", ">COUNT", "?ERROR"}};
  table.row({{"a-rather-long-name"}, {"1"}, {"Connection refused"}});
  for (std::size_t columns = 12; columns < 60; ++columns) {
    for (const std::string& line : table.lines(Output{}, columns)) CHECK(tool::columns_of(line) <= columns);
  }
  CHECK(table.lines(Output{}, 30) == Lines{"NAME                COUNT", "a-rather-long-name      1"});
  CHECK(table.lines(Output{}, 17) == Lines{"NAME        COUNT", "a-rather-…      1"});
}

TEST_CASE("A column with nothing in it is not there", "[cli]") {
  Table table{{"NAME", "", "STATE"}};
  table.row({{"a"}, {""}, {"up"}});
  CHECK(table.lines(Output{}, 0) == Lines{"NAME  STATE", "a     up"});
}

TEST_CASE("Help fits any terminal, and is left as it is where there is none", "[cli]") {
  const std::string help =
      "Usage: cascor-cache [OPTIONS] SUBCOMMAND\n\nOptions:\n"
      "  --config FILE               Configuration; else $CASCOR_CACHE_CONFIG or conf/app_config.yaml\n"
      "  --a-rather-long-option-name SECONDS\n                              What it does\n";
  CHECK(tool::fitted_help(help, 0) == help);
  for (const std::size_t columns : {40U, 64U, 65U, 80U, 120U}) {
    std::istringstream lines{tool::fitted_help(help, columns)};
    for (std::string line; std::getline(lines, line);) CHECK(tool::columns_of(line) <= columns);
  }
  CHECK(tool::fitted_help(help, 120) == help);
}

TEST_CASE("INFO of several servers is added up", "[cli]") {
  tool::ServerInfo all{"# Memory\r\nused_memory:100\r\nmaxmemory_policy:noeviction\r\nratio:1.5\r\n"};
  CHECK(all.number("used_memory") == 100);
  CHECK(all.number("maxmemory_policy") == std::nullopt);
  CHECK(all.number("nothing") == std::nullopt);
  all.add(tool::ServerInfo{"used_memory:100\r\nmaxmemory_policy:noeviction\r\n"});
  CHECK(all.number("used_memory") == 200);
  CHECK(all.text("maxmemory_policy") == "noeviction");
  all.add(tool::ServerInfo{"used_memory:1\r\nmaxmemory_policy:allkeys-lru\r\nclients:7\r\n"});
  CHECK(all.number("used_memory") == 201);
  CHECK(all.text("maxmemory_policy") == "differs");
  CHECK(all.number("clients") == 7);
}
