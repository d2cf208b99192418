#include "configuration_probe.hpp"

#include <cascor/config/fields.hpp>
#include <cascor/core/errors.hpp>
#include <cascor/core/log.hpp>

#include "../session.hpp"

namespace tool::doctor {

std::optional<cascor::CacheConfig> probe_configuration(Session& session, ConfigurationFacts& facts) {
  // For good: what the doctor's own connections would say, its report says.
  static std::vector<std::string> complaints;
  complaints.clear();
  cascor::set_log_sink([](cascor::LogLevel level, std::string_view message) {
    if (level >= cascor::LogLevel::info) complaints.emplace_back(message);
  });
  cascor::set_log_level(cascor::LogLevel::info);
  std::optional<cascor::CacheConfig> config;
  try {
    config = session.config();
  } catch (const cascor::ConfigError& error) {
    facts.error = error.what();
    facts.hint = error.hint();
  }
  cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
  facts.complaints = complaints;
  if (!config) return config;

  cascor::CacheConfig given = *config;
  cascor::CacheConfig defaults = cascor::CacheConfig{}.checked();
  const auto default_fields = cascor::detail::Field<>::all_of(defaults);
  auto plain = default_fields.begin();
  for (const auto& field : cascor::detail::Field<>::all_of(given)) {
    const auto origin = config->origins.loaded->find(field.path);
    std::string place = origin == config->origins.loaded->end() ? "default" : origin->second.place;
    if (place == "code") place = "--url";  // nothing else changes a key here
    const bool differs = place != "default" && field.text() != plain->text();
    ++plain;
    facts.values.push_back({std::string{field.path}, field.yaml(), std::move(place), differs});
  }
  return config;
}

}  // namespace tool::doctor
