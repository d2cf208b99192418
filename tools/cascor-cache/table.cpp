#include "table.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "text.hpp"

namespace tool {
namespace {

constexpr std::size_t gap = 2;

struct Column {
  std::string_view heading;
  bool right = false;
  bool may_go = false;
  std::size_t cell = 0;  // of each row
  std::size_t width = 0;
};

Column column_of(std::string_view heading, std::size_t cell) {
  Column column;
  for (; !heading.empty() && (heading.front() == '>' || heading.front() == '?'); heading.remove_prefix(1)) {
    (heading.front() == '>' ? column.right : column.may_go) = true;
  }
  column.heading = heading;
  column.cell = cell;
  column.width = columns_of(heading);
  return column;
}

std::size_t width_of(const std::vector<Column>& columns) {
  const std::size_t gaps = columns.empty() ? 0 : gap * (columns.size() - 1);
  return std::accumulate(columns.begin(), columns.end(), gaps,
                         [](std::size_t sum, const Column& column) { return sum + column.width; });
}

// Leaves out what may go, from the right, then narrows the widest.
void fit(std::vector<Column>& columns, std::size_t room) {
  while (width_of(columns) > room) {
    const auto last = std::find_if(columns.rbegin(), columns.rend(), [](const Column& each) { return each.may_go; });
    if (last != columns.rend()) {
      columns.erase(std::next(last).base());
      continue;
    }
    const auto widest = std::max_element(columns.begin(), columns.end(),
                                         [](const Column& a, const Column& b) { return a.width < b.width; });
    if (widest == columns.end() || widest->width <= 4) return;
    widest->width -= std::min(width_of(columns) - room, widest->width - 4);
  }
}

}  // namespace

std::vector<std::string> Table::lines(const Output& out, std::size_t columns_wide, std::size_t indent) const {
  std::vector<Column> columns;
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    columns.push_back(column_of(headings_[i], i));
    for (const auto& row : rows_) {
      if (i < row.size()) columns.back().width = std::max(columns.back().width, columns_of(row[i].text));
    }
  }
  std::erase_if(columns, [](const Column& column) { return column.width == 0; });
  if (columns_wide != 0) fit(columns, columns_wide > indent ? columns_wide - indent : 1);

  std::vector<std::string> lines;
  const auto add = [&](const auto& cell_of) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Cell cell = cell_of(columns[i]);
      const std::string text = cut(cell.text, columns[i].width);
      const std::string space(columns[i].width - std::min(columns_of(text), columns[i].width), ' ');
      if (i > 0) line.append(gap, ' ');
      if (columns[i].right) line += space;
      line += out.painted(cell.colour, text);
      if (!columns[i].right && i + 1 < columns.size()) line += space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  };
  const bool headed = std::any_of(columns.begin(), columns.end(), [](const Column& c) { return !c.heading.empty(); });
  if (headed) add([](const Column& column) { return Cell{std::string{column.heading}, Colour::dim}; });
  for (const auto& row : rows_) {
    add([&](const Column& column) { return column.cell < row.size() ? row[column.cell] : Cell{}; });
  }
  return lines;
}

void Table::show(Output& out, std::size_t indent) const {
  for (const std::string& each : lines(out, out.columns(), indent)) out.line(each);
}

}  // namespace tool
