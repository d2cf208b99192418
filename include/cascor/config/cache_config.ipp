#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "cascor/config/cache_config.hpp"
#include "cascor/config/fields.hpp"
#include "cascor/config/sources.hpp"
#include "cascor/config/text.hpp"
#include "cascor/config/yaml.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

CASCOR_CACHE_FN std::string place_of(const Places& places, std::string_view path) {
  const auto found = places.find(path);
  return found == places.end() ? "default" : found->second;
}

/// Where each value comes from now: from where it was loaded, or from code if it differs from what was loaded.
CASCOR_CACHE_FN Places places_now(CacheConfig& config) {
  CacheConfig defaults;
  const auto default_fields = Field<CascorWhenUsed>::all_of(defaults);
  auto default_field = default_fields.begin();
  Places places;
  for (const auto& field : Field<CascorWhenUsed>::all_of(config)) {
    ConfigOrigins::Origin origin{default_field->text(), "default"};
    ++default_field;
    if (config.origins.loaded)
      if (const auto it = config.origins.loaded->find(field.path); it != config.origins.loaded->end())
        origin = it->second;
    const bool changed = field.text() != origin.text;
    if (changed || origin.place != "default") places[std::string{field.path}] = changed ? "code" : origin.place;
  }
  return places;
}

/// Gives values to the fields whose default depends on another field. `places` tells which were set.
CASCOR_CACHE_FN void fill_in(CacheConfig& config, const Places& places) {
  for (const auto& [name, path, prefix] : NamedPrefix<CascorWhenUsed>::all_of(config.key_prefixes))
    if (prefix->empty() || places.find(path) == places.end()) *prefix = config.key_namespace + std::string{name} + ':';
  if (config.near_cache.prefixes.empty()) config.near_cache.prefixes = {"metrics", "topology", "history"};
}

CASCOR_CACHE_FN [[noreturn]] void refuse_field(const Places& places, std::string_view path,
                                               const std::string& problem) {
  throw ConfigError{place_of(places, path) + ": " + std::string{path} + ": " + problem, config_hint};
}

/// Key prefixes: inside the namespace, apart from each other and from the library's own keys.
CASCOR_CACHE_FN void check_prefixes(CacheConfig& config, const Places& places) {
  const auto& space = config.key_namespace;
  const auto prefixes = NamedPrefix<CascorWhenUsed>::all_of(config.key_prefixes);
  for (const auto& [name, path, prefix] : prefixes) {
    if (!prefix->starts_with(space) || *prefix == space)
      refuse_field(places, path,
                   "found " + shown(*prefix) + "; accepted: text that begins with the namespace " + shown(space) +
                       " (" + place_of(places, "namespace") + ") and goes on");
    const std::string_view tail = std::string_view{*prefix}.substr(space.size());
    for (const std::string_view own : {"run:", "runs", "lock:", "tag:"})
      if (own.starts_with(tail) || (own.ends_with(':') && tail.starts_with(own)))
        refuse_field(places, path,
                     "found " + shown(*prefix) + ", which meets the library's own keys under " +
                         shown(space + std::string{own}) + "; accepted: another prefix");
    for (const auto& other : prefixes) {
      if (other.prefix == prefix) break;
      if (*other.prefix == *prefix)
        refuse_field(places, path,
                     "found " + shown(*prefix) + ", as " + std::string{other.path} + "; accepted: a prefix of its own");
    }
  }
}

/// Fills in, checks, and remembers where each value came from.
CASCOR_CACHE_FN CacheConfig settled_config(CacheConfig config, const Places& places) {
  fill_in(config, places);
  const auto fields = Field<CascorWhenUsed>::all_of(config);
  for (const auto& field : fields)
    if (const auto problem = field.problem(); !problem.empty()) refuse_field(places, field.path, problem);
  check_prefixes(config, places);
  if (config.tls.cert_file.empty() != config.tls.key_file.empty()) {
    const bool cert = config.tls.key_file.empty();
    refuse_field(
        places, cert ? "tls.cert_file" : "tls.key_file",
        std::string{"found it without "} + (cert ? "tls.key_file" : "tls.cert_file") + "; accepted: both or neither");
  }
  std::map<std::string, ConfigOrigins::Origin, std::less<>> loaded;
  for (const auto& field : fields) loaded[std::string{field.path}] = {field.text(), place_of(places, field.path)};
  config.origins.loaded = std::make_shared<const decltype(loaded)>(std::move(loaded));
  return config;
}

