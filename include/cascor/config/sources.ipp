#pragma once

#include <algorithm>
#include <initializer_list>
#include <unordered_set>
#include <vector>

#include "cascor/config/environment.hpp"
#include "cascor/config/fields.hpp"
#include "cascor/config/sources.hpp"
#include "cascor/config/text.hpp"
#include "cascor/config/yaml.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Walks `backend.cache` along the table. It goes into no map that is not a section, so it ends whatever the aliases.
template <class CascorWhenUsed>
class YamlSettings {
 public:
  using String = Dependent<std::string, CascorWhenUsed>;
  using View = Dependent<std::string_view, CascorWhenUsed>;
  using Node = YamlNode<CascorWhenUsed>;
  using Named = Dependent<Places, CascorWhenUsed>;

  YamlSettings(Dependent<CacheConfig, CascorWhenUsed>& config, Named& places, const String& source,
               const Environment& environment)
      : fields_{Field<CascorWhenUsed>::all_of(config)}, places_{places}, source_{source}, environment_{environment} {}

  void apply(const Node& root) {
    const Node* const backend = section(root, "the file", "backend");
    const Node* const cache = backend != nullptr ? section(*backend, "backend", "cache") : nullptr;
    if (cache == nullptr || cache->kind == Node::Kind::null) tell_missing(root, backend, cache);
    if (cache != nullptr) apply_section(*cache, "");
  }

 private:
  String at(const Node& node) const {
    return source_ + ':' + std::to_string(node.line) + ':' + std::to_string(node.column);
  }

  [[noreturn]] void refuse(const Node& node, const String& problem) const {
    throw ConfigError{at(node) + ": " + problem, config_hint};
  }

  void require_map(const Node& node, const String& what) const {
    if (node.kind != Node::Kind::map) refuse(node, what + ": found " + node.kind_in_words() + "; accepted: a map");
  }

  /// The value of one key of an outer map, whose other keys are the application's. Null where there is none.
  const Node* section(const Node& map, const String& what, View name) const {
    if (map.kind == Node::Kind::null) return nullptr;
    require_map(map, what);
    const Node* found = nullptr;
    for (std::size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const auto& key = *map.children[i];
      if (key.kind != Node::Kind::scalar || key.text != name) continue;
      if (found != nullptr) refuse(key, "found the key " + shown(name) + " twice; accepted: once");
      found = map.children[i + 1];
    }
    return found;
  }

  /// The defaults may be what is wanted, so it is no warning; but who misspelt the section's name has to be told.
  void tell_missing(const Node& root, const Node* backend, const Node* cache) const {
    const Node* const meant = cache == nullptr ? probably_meant(root, backend) : left_outside(*backend);
    if (cache != nullptr && meant == nullptr) return;  // every key of it commented out
    String line = source_ +
                  (cache == nullptr ? ": found no section backend.cache" : ": found nothing in backend.cache") +
                  "; every key of it has its default, or what its variable says";
    if (meant != nullptr) {
      line += "; " + at(*meant) + ": is " + shown(meant->text) +
              (cache == nullptr ? " meant to be it?" : " meant to be in it?");
    }
    Log{}.info(line);
  }

  /// A key beside an empty section that is one of the section's: not indented deeper than it.
  const Node* left_outside(const Node& backend) const {
    const auto known = known_paths();
    for (std::size_t i = 0; i + 1 < backend.children.size(); i += 2) {
      const Node* const key = backend.children[i];
      if (key->kind == Node::Kind::scalar && std::find(known.begin(), known.end(), key->text) != known.end())
        return key;
    }
    return nullptr;
  }

  /// The key that probably was to be the section: "cach" or "Cache" under backend, "Backend", "cache" without backend.
  static const Node* probably_meant(const Node& root, const Node* backend) {
    const auto key_like = [](const Node* map, std::initializer_list<View> names) -> const Node* {
      if (map == nullptr || map->kind != Node::Kind::map) return nullptr;
      for (std::size_t i = 0; i + 1 < map->children.size(); i += 2) {
        const Node& key = *map->children[i];
        if (key.kind != Node::Kind::scalar) continue;
        for (const View name : names)
          if (may_mean(key.text, name)) return &key;
      }
      return nullptr;
    };
    if (const Node* key = key_like(backend, {"cache"})) return key;
    return backend != nullptr ? key_like(&root, {"cache", "backend.cache"})
                              : key_like(&root, {"backend", "backend.cache", "cache"});
  }

