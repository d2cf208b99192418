// Keys: what is a valid one, how a short one becomes a full one, which prefix it falls under.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// The longest key a caller may give, in bytes, before its prefix.
inline constexpr std::size_t max_key_bytes = 1024;

/// The prefixes that have a TTL and statistics of their own; `other` is the rest of the namespace.
enum class Prefix : unsigned char { metrics, topology, session, history, control, other };
inline constexpr std::size_t prefix_count = 6;

/// "metrics", "topology", …, "other".
constexpr std::string_view to_string(Prefix prefix) noexcept {
  constexpr std::array<std::string_view, prefix_count> names{"metrics", "topology", "session",
                                                             "history", "control",  "other"};
  return names[static_cast<std::size_t>(prefix)];
}

/// A full key on the stack: reading a cached value builds no string. Not copyable: it is looked at through view().
class FullKey {
 public:
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the array is written before it is read
  FullKey(std::string_view prefix, std::string_view key) {
    size_ = prefix.size() + key.size();
    char* to = inline_.data();
    if (size_ > inline_.size()) {
      heap_.resize(size_);
      to = heap_.data();
    }
    if (!prefix.empty()) std::memcpy(to, prefix.data(), prefix.size());
    if (!key.empty()) std::memcpy(to + prefix.size(), key.data(), key.size());
  }
  FullKey(const FullKey&) = delete;
  FullKey& operator=(const FullKey&) = delete;
  ~FullKey() = default;

  std::string_view view() const noexcept { return {size_ > inline_.size() ? heap_.data() : inline_.data(), size_}; }

 private:
  std::size_t size_ = 0;
  std::array<char, 128> inline_;
  std::string heap_;
};

/// The names of one cache: its namespace and the prefixes under it. Immutable; safe from any thread.
class KeySpace {
 public:
  /// `prefixes` in the order of Prefix, without `other`; each lies under `key_namespace` (the configuration checked
  /// it).
  CASCOR_CACHE_FN KeySpace(std::string key_namespace, std::array<std::string, prefix_count - 1> prefixes);

  const std::string& key_namespace() const noexcept { return namespace_; }
  const std::string& text(Prefix prefix) const noexcept { return prefixes_[static_cast<std::size_t>(prefix)]; }

  /// The full key of `key` under `prefix` (`other`: under the namespace). A key that starts with it already is taken as
  /// it is. Throws DataError for an empty key or one over max_key_bytes.
  CASCOR_CACHE_FN FullKey full(Prefix prefix, std::string_view key) const;
  /// The same, for an operation that changes: throws DataError too for the library's own keys.
  CASCOR_CACHE_FN FullKey full_to_change(Prefix prefix, std::string_view key) const;

  /// The longest of the prefixes that a full key starts with, else `other`.
  CASCOR_CACHE_FN Prefix prefix_of(std::string_view full_key) const noexcept;

  /// `pattern` within the namespace: what is outside it gets the namespace in front. Throws DataError when it is empty.
  CASCOR_CACHE_FN std::string pattern(std::string_view pattern) const;

  /// Does the full key belong to what is no cache: the durable record, locks, or the tag indexes?
  CASCOR_CACHE_FN bool is_own(std::string_view full_key) const noexcept;
  /// May invalidation and clearing remove it: inside the namespace, and none of the library's own?
  bool is_cached(std::string_view full_key) const noexcept {
    return full_key.starts_with(namespace_) && !is_own(full_key);
  }

 private:
  std::string namespace_;
  std::array<std::string, prefix_count> prefixes_;  // the last one is the namespace
};

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/core/key.ipp"
#endif
