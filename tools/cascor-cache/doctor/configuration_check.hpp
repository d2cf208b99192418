// The configuration: where its values come from, and which of its words nobody knows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "finding.hpp"
#include "words.hpp"

namespace tool::doctor {

/// Secrets are masked in all of it.
struct ConfigurationFacts {
  struct Value {
    std::string key;       ///< "connection_pool.timeout"
    std::string value;     ///< as YAML has it
    std::string origin;    ///< "app.yaml:3:11", "CASCOR_CACHE_TYPE", "default", "--url"
    bool differs = false;  ///< from the default
  };
  std::vector<Value> values;
  std::vector<std::string> complaints;  ///< what loading it warned of
  std::string error;                    ///< why it cannot be used; empty: it can
  std::string hint;

  const Value* find(std::string_view key) const {
    for (const Value& one : values)
      if (one.key == key) return &one;
    return nullptr;
  }
  /// "redis_url (app.yaml:3:16)": for a cure.
  std::string place(std::string_view key) const {
    const Value* const one = find(key);
    return std::string{key} + (one == nullptr ? "" : " (" + one->origin + ")");
  }
};

/// "app.yaml:3:5: unknown key 'ttl' …; the nearest known key is 'ttl_seconds'" wants 'ttl_seconds' at app.yaml:3:5.
inline std::string cure_of_complaint(std::string_view complaint) {
  constexpr std::string_view key = "the nearest known key is '";
  constexpr std::string_view variable = "the nearest known name is ";
  const std::string place{complaint.substr(0, complaint.find(": "))};
  if (const auto at = complaint.find(key); at != std::string_view::npos) {
    const auto name = complaint.substr(at + key.size());
    return "at " + place + " write " + std::string{name.substr(0, name.find('\''))} + ':';
  }
  if (const auto at = complaint.find(variable); at != std::string_view::npos) {
    return "unset " + place + "; export " + std::string{complaint.substr(at + variable.size())} + "=...";
  }
  return "see docs/configuration.md, which has every key";
}

inline void check_configuration(const ConfigurationFacts& facts, Findings& findings) {
  constexpr std::string_view subject = "configuration";
  if (!facts.error.empty()) return findings.problem(subject, facts.error, facts.hint);
  for (const std::string& complaint : facts.complaints) {
    findings.warning(subject, complaint.substr(0, complaint.find("; the nearest")), cure_of_complaint(complaint));
  }
  constexpr std::size_t most_shown = 6;
  std::size_t given = 0;
  std::size_t shown = 0;
  std::string changed;
  for (const auto& value : facts.values) {
    if (value.origin != "default") ++given;
    if (!value.differs || ++shown > most_shown) continue;
    changed += (changed.empty() ? ": " : "; ") + value.key + ' ' + value.value + " (" + value.origin + ')';
  }
  std::string what =
      counted(given, "key is given", "keys are given") + ", " + std::to_string(shown) + " not as the default" + changed;
  if (shown > most_shown) what += "; and more (--all)";
  findings.ok(subject, what);
}

}  // namespace tool::doctor
