// Where and how something is shown: for people, with colours at a terminal, or as JSON for scripts.
#pragma once

#include <cascor/codec/json.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace tool {

enum class Colour : unsigned char { plain, bold, dim, good, doubtful, bad };

/// Looks once at standard output and standard error. Colours only at a terminal that has them (TERM is not "dumb"), and
/// not where NO_COLOR is set and not empty. What a server or a user has said goes through escaped() (text.hpp) before
/// it is handed to these. For one thread.
class Output {
 public:
  Output();

  void use_json(bool on) noexcept { json_ = on; }
  bool json() const noexcept { return json_; }
  bool terminal() const noexcept { return out_terminal_; }          ///< is standard output one?
  bool error_terminal() const noexcept { return error_terminal_; }  ///< is standard error one?
  /// Columns and rows of the terminal at standard output as it is now; 0: there is none.
  std::size_t columns() const;
  std::size_t rows() const;
  /// The columns of the one at standard error.
  std::size_t error_columns() const;

  /// `text` in that colour, for standard output.
  std::string painted(Colour colour, std::string_view text) const;
  std::string painted_error(Colour colour, std::string_view text) const;

  /// A line on standard output.
  void line(std::string_view text = {});
  /// Broken at words so that it fits the terminal, later lines indented by so many columns; whole where there is none.
  void paragraph(std::string_view text, std::size_t indent = 0);
  /// A JSON value on a line of its own, in ASCII, so that no terminal takes it for something else.
  void value(const cascor::json& value);
  /// A line for the person at the terminal, on standard error; not with --json.
  void note(std::string_view text);
  /// What went wrong: on standard error, or with --json as {"error": {code, message, hint}} on standard output. Escapes
  /// the texts by itself.
  void error(std::string_view code, std::string_view what, std::string_view hint = {});
  /// Hands over what was written; false where it could not be, as on a full disk.
  bool flush();

 private:
  bool json_ = false;
  bool out_terminal_ = false;
  bool error_terminal_ = false;
  bool out_colours_ = false;
  bool error_colours_ = false;
};

}  // namespace tool
