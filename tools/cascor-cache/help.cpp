#include "help.hpp"

#include <sstream>

#include "text.hpp"

namespace tool {
namespace {

constexpr std::size_t description_at = 30;  // CLI11's column
constexpr std::size_t least_for_two = 65;   // columns, for names and descriptions beside each other

struct Row {
  std::string name;         // indented
  std::string description;  // empty: a line that is no row of two
};

Row row_of(const std::string& line) {
  const bool is_row = line.size() > description_at && line.starts_with("  ") && line[description_at - 1] == ' ';
  if (!is_row) return {line, {}};
  const std::size_t end = line.find_last_not_of(' ', description_at - 1);
  return {end == std::string::npos ? "" : line.substr(0, end + 1), line.substr(description_at)};
}

void add(std::string& to, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) to += line + '\n';
}

}  // namespace

std::string fitted_help(const std::string& help, std::size_t columns) {
  if (columns == 0) return help;
  std::string fitted;
  std::istringstream lines{help};
  for (std::string line; std::getline(lines, line);) {
    Row row = row_of(line);
    if (row.description.empty()) {
      add(fitted, wrapped(line, columns, 2));
    } else if (columns < least_for_two) {
      if (!row.name.empty()) add(fitted, wrapped(row.name, columns, 4));
      add(fitted, wrapped("      " + row.description, columns, 6));
    } else {
      row.name.resize(description_at, ' ');
      for (const std::string& part : wrapped(row.description, columns - description_at, 0)) {
        fitted += row.name + part + '\n';
        row.name.assign(description_at, ' ');
      }
    }
  }
  return fitted;
}

}  // namespace tool