  /// `prefix` is empty or ends with a dot.
  void apply_section(const Node& map, const String& prefix) {
    if (map.kind == Node::Kind::null) return;  // every key of it commented out
    require_map(map, prefix.empty() ? "backend.cache" : prefix.substr(0, prefix.size() - 1));
    std::unordered_set<View> seen;
    for (std::size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const auto& key = *map.children[i];
      if (key.kind != Node::Kind::scalar) refuse(key, "found " + key.kind_in_words() + " as a key; accepted: text");
      if (!seen.insert(key.text).second)
        refuse(key, "found the key " + shown(prefix + key.text) + " twice; accepted: once");
      if (key.text == "<<") refuse(key, "found a merge key '<<'; accepted: the keys themselves");
      apply_key(key, *map.children[i + 1], prefix);
    }
  }

  void apply_key(const Node& key, const Node& value, const String& prefix) {
    const String path = prefix + key.text;
    // A key with a dot in it ("tls.verify: true") is not the nested key.
    const bool nested_name = key.text.find('.') != std::string::npos;
    const auto is_this = [&](const auto& field) { return field.path == path; };
    const auto field = nested_name ? fields_.end() : std::find_if(fields_.begin(), fields_.end(), is_this);
    const auto is_inside = [&](const auto& f) { return f.path.starts_with(path + '.'); };
    if (field != fields_.end())
      apply_value(*field, value, value.kind == Node::Kind::null ? key : value);
    else if (!nested_name && std::any_of(fields_.begin(), fields_.end(), is_inside))
      apply_section(value, path + '.');
    else
      Log{}.warning(at(key) + ": unknown key " + shown(path) + " under backend.cache" +
                    (nested_name ? " (nested keys are written nested)" : "") + "; the nearest known key is '" +
                    nearest_name(path, known_paths()) + "'");
  }

  /// `mark` is where an error is shown: nothing at all has no place of its own.
  void apply_value(const Field<CascorWhenUsed>& field, const Node& value, const Node& mark) {
    const String path{field.path};
    String text;
    if (value.kind == Node::Kind::scalar) {
      text = expanded(value);
    } else if (value.kind == Node::Kind::list && field.is_list()) {
      for (const auto* item : value.children) {
        if (item->kind != Node::Kind::scalar)
          refuse(*item, path + ": found " + item->kind_in_words() + "; accepted: text");
        text += (item == value.children.front() ? "" : ", ") + expanded(*item);
      }
    } else {
      refuse(mark, path + ": found " + value.kind_in_words() + "; accepted: " + field.accepted());
    }
    if (const auto problem = field.take(text); !problem.empty()) refuse(value, path + ": " + problem);
    places_[path] = at(value);
  }

  String expanded(const Node& scalar) const { return expand_variables(scalar.text, environment_, at(scalar)); }

  std::vector<String> known_paths() const {
    std::vector<String> paths;
    for (const auto& field : fields_) {
      paths.emplace_back(field.path.substr(0, field.path.find('.')));  // a section, or the key itself
      paths.emplace_back(field.path);
    }
    return paths;
  }

  std::vector<Field<CascorWhenUsed>> fields_;
  Named& places_;
  const String& source_;
  const Environment& environment_;
};

CASCOR_CACHE_DEF void apply_yaml(CacheConfig& config, Places& places, std::string_view text, const std::string& source,
                                 const Environment& environment) {
  const auto document = YamlDocument<CascorWhenUsed>::parse(text, source);
  YamlSettings<CascorWhenUsed>{config, places, source, environment}.apply(document.root());
}

CASCOR_CACHE_FN void apply_variable(const Field<CascorWhenUsed>& field,
                                    const Dependent<std::string, CascorWhenUsed>& name,
                                    const Dependent<std::string, CascorWhenUsed>& text) {
  const auto problem = field.take(text);
  if (!problem.empty()) throw ConfigError{name + ": " + std::string{field.path} + ": " + problem, config_hint};
}

CASCOR_CACHE_DEF void apply_environment(CacheConfig& config, Places& places, const Environment& given) {
  const Dependent<Environment, CascorWhenUsed>& environment = given;
  using String = Dependent<std::string, CascorWhenUsed>;
  Dependent<Places, CascorWhenUsed>& named = places;
  std::vector<String> known{"CASCOR_CACHE_CONFIG"};  // names the file: load_default() reads it
  for (const auto& field : Field<CascorWhenUsed>::all_of(config)) {
    const auto variable = known.emplace_back(field.variable());
    const auto found = environment.find(variable);
    if (found == environment.end()) continue;
    apply_variable(field, variable, found->second);
    named[String{field.path}] = variable;
  }
  constexpr Dependent<std::string_view, CascorWhenUsed> ours = "CASCOR_CACHE_";
  for (auto it = environment.lower_bound(ours); it != environment.end() && it->first.starts_with(ours); ++it)
    if (std::find(known.begin(), known.end(), it->first) == known.end())
      Log{}.warning(it->first + ": unknown environment variable; the nearest known name is " +
                    nearest_name(it->first, known, ours));
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