/// The file's text; nothing where no such file is.
CASCOR_CACHE_FN std::optional<std::string> read_config_file(const std::filesystem::path& path) {
  const auto refuse = [&](int error) {
    throw ConfigError{path.string() + ": " + std::generic_category().message(error),
                      "Give the path of a file that this process may read."};
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "rbe"), std::fclose};
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file) refuse(errno);
  std::string text(YamlDocument::max_bytes + 1, '\0');  // one more than is taken, so that too much shows
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) refuse(errno);  // a directory opens, and fails here
  return text;
}

/// Lines of a comment must not end early, whatever a file is called.
CASCOR_CACHE_FN std::string without_line_ends(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return text;
}

}  // namespace detail

CASCOR_CACHE_DEF CacheConfig CacheConfig::load(const std::filesystem::path& path, const Environment& environment) {
  const auto text = detail::read_config_file(path);
  if (!text)
    throw ConfigError{path.string() + ": no such file",
                      "Give the path of an application's configuration file, such as conf/app_config.yaml."};
  return parse(*text, path.string(), environment);
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::parse(std::string_view yaml_text, std::string_view source_name,
                                                const Environment& environment) {
  CacheConfig config;
  detail::Places places;
  detail::apply_yaml(config, places, yaml_text, std::string{source_name}, environment);
  detail::apply_environment(config, places, environment);
  return detail::settled_config(std::move(config), places);
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::load_default(const Environment& environment) {
  const auto named = environment.find("CASCOR_CACHE_CONFIG");
  if (named != environment.end() && !named->second.empty()) {
    const auto text = detail::read_config_file(named->second);
    if (!text)
      throw ConfigError{"CASCOR_CACHE_CONFIG: " + named->second + ": no such file",
                        "Correct the variable, or unset it to read conf/app_config.yaml."};
    return parse(*text, named->second, environment);
  }
  constexpr const char* usual = "conf/app_config.yaml";
  return parse(detail::read_config_file(usual).value_or(""), usual, environment);
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::checked() const {
  CacheConfig copy = *this;
  const auto places = detail::places_now(copy);
  return detail::settled_config(std::move(copy), places);
}

CASCOR_CACHE_DEF std::string CacheConfig::to_yaml() const {
  CacheConfig copy = *this;
  const auto places = detail::places_now(copy);
  detail::fill_in(copy, places);
  std::string text = "backend:\n  cache:\n";
  std::string_view open;  // the section that the last key was in
  for (const auto& field : detail::Field<CascorWhenUsed>::all_of(copy)) {
    const auto dot = field.path.find('.');
    const auto section = dot == std::string_view::npos ? std::string_view{} : field.path.substr(0, dot);
    if (section != open && !section.empty()) text.append("    ").append(section).append(":\n");
    open = section;
    text.append(section.empty() ? "    " : "      ").append(field.path.substr(dot + 1)).append(": ");
    text += field.yaml() + "  # " + detail::without_line_ends(detail::place_of(places, field.path)) + '\n';
  }
  return text;
}

CASCOR_CACHE_DEF std::vector<std::string> CacheConfig::near_prefixes() const {
  CacheConfig copy = *this;
  detail::fill_in(copy, detail::places_now(copy));
  std::vector<std::string> full;
  for (const auto& [name, path, prefix] : detail::NamedPrefix<CascorWhenUsed>::all_of(copy.key_prefixes)) {
    const auto& names = copy.near_cache.prefixes;
    if (std::find(names.begin(), names.end(), name) != names.end()) full.push_back(*prefix);
  }
  // Redis refuses to track a prefix twice, as itself or inside another.
  std::sort(full.begin(), full.end());
  std::vector<std::string> apart;
  for (auto& prefix : full)
    if (apart.empty() || !prefix.starts_with(apart.back())) apart.push_back(std::move(prefix));
  return apart;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
