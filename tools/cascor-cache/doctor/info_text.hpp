// The text of INFO, as fields.
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tool::doctor {

/// Lines "name:value" of INFO, or of CLUSTER INFO.
class InfoText {
 public:
  InfoText() = default;
  explicit InfoText(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
      text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
      const auto colon = line.find(':');
      if (line.starts_with('#') || colon == std::string_view::npos) continue;
      fields_.insert_or_assign(std::string{line.substr(0, colon)}, std::string{line.substr(colon + 1)});
    }
  }

  bool empty() const noexcept { return fields_.empty(); }
  /// Empty: it does not say.
  std::string text(std::string_view name) const {
    const auto found = fields_.find(name);
    return found == fields_.end() ? std::string{} : found->second;
  }
  /// Nothing where it does not say, or no number.
  std::optional<std::uint64_t> number(std::string_view name) const {
    const std::string said = text(name);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(said.data(), said.data() + said.size(), value);
    if (said.empty() || error != std::errc{} || end != said.data() + said.size()) return std::nullopt;
    return value;
  }

 private:
  std::map<std::string, std::string, std::less<>> fields_;
};

}  // namespace tool::doctor
