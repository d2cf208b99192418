// YAML text to a small tree of marked nodes. yaml.ipp is the only file that includes yaml-cpp, and of it only the event
// parser: an alias stays a pointer, so what is written small cannot grow large, and no node is larger than its text.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed = void>
struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text{};                       ///< of a scalar
  std::vector<const YamlNode*> children{};  ///< of a list, its items; of a map, key, value, key, value, …
  int line = 0;                             ///< from 1
  int column = 0;                           ///< from 1

  /// "a map", "a list", "text", "nothing (null)": never the text, which may be a secret.
  std::string kind_in_words() const {
    switch (kind) {
      case Kind::null: return "nothing (null)";
      case Kind::scalar: return "text";
      case Kind::list: return "a list";
      case Kind::map: return "a map";
    }
    return "something unknown";
  }
};

/// One parsed document. Movable; the nodes live as long as it does.
template <class CascorWhenUsed = void>
class YamlDocument {
 public:
  static constexpr std::size_t max_bytes = std::size_t{1} << 20U;
  static constexpr std::size_t max_depth = 100;

  /// Throws ConfigError, `source:line:column: …`, for text that is not YAML in UTF-8, is longer than max_bytes, nested
  /// deeper than max_depth, or holds a second document. An empty text has a null root. No other exception escapes but
  /// bad_alloc.
  static YamlDocument parse(std::string_view text, const std::string& source);

  const YamlNode<CascorWhenUsed>& root() const { return *root_; }

 private:
  std::deque<YamlNode<CascorWhenUsed>> nodes_;  // a deque: nodes point at each other, so they must not move
  const YamlNode<CascorWhenUsed>* root_ = nullptr;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/yaml.ipp"
#endif
