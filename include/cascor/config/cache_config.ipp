#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "cascor/config/cache_config.hpp"
#include "cascor/config/environment.hpp"
#include "cascor/config/fields.hpp"
#include "cascor/config/sources.hpp"
#include "cascor/config/text.hpp"
#include "cascor/config/yaml.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

/// The steps from what was read to a configuration that is filled in and checked.
template <class CascorWhenUsed>
struct ConfigSteps {
  using Config = Dependent<CacheConfig, CascorWhenUsed>;
  using Named = Dependent<Places, CascorWhenUsed>;
  using Origin = Dependent<ConfigOrigins::Origin, CascorWhenUsed>;
  using Path = Dependent<std::filesystem::path, CascorWhenUsed>;
  using String = Dependent<std::string, CascorWhenUsed>;
  using View = Dependent<std::string_view, CascorWhenUsed>;

  static String place_of(const Named& places, View path) {
    const auto found = places.find(path);
    return found == places.end() ? "default" : found->second;
  }

  /// Where each value comes from now: from where it was loaded, or from code if it differs from what was loaded.
  static Named places_now(Config& config) {
    Config defaults;
    const auto default_fields = Field<CascorWhenUsed>::all_of(defaults);
    auto default_field = default_fields.begin();
    Named places;
    for (const auto& field : Field<CascorWhenUsed>::all_of(config)) {
      Origin origin{default_field->text(), "default"};
      ++default_field;
      if (config.origins.loaded)
        if (const auto it = config.origins.loaded->find(field.path); it != config.origins.loaded->end())
          origin = it->second;
      const bool changed = field.text() != origin.text;
      if (changed || origin.place != "default") places[String{field.path}] = changed ? "code" : origin.place;
    }
    return places;
  }

  /// Gives values to the fields whose default depends on another field. `places` tells which were set.
  static void fill_in(Config& config, const Named& places) {
    for (const auto& [name, path, prefix] : NamedPrefix<CascorWhenUsed>::all_of(config.key_prefixes))
      if (prefix->empty() || places.find(path) == places.end()) *prefix = config.key_namespace + String{name} + ':';
    if (config.near_cache.prefixes.empty()) config.near_cache.prefixes = {"metrics", "topology", "history"};
  }

  [[noreturn]] static void refuse_field(const Named& places, View path, const String& problem) {
    throw ConfigError{place_of(places, path) + ": " + String{path} + ": " + problem, config_hint};
  }

  /// Key prefixes: inside the namespace, apart from each other and from the library's own keys.
  static void check_prefixes(Config& config, const Named& places) {
    const auto& space = config.key_namespace;
    const auto prefixes = NamedPrefix<CascorWhenUsed>::all_of(config.key_prefixes);
    for (const auto& [name, path, prefix] : prefixes) {
      if (!prefix->starts_with(space) || *prefix == space)
        refuse_field(places, path,
                     "found " + shown(*prefix) + "; accepted: text that begins with the namespace " + shown(space) +
                         " (" + place_of(places, "namespace") + ") and goes on");
      const View tail = View{*prefix}.substr(space.size());
      for (const View own : {"run:", "runs", "lock:", "tag:"})
        if (own.starts_with(tail) || (own.ends_with(':') && tail.starts_with(own)))
          refuse_field(places, path,
                       "found " + shown(*prefix) + ", which meets the library's own keys under " +
                           shown(space + String{own}) + "; accepted: another prefix");
      for (const auto& other : prefixes) {
        if (other.prefix == prefix) break;
        if (*other.prefix == *prefix)
          refuse_field(places, path,
                       "found " + shown(*prefix) + ", as " + String{other.path} + "; accepted: a prefix of its own");
      }
    }
  }

  /// Fills in, checks, and remembers where each value came from.
  static Config settled_config(Config config, const Named& places) {
    fill_in(config, places);
    const auto fields = Field<CascorWhenUsed>::all_of(config);
    for (const auto& field : fields)
      if (const auto problem = field.problem(); !problem.empty()) refuse_field(places, field.path, problem);
    check_prefixes(config, places);
    if (config.tls.cert_file.empty() != config.tls.key_file.empty()) {
      const bool cert = config.tls.key_file.empty();
      refuse_field(
          places, cert ? "tls.cert_file" : "tls.key_file",
          String{"found it without "} + (cert ? "tls.key_file" : "tls.cert_file") + "; accepted: both or neither");
    }
    std::map<String, Origin, std::less<>> loaded;
    for (const auto& field : fields) loaded[String{field.path}] = {field.text(), place_of(places, field.path)};
    config.origins.loaded = std::make_shared<const decltype(loaded)>(std::move(loaded));
    return config;
  }

