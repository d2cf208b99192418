// The page's files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "http/routes.hpp"

namespace canopy {

/// Serves `folder`, "/" being its index.html, and the files of Chart.js under /vendor/, nothing else: a path's parts
/// are plain names. Read anew for each request, so that a change shows at the next look. Safe from any thread.
class Page {
 public:
  explicit Page(std::filesystem::path folder) : folder_{std::move(folder)} {}
  /// False where there is no such file.
  bool serve(const Request& request, Response& response) const;

 private:
  std::filesystem::path file_of(std::string_view path) const;

  const std::filesystem::path folder_;
};

}  // namespace canopy
