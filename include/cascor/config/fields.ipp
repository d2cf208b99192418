#pragma once

#include <algorithm>
#include <iterator>

#include "cascor/config/cache_config.hpp"
#include "cascor/config/fields.hpp"
#include "cascor/config/redis_url.hpp"
#include "cascor/config/text.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

inline constexpr std::size_t max_path_bytes = 4'096;  // what the system takes as a path

template <class CascorWhenUsed>
std::vector<Field<CascorWhenUsed>> Field<CascorWhenUsed>::all_of(CacheConfig& c) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  constexpr milliseconds none{0};
  constexpr milliseconds instant{1};
  constexpr milliseconds hour = hours{1};
  constexpr milliseconds century = hours{24} * 36'525;
  constexpr std::size_t tebibyte = 1U << 20U;  // in MiB
  auto& prefixes = c.key_prefixes;
  auto& ttls = c.prefix_ttl;
  return {
      {"enabled", FlagValue{&c.enabled}},
      {"type", TypeValue{&c.type}},
      {"redis_url", UrlValue{&c.redis_url}},
      {"ttl_seconds", SecondsValue{&c.ttl, none, century}},
      {"max_memory_mb", CountValue{&c.max_memory_mb, 1, tebibyte}},
      {"namespace", TextValue{&c.key_namespace, 1, 256}},
      {"strict", FlagValue{&c.strict}},
      {"shutdown_timeout", SecondsValue{&c.shutdown_timeout, none, hour}},
      {"connection_pool.max_connections", CountValue{&c.connection_pool.max_connections, 1, 10'000}},
      {"connection_pool.timeout", SecondsValue{&c.connection_pool.timeout, instant, hour}},
      {"connection_pool.retry_on_timeout", FlagValue{&c.connection_pool.retry_on_timeout}},
      {"connection_pool.socket_keepalive", FlagValue{&c.connection_pool.socket_keepalive}},
      {"connection_pool.max_idle", SecondsValue{&c.connection_pool.max_idle, none, century}},
      {"connection_pool.max_lifetime", SecondsValue{&c.connection_pool.max_lifetime, none, century}},
      {"key_prefixes.metrics", TextValue{&prefixes.metrics, 1, 512}},
      {"key_prefixes.topology", TextValue{&prefixes.topology, 1, 512}},
      {"key_prefixes.session", TextValue{&prefixes.session, 1, 512}},
      {"key_prefixes.history", TextValue{&prefixes.history, 1, 512}},
      {"key_prefixes.control", TextValue{&prefixes.control, 1, 512}},
      {"prefix_ttl_seconds.metrics", SecondsValue{&ttls.metrics, none, century}},
      {"prefix_ttl_seconds.topology", SecondsValue{&ttls.topology, none, century}},
      {"prefix_ttl_seconds.session", SecondsValue{&ttls.session, none, century}},
      {"prefix_ttl_seconds.history", SecondsValue{&ttls.history, none, century}},
      {"prefix_ttl_seconds.control", SecondsValue{&ttls.control, none, century}},
      {"eviction", EvictionValue{&c.eviction}},
      {"near_cache.enabled", FlagValue{&c.near_cache.enabled}},
      {"near_cache.prefixes", PrefixNamesValue{&c.near_cache.prefixes}},
      {"near_cache.max_memory_mb", CountValue{&c.near_cache.max_memory_mb, 1, tebibyte}},
      {"fallback.enabled", FlagValue{&c.fallback.enabled}},
      {"fallback.stale_for_seconds", SecondsValue{&c.fallback.stale_for, none, century}},
      {"write_behind.enabled", FlagValue{&c.write_behind.enabled}},
      {"write_behind.max_pending", CountValue{&c.write_behind.max_pending, 1, 10'000'000}},
      {"history.directory", PathValue{&c.history.directory}},
      {"history.max_records", CountValue{&c.history.max_records, 0, 1'000'000'000}},
      {"history.fsync", FsyncValue{&c.history.fsync}},
      {"tls.ca_file", TextValue{&c.tls.ca_file, 0, max_path_bytes}},
      {"tls.cert_file", TextValue{&c.tls.cert_file, 0, max_path_bytes}},
      {"tls.key_file", TextValue{&c.tls.key_file, 0, max_path_bytes}},
      {"tls.verify", FlagValue{&c.tls.verify}},
      {"tls.server_name", TextValue{&c.tls.server_name, 0, 253}},
      {"password", SecretValue{&c.password}},
  };
}

template <class CascorWhenUsed>
std::vector<NamedPrefix<CascorWhenUsed>> NamedPrefix<CascorWhenUsed>::all_of(KeyPrefixes& prefixes) {
  return {{"metrics", "key_prefixes.metrics", &prefixes.metrics},
          {"topology", "key_prefixes.topology", &prefixes.topology},
          {"session", "key_prefixes.session", &prefixes.session},
          {"history", "key_prefixes.history", &prefixes.history},
          {"control", "key_prefixes.control", &prefixes.control}};
}

/// Stores what was parsed; false where nothing was.
template <class T>
bool take_parsed(T* target, const std::optional<T>& parsed) {
  if (parsed) *target = *parsed;
  return parsed.has_value();
}

/// Stores the choice that goes by this name; false where none does.
template <class Choice>
bool take_choice(Choice* target, std::initializer_list<Choice> choices, std::string_view name) {
  for (const Choice choice : choices) {
    if (to_string(choice) != name) continue;
    *target = choice;
    return true;
  }
  return false;
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::FlagValue::take(View text) const {
  return take_parsed(target, parse_flag(text));
}
template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::CountValue::take(View text) const {
  return take_parsed(target, parse_count(text));
}
template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::SecondsValue::take(View text) const {
  return take_parsed(target, parse_seconds(text));
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::SecondsValue::text() const {
  return seconds_text(*target);
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::SecondsValue::accepted() const {
  return "seconds from " + seconds_text(low) + " to " + seconds_text(high) + ", fractions allowed";
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::TypeValue::take(View text) const {
  return take_choice(target, {CacheType::redis, CacheType::memory}, text);
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::TypeValue::valid() const {
  return *target == CacheType::redis || *target == CacheType::memory;
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::TypeValue::text() const {
  return std::string{to_string(*target)};
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::FsyncValue::take(View text) const {
  return take_choice(target, {HistoryFsync::always, HistoryFsync::interval, HistoryFsync::never}, text);
}
template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::EvictionValue::take(View text) const {
  return take_choice(target, {Eviction::lru, Eviction::s3fifo}, text);
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::TextValue::take(View text) const {
  *target = text;
  return true;
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::TextValue::valid() const {
  return target->size() >= low && target->size() <= high && is_plain_text(*target);
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::TextValue::accepted() const {
  return "printable UTF-8 text, " + (low == 0 ? "at most " : std::to_string(low) + " to ") + std::to_string(high) +
         " bytes";
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::PathValue::take(View text) const {
  *target = text;
  return true;
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::PathValue::valid() const {
  String text = target->string();
  return TextValue{&text, 1, max_path_bytes}.valid();
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::PathValue::accepted() const {
  return TextValue{nullptr, 1, max_path_bytes}.accepted();
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::PrefixNamesValue::take(View text) const {
  const auto trimmed = [](View name) {
    const auto first = name.find_first_not_of(' ');
    if (first == View::npos) return String{};
    return String{name.substr(first, name.find_last_not_of(' ') - first + 1)};
  };
  target->clear();
  for (auto comma = text.find(','); comma != View::npos; comma = text.find(',')) {
    target->push_back(trimmed(text.substr(0, comma)));
    text.remove_prefix(comma + 1);
  }
  target->push_back(trimmed(text));
  return true;
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::PrefixNamesValue::valid() const {
  KeyPrefixes prefixes;
  const auto known = NamedPrefix<CascorWhenUsed>::all_of(prefixes);
  const auto is_known = [&](const String& name) {
    return std::any_of(known.begin(), known.end(), [&](const auto& prefix) { return prefix.name == name; });
  };
  return !target->empty() && std::all_of(target->begin(), target->end(), is_known);
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::PrefixNamesValue::text() const {
  String text;
  for (const auto& name : *target) text += (text.empty() ? "" : ", ") + name;
  return text;
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::PrefixNamesValue::accepted() const {
  return "one or more of metrics, topology, session, history, control";
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::UrlValue::take(View text) const {
  *target = text;
  return true;
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::UrlValue::problem() const {
  try {
    if (RedisUrl::parse(*target).tls && CASCOR_CACHE_TLS == 0)
      return "found " + shown_url(*target) +
             "; accepted: a URL without TLS, since this program was built without OpenSSL's headers";
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

template <class CascorWhenUsed>
bool Field<CascorWhenUsed>::SecretValue::take(View text) const {
  *target = text;
  return true;
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::variable() const {
  if (path == "password") return "REDIS_PASSWORD";  // the name that every Redis tool gives it
  String name = "CASCOR_CACHE_";
  for (const char c : path) name += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::text() const {
  return std::visit([](const auto& v) { return v.text(); }, value);
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::accepted() const {
  return std::visit([](const auto& v) { return v.accepted(); }, value);
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::yaml() const {
  if (const auto* url = std::get_if<UrlValue>(&value))
    return yaml_quoted(url->valid() ? to_string(RedisUrl::parse(*url->target)) : shown_url(*url->target));
  if (std::holds_alternative<SecretValue>(value)) return text().empty() ? "\"\"" : "\"***\"";
  if (std::holds_alternative<TextValue>(value) || std::holds_alternative<PathValue>(value)) return yaml_quoted(text());
  if (is_list()) return problem().empty() ? '[' + text() + ']' : yaml_quoted(text());
  return text();
}

/// What was found, for a message. A URL in the wrong place may still hold a password.
CASCOR_CACHE_FN std::string found_text(const Dependent<std::string, CascorWhenUsed>& text) {
  return "found " + (text.find("://") == std::string::npos ? shown(text) : shown_url(text));
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::take(const String& new_text) const {
  const bool taken = std::visit([&](const auto& v) { return v.take(new_text); }, value);
  if (taken && problem().empty()) return {};
  if (std::holds_alternative<UrlValue>(value)) return problem();
  return found_text(new_text) + "; accepted: " + accepted();  // as it was written, not as it was understood
}

template <class CascorWhenUsed>
std::string Field<CascorWhenUsed>::problem() const {
  if (const auto* url = std::get_if<UrlValue>(&value)) return url->problem();
  if (std::visit([](const auto& v) { return v.valid(); }, value)) return {};
  return found_text(text()) + "; accepted: " + accepted();
}

#if defined(CASCOR_CACHE_COMPILED)
template struct Field<>;
template struct NamedPrefix<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