  /// The file's text; nothing where no such file is.
  static std::optional<String> read_config_file(const Path& path) {
    const auto refuse = [&](int error) {
      throw ConfigError{path.string() + ": " + std::generic_category().message(error),
                        "Give the path of a file that this process may read."};
    };
    const std::unique_ptr<Dependent<std::FILE, CascorWhenUsed>, int (*)(std::FILE*)> file{
        std::fopen(path.c_str(), "rbe"), std::fclose};
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
    if (!file) refuse(errno);
    String text(YamlDocument<CascorWhenUsed>::max_bytes + 1, '\0');  // one more than is taken, so that too much shows
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()) != 0) refuse(errno);  // a directory opens, and fails here
    return text;
  }

  /// Lines of a comment must not end early, whatever a file is called.
  static String without_line_ends(String text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
    return text;
  }
};

}  // namespace detail

CASCOR_CACHE_DEF CacheConfig CacheConfig::load(const std::filesystem::path& path, const Environment& environment) {
  using Steps = detail::ConfigSteps<CascorWhenUsed>;
  const typename Steps::Path& file = path;
  const auto text = Steps::read_config_file(file);
  if (!text)
    throw ConfigError{file.string() + ": no such file",
                      "Give the path of an application's configuration file, such as conf/app_config.yaml."};
  return parse(*text, file.string(), environment);
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::parse(std::string_view yaml_text, std::string_view source_name,
                                                const Environment& environment) {
  using Steps = detail::ConfigSteps<CascorWhenUsed>;
  typename Steps::Config config;
  typename Steps::Named places;
  detail::apply_yaml(config, places, yaml_text, typename Steps::String{source_name}, environment);
  detail::apply_environment(config, places, environment);
  return Steps::settled_config(std::move(config), places);
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::load_default(const Environment& environment) {
  using Steps = detail::ConfigSteps<CascorWhenUsed>;
  const detail::Dependent<Environment, CascorWhenUsed>& variables = environment;
  const auto named = variables.find("CASCOR_CACHE_CONFIG");
  if (named != variables.end() && !named->second.empty()) {
    const auto text = Steps::read_config_file(named->second);
    if (!text)
      throw ConfigError{"CASCOR_CACHE_CONFIG: " + named->second + ": no such file",
                        "Correct the variable, or unset it to read conf/app_config.yaml."};
    return parse(*text, named->second, environment);
  }
  constexpr const char* usual = "conf/app_config.yaml";
  if (const auto text = Steps::read_config_file(usual)) return parse(*text, usual, environment);
  typename Steps::Config config;
  typename Steps::Named places;
  detail::apply_environment(config, places, environment);
  return Steps::settled_config(std::move(config), places);
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::load(const std::filesystem::path& path) {
  return load(path, detail::environment_now<CascorWhenUsed>());
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::parse(std::string_view yaml_text, std::string_view source_name) {
  return parse(yaml_text, source_name, detail::environment_now<CascorWhenUsed>());
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::load_default() {
  return load_default(detail::environment_now<CascorWhenUsed>());
}

CASCOR_CACHE_DEF CacheConfig CacheConfig::checked() const {
  using Steps = detail::ConfigSteps<CascorWhenUsed>;
  typename Steps::Config copy = *this;
  const auto places = Steps::places_now(copy);
  return Steps::settled_config(std::move(copy), places);
}

CASCOR_CACHE_DEF std::string CacheConfig::to_yaml() const {
  using Steps = detail::ConfigSteps<CascorWhenUsed>;
  typename Steps::Config copy = *this;
  const auto places = Steps::places_now(copy);
  Steps::fill_in(copy, places);
  typename Steps::String text = "backend:\n  cache:\n";
  typename Steps::View open;  // the section that the last key was in
  for (const auto& field : detail::Field<CascorWhenUsed>::all_of(copy)) {
    const auto dot = field.path.find('.');
    const auto section = dot == std::string_view::npos ? typename Steps::View{} : field.path.substr(0, dot);
    if (section != open && !section.empty()) text.append("    ").append(section).append(":\n");
    open = section;
    text.append(section.empty() ? "    " : "      ").append(field.path.substr(dot + 1)).append(": ");
    text += field.yaml() + "  # " + Steps::without_line_ends(Steps::place_of(places, field.path)) + '\n';
  }
  return text;
}

CASCOR_CACHE_DEF std::vector<std::string> CacheConfig::near_prefixes() const {
  using Steps = detail::ConfigSteps<CascorWhenUsed>;
  typename Steps::Config copy = *this;
  Steps::fill_in(copy, Steps::places_now(copy));
  std::vector<typename Steps::String> full;
  for (const auto& [name, path, prefix] : detail::NamedPrefix<CascorWhenUsed>::all_of(copy.key_prefixes)) {
    const auto& names = copy.near_cache.prefixes;
    if (std::find(names.begin(), names.end(), name) != names.end()) full.push_back(*prefix);
  }
  // Redis refuses to track a prefix twice, as itself or inside another.
  std::sort(full.begin(), full.end());
  std::vector<typename Steps::String> apart;
  for (auto& prefix : full)
    if (apart.empty() || !prefix.starts_with(apart.back())) apart.push_back(std::move(prefix));
  return apart;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
