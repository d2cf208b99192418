// Where log lines go: to a file that is replaced when it is full, and, of INFO and up, to standard error.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace canopy {

struct LogOptions {
  std::filesystem::path directory = "logs";
  std::string name = "system.log";
  std::size_t max_size_mb = 50;
  std::size_t backups = 5;
  bool file = true;
};

/// All lines of the cache and of Canopy go there from now on. A folder that cannot be written is a WARNING: then there
/// is no file.
void log_to(const LogOptions& options);
/// Writes what is not in the file yet.
void flush_log();

}  // namespace canopy
