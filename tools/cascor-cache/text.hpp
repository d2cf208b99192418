// Texts for a terminal: what a server says is shown, never obeyed, and the columns that it takes are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

/// `text` on one line: control characters, what turns the direction of writing, and bytes that are no UTF-8 are
/// written as \n, \t, \xNN or \uNNNN, a backslash stays. What is left cannot move a cursor.
std::string escaped(std::string_view text);
/// The same that keeps line ends, for a text of several lines.
std::string escaped_lines(std::string_view text);
/// Can it be a JSON text as it is?
bool is_utf8(std::string_view text) noexcept;
/// `text` where it is UTF-8, else escaped(text): what can stand in JSON.
std::string json_text(std::string_view text);
/// The columns that an escaped text takes; colours take none.
std::size_t columns_of(std::string_view text) noexcept;
/// An escaped text without colours, in so many columns at most: cut with a "…" at its end.
std::string cut(std::string_view text, std::size_t columns);

/// An escaped text broken at spaces into lines of so many columns, the later ones indented; a longer word stays whole.
/// 0 columns: one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns, std::size_t indent);

/// "1.2 s", "350 ms", "2 min 5 s", "3 h 12 min", "4 d 2 h".
std::string duration_text(double seconds);
/// "17 B", "1.5 KiB", "32.0 MiB".
std::string bytes_text(double bytes);
/// "1,234,567".
std::string count_text(std::uint64_t count);

}  // namespace tool
