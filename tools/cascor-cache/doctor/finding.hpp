// What the doctor found: how bad it is, what it is about, what was seen, and what cures it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tool::doctor {

enum class Level : unsigned char { ok, info, warning, problem };

constexpr std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::ok: return "ok";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::problem: break;
  }
  return "problem";
}

struct Finding {
  Level level = Level::ok;
  std::string subject;  ///< "memory"
  std::string what;
  std::string cure;  ///< a command or a line of a configuration file; empty where nothing is to be cured
  bool operator==(const Finding&) const = default;
};

/// What all checks found, in their order.
class Findings {
 public:
  void ok(std::string_view subject, std::string what) { add(Level::ok, subject, std::move(what), {}); }
  void info(std::string_view subject, std::string what, std::string cure = {}) {
    add(Level::info, subject, std::move(what), std::move(cure));
  }
  void warning(std::string_view subject, std::string what, std::string cure) {
    add(Level::warning, subject, std::move(what), std::move(cure));
  }
  void problem(std::string_view subject, std::string what, std::string cure) {
    add(Level::problem, subject, std::move(what), std::move(cure));
  }

  std::size_t count(Level level) const {
    const auto is = [level](const Finding& one) { return one.level == level; };
    return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), is));
  }
  const std::vector<Finding>& all() const noexcept { return all_; }

 private:
  void add(Level level, std::string_view subject, std::string what, std::string cure) {
    all_.push_back({level, std::string{subject}, std::move(what), std::move(cure)});
  }

  std::vector<Finding> all_;
};

}  // namespace tool::doctor
