// What --help prints, as narrow as the terminal.
#pragma once

#include <cstddef>
#include <string>

namespace tool {

/// CLI11's help with its descriptions broken at words: in their column where there is room for one, else on lines of
/// their own. 0 columns: as it is.
std::string fitted_help(const std::string& help, std::size_t columns);

}  // namespace tool
