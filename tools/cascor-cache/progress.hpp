// How far a long piece of work is, on one line of standard error, if that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "output.hpp"

namespace tool {

/// Draws at most ten times a second, and nothing for work that is done within the first fifth of one. The line is gone
/// when this is, and on Ctrl-C. For one thread.
class Progress {
 public:
  /// `total` 0: how much there is to do is not known.
  Progress(const Output& out, std::string label, std::uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// So much is done. O(1) but ten times a second.
  void at(std::uint64_t done);
  void set_total(std::uint64_t total) noexcept { total_ = total; }

 private:
  std::string bar(std::size_t columns, std::uint64_t done) const;

  const Output& out_;
  std::string label_;
  std::uint64_t total_;
  std::optional<std::uint64_t> first_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point drawn_{};
  bool shown_ = false;
};

}  // namespace tool
