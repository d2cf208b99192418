#include "http/page.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "http/reply.hpp"

namespace canopy {
namespace {

constexpr std::string_view vendor = "/vendor/";
constexpr const char* chart_js = "/usr/share/javascript/chart.js";  // Debian's libjs-chart.js

constexpr const char* content_security =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Letters, digits and "-_.", not beginning with a dot: neither "..", nor a hidden file, nor a byte that a file system
/// reads in a way of its own.
bool is_name(std::string_view part) {
  const auto allowed = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !part.empty() && part.front() != '.' && std::all_of(part.begin(), part.end(), allowed);
}

std::string_view type_of(const std::filesystem::path& file) {
  static const std::map<std::string, std::string_view, std::less<>> types{{".html", "text/html; charset=utf-8"},
                                                                          {".css", "text/css; charset=utf-8"},
                                                                          {".js", "text/javascript; charset=utf-8"},
                                                                          {".mjs", "text/javascript; charset=utf-8"},
                                                                          {".svg", "image/svg+xml"},
                                                                          {".png", "image/png"},
                                                                          {".ico", "image/x-icon"},
                                                                          {".json", "application/json"}};
  const auto found = types.find(file.extension().string());
  return found == types.end() ? std::string_view{} : found->second;
}

}  // namespace

bool Page::serve(const Request& request, Response& response) const {
  const std::filesystem::path file = file_of(request.path);
  const std::string_view type = type_of(file);
  std::error_code problem;
  if (type.empty() || !std::filesystem::is_regular_file(file, problem)) return false;
  std::ifstream stream{file, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{stream}, {}};
  if (!stream) return false;
  if (file.extension() == ".html") response.set_header("Content-Security-Policy", content_security);
  send_tagged(request, response, tagged(std::move(text)), type);
  return true;
}

std::filesystem::path Page::file_of(std::string_view path) const {
  if (path == "/") return folder_ / "index.html";
  std::filesystem::path file = folder_;
  if (path.starts_with(vendor)) {
    file = chart_js;
    path.remove_prefix(vendor.size() - 1);
  }
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view part = path.substr(0, path.find('/'));
    if (!is_name(part)) return {};
    file /= part;
    path.remove_prefix(part.size());
  }
  return file;
}

}  // namespace canopy
