#include "output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "text.hpp"

namespace tool {
namespace {

bool wants_colours() {
  const char* const none = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  return (none == nullptr || *none == '\0') && term != nullptr && *term != '\0' && std::string_view{term} != "dumb";
}

winsize size_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

// A terminal that does not know its size, as a serial line, has the usual one.
std::size_t or_usual(unsigned short given, std::size_t usual) { return given == 0 ? usual : given; }

std::string coloured(bool on, Colour colour, std::string_view text) {
  const char* code = nullptr;
  switch (colour) {
    case Colour::plain: break;
    case Colour::bold: code = "\x1b[1m"; break;
    case Colour::dim: code = "\x1b[2m"; break;
    case Colour::good: code = "\x1b[32m"; break;
    case Colour::doubtful: code = "\x1b[33m"; break;
    case Colour::bad: code = "\x1b[31m"; break;
  }
  if (!on || code == nullptr || text.empty()) return std::string{text};
  return std::string{code}.append(text).append("\x1b[0m");
}

void write_line(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fputc('\n', to);
}

}  // namespace

Output::Output()
    : out_terminal_{::isatty(STDOUT_FILENO) != 0},
      error_terminal_{::isatty(STDERR_FILENO) != 0},
      out_colours_{out_terminal_ && wants_colours()},
      error_colours_{error_terminal_ && wants_colours()} {}

std::size_t Output::columns() const { return out_terminal_ ? or_usual(size_of(STDOUT_FILENO).ws_col, 80) : 0; }
std::size_t Output::rows() const { return out_terminal_ ? or_usual(size_of(STDOUT_FILENO).ws_row, 24) : 0; }
std::size_t Output::error_columns() const { return error_terminal_ ? or_usual(size_of(STDERR_FILENO).ws_col, 80) : 0; }

std::string Output::painted(Colour colour, std::string_view text) const { return coloured(out_colours_, colour, text); }
std::string Output::painted_error(Colour colour, std::string_view text) const {
  return coloured(error_colours_, colour, text);
}

void Output::line(std::string_view text) { write_line(stdout, text); }

void Output::paragraph(std::string_view text, std::size_t indent) {
  for (const std::string& each : wrapped(text, columns(), indent)) line(each);
}

void Output::value(const cascor::json& value) {
  line(value.dump(-1, ' ', true, cascor::json::error_handler_t::replace));
}

void Output::note(std::string_view text) {
  if (json_) return;
  std::fflush(stdout);
  for (const std::string& each : wrapped(text, error_columns(), 2)) write_line(stderr, each);
}

void Output::error(std::string_view code, std::string_view what, std::string_view hint) {
  if (json_) {
    value({{"error", {{"code", code}, {"message", json_text(what)}, {"hint", json_text(hint)}}}});
    return;
  }
  std::fflush(stdout);
  const std::string text = "cascor-cache: " + escaped(what);
  for (const std::string& each : wrapped(text, error_columns(), 2)) {
    write_line(stderr, painted_error(Colour::bad, each));
  }
  if (hint.empty()) return;
  for (const std::string& each : wrapped("  " + escaped(hint), error_columns(), 2)) write_line(stderr, each);
}

bool Output::flush() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

}  // namespace tool
