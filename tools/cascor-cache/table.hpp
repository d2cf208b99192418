// Rows whose columns stand under each other, as narrow as the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "output.hpp"

namespace tool {

/// Cells are escaped by the caller. Columns after the first whose heading begins with '>' stand to the right. Where the
/// terminal is too narrow, the rightmost columns whose heading begins with '?' are left out, and then the widest is
/// cut.
class Table {
 public:
  struct Cell {
    std::string text;
    Colour colour = Colour::plain;
  };

  explicit Table(std::vector<std::string> headings) : headings_{std::move(headings)} {}
  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const noexcept { return rows_.empty(); }
  /// Its lines, coloured as `out` says, indented by so many columns, each at most `columns` wide; 0: as wide as it
  /// is.
  std::vector<std::string> lines(const Output& out, std::size_t columns, std::size_t indent = 0) const;
  void show(Output& out, std::size_t indent = 0) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace tool
