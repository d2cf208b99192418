// Command-line options of the examples: "--name" and "--name VALUE", in any order.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// An option that cannot be used; what() tells the user.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Each option that a program asks for is taken out; what is left at the end is a mistake. Members throw UsageError.
class Arguments {
 public:
  Arguments(int argc, char** argv) : left_{argv + std::min(argc, 1), argv + argc} {}

  bool flag(std::string_view name) {
    const auto found = std::find(left_.begin(), left_.end(), name);
    if (found == left_.end()) return false;
    left_.erase(found);
    return true;
  }

  std::optional<std::string> text(std::string_view name) {
    const auto found = std::find(left_.begin(), left_.end(), name);
    if (found == left_.end()) return std::nullopt;
    if (found + 1 == left_.end()) throw UsageError{std::string{name} + " wants a value"};
    std::string value = *(found + 1);
    left_.erase(found, found + 2);
    return value;
  }

  /// A whole number from 0 to `most`.
  std::optional<unsigned> number(std::string_view name, unsigned most) {
    const auto written = text(name);
    if (!written) return std::nullopt;
    unsigned value = 0;
    const char* const end = written->data() + written->size();
    const auto [stop, problem] = std::from_chars(written->data(), end, value);
    if (problem != std::errc{} || stop != end || value > most) {
      throw UsageError{std::string{name} + " wants a whole number from 0 to " + std::to_string(most) + ", not '" +
                       *written + "'"};
    }
    return value;
  }

  void end() const {
    if (!left_.empty()) throw UsageError{"unknown option '" + left_.front() + "'"};
  }

 private:
  std::vector<std::string> left_;
};

}  // namespace examples
