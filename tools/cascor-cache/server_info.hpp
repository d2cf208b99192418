// What INFO says, as fields.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tool {

class ServerInfo {
 public:
  ServerInfo() = default;
  explicit ServerInfo(std::string_view text);

  bool empty() const noexcept { return fields_.empty(); }
  /// Empty where there is no such field.
  std::string text(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;
  /// Adds what another server says: numbers are added up; of texts that differ is left "differs".
  void add(const ServerInfo& other);

 private:
  std::map<std::string, std::string, std::less<>> fields_;
};

}  // namespace tool
