// The one table of configuration keys. Reading a file, reading the environment, checking, printing and the documents'
// test all walk it, so that a key, its variable and its range are said once.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cascor/core/eviction.hpp"
#include "cascor/core/history_fsync.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

struct CacheConfig;
struct KeyPrefixes;
enum class CacheType;

namespace detail {

/// A row of the table: a key of one CacheConfig.
template <class CascorWhenUsed = void>
struct Field {
  using View = Dependent<std::string_view, CascorWhenUsed>;
  using String = Dependent<std::string, CascorWhenUsed>;

  // The kinds of value. Each points into a CacheConfig and has
  //   take(text)   set the value from text; false where the text is none
  //   valid()      is the value it has in range?
  //   text()       the value as text that take() takes
  //   accepted()   what is valid, in words

  struct FlagValue {
    bool* target;
    bool take(View text) const;
    bool valid() const { return true; }
    std::string text() const { return *target ? "true" : "false"; }
    std::string accepted() const { return "true or false (also 1 0 yes no on off)"; }
  };

  struct CountValue {
    std::size_t* target;
    std::size_t low;
    std::size_t high;
    bool take(View text) const;
    bool valid() const { return *target >= low && *target <= high; }
    std::string text() const { return std::to_string(*target); }
    std::string accepted() const {
      return "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    }
  };

  struct SecondsValue {
    std::chrono::milliseconds* target;
    std::chrono::milliseconds low;
    std::chrono::milliseconds high;
    bool take(View text) const;
    bool valid() const { return *target >= low && *target <= high; }
    std::string text() const;
    std::string accepted() const;
  };

  struct TypeValue {
    CacheType* target;
    bool take(View text) const;
    bool valid() const;
    std::string text() const;
    std::string accepted() const { return "redis or memory"; }
  };

  struct EvictionValue {
    Eviction* target;
    bool take(View text) const;
    bool valid() const { return *target == Eviction::lru || *target == Eviction::s3fifo; }
    std::string text() const { return std::string{to_string(*target)}; }
    std::string accepted() const { return "lru or s3fifo"; }
  };

  struct FsyncValue {
    HistoryFsync* target;
    bool take(View text) const;
    bool valid() const { return to_string(*target) != "unknown"; }
    std::string text() const { return std::string{to_string(*target)}; }
    std::string accepted() const { return "always, interval or never"; }
  };

  struct TextValue {
    std::string* target;
    std::size_t low;  ///< bytes
    std::size_t high;
    bool take(View text) const;
    bool valid() const;
    std::string text() const { return *target; }
    std::string accepted() const;
  };

  struct PathValue {
    std::filesystem::path* target;
    bool take(View text) const;
    bool valid() const;
    std::string text() const { return target->string(); }
    std::string accepted() const;
  };

  /// Which prefixes are kept near: names of key_prefixes' fields. As text, with commas between them.
  struct PrefixNamesValue {
    std::vector<std::string>* target;
    bool take(View text) const;
    bool valid() const;
    std::string text() const;
    std::string accepted() const;
  };

  struct UrlValue {
    std::string* target;
    bool take(View text) const;
    bool valid() const { return problem().empty(); }
    std::string text() const { return *target; }
    std::string accepted() const { return "a Redis URL"; }
    std::string problem() const;  ///< what RedisUrl::parse says against it
  };

  struct SecretValue {
    std::string* target;
    bool take(View text) const;
    bool valid() const { return true; }
    std::string text() const { return *target; }
    std::string accepted() const { return "text"; }
  };

  using Value = std::variant<FlagValue, CountValue, SecondsValue, TypeValue, EvictionValue, FsyncValue, TextValue,
                             PathValue, PrefixNamesValue, UrlValue, SecretValue>;
  std::string_view path;  ///< "connection_pool.timeout"
  Value value;

  bool is_list() const { return std::holds_alternative<PrefixNamesValue>(value); }
  std::string variable() const;  ///< "CASCOR_CACHE_CONNECTION_POOL_TIMEOUT"
  std::string text() const;      ///< the value, secrets and all: for comparing only
  std::string yaml() const;      ///< the value as a YAML scalar or flow list, secrets masked
  std::string accepted() const;
  /// Sets the value from text. Empty, or what is wrong: "found 'x'; accepted: …", without a secret.
  std::string take(const String& text) const;
  /// What is wrong with the value it has; empty where nothing is.
  std::string problem() const;

  /// The table, bound to this configuration: its rows point into it. The sections' keys stand together.
  static std::vector<Field> all_of(CacheConfig& config);
};

/// One of the five key prefixes of a configuration.
template <class CascorWhenUsed = void>
struct NamedPrefix {
  std::string_view name;  ///< "metrics"
  std::string_view path;  ///< "key_prefixes.metrics"
  std::string* prefix = nullptr;

  static std::vector<NamedPrefix> all_of(KeyPrefixes& prefixes);
};

}  // namespace detail
}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/fields.ipp"
#endif
