#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "interrupt.hpp"
#include "text.hpp"

namespace tool {
namespace {

constexpr const char* hide_cursor = "\x1b[?25l";
constexpr const char* show_cursor = "\r\x1b[K\x1b[?25h";
constexpr TerminalState without_cursor{STDERR_FILENO, show_cursor, hide_cursor};
constexpr std::size_t widest_bar = 40;
constexpr std::size_t free_columns = 4;

}  // namespace

Progress::Progress(const Output& out, std::string label, std::uint64_t total)
    : out_{out}, label_{std::move(label)}, total_{total} {}

Progress::~Progress() {
  if (!shown_) return;
  std::fputs(show_cursor, stderr);
  terminal_to_restore(nullptr);
}

void Progress::at(std::uint64_t done) {
  using namespace std::chrono_literals;
  if (!out_.error_terminal()) return;
  if (!first_) first_ = done;
  const auto now = std::chrono::steady_clock::now();
  if (now - began_ < 200ms || now - drawn_ < 100ms) return;
  drawn_ = now;
  if (!shown_) {
    shown_ = true;
    terminal_to_restore(&without_cursor);
    std::fputs(hide_cursor, stderr);
  }
  // Some columns stay free: terminals write ^C there, which must not begin another row.
  const std::size_t columns = out_.error_columns();
  const std::string text = "\r" + bar(columns > free_columns ? columns - free_columns : 0, done) + "\x1b[K";
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

// "Exporting run-42  [######......]  50 %  1,234 of 2,468  3.2 s left", and less of it where there is less room.
std::string Progress::bar(std::size_t columns, std::uint64_t done) const {
  const double passed = std::chrono::duration<double>(drawn_ - began_).count();
  if (total_ == 0) return cut(label_ + "  " + count_text(done) + "  " + duration_text(passed), columns);
  done = std::min(done, total_);
  const double part = static_cast<double>(done) / static_cast<double>(total_);
  const std::string percent = std::to_string(static_cast<int>(part * 100)) + " %";
  std::string figures = percent;
  const std::string counts = percent + "  " + count_text(done) + " of " + count_text(total_);
  if (columns_of(counts) + 24 <= columns) figures = counts;
  // What was there at the beginning, as when something is gone on with, has taken no time.
  if (const std::uint64_t fresh = done - std::min(done, *first_); fresh * 100 > total_ - *first_) {
    const double each = passed / static_cast<double>(fresh);
    const std::string left = figures + "  " + duration_text(each * static_cast<double>(total_ - done)) + " left";
    if (columns_of(left) + 36 <= columns) figures = left;
  }
  const std::size_t rest = columns > columns_of(figures) + 2 ? columns - columns_of(figures) - 2 : 0;
  const std::string label = cut(label_, std::max<std::size_t>(rest / 2, 8));
  const std::size_t room = rest > columns_of(label) + 4 ? rest - columns_of(label) - 4 : 0;
  std::string line = label + "  ";
  if (const std::size_t cells = std::min(room, widest_bar); cells >= 4) {
    const auto full = static_cast<std::size_t>(part * static_cast<double>(cells));
    line += '[' + std::string(full, '#') + std::string(cells - full, '.') + "]  ";
  }
  return cut(line + figures, columns);
}

}  // namespace tool
