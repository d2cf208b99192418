#include "server_info.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace tool {

ServerInfo::ServerInfo(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && !line.starts_with('#')) {
      fields_.emplace(line.substr(0, colon), line.substr(colon + 1));
    }
  }
}

std::string ServerInfo::text(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? std::string{} : found->second;
}

std::optional<double> ServerInfo::number(std::string_view name) const {
  const auto found = fields_.find(name);
  if (found == fields_.end()) return std::nullopt;
  double value = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto [stop, problem] = std::from_chars(found->second.data(), end, value);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return value;
}

void ServerInfo::add(const ServerInfo& other) {
  for (const auto& [name, said] : other.fields_) {
    const auto [mine, fresh] = fields_.emplace(name, said);
    if (fresh || (mine->second == said && !other.number(name))) continue;
    const auto one = number(name);
    const auto two = other.number(name);
    mine->second = one && two ? std::to_string(static_cast<std::int64_t>(*one + *two)) : "differs";
  }
}

}  // namespace tool
