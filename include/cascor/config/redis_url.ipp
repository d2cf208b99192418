// A URL is taken apart from the outside in: scheme, query, path, credentials, nodes. What a message quotes is chosen
// with care: in a broken URL a password can stand anywhere, so text is quoted only where it cannot be a part of one.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "cascor/config/redis_url.hpp"
#include "cascor/config/text.hpp"
#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

struct UrlScheme {
  std::string_view name;
  RedisUrl::Kind kind;
  bool tls;
};

inline constexpr UrlScheme url_schemes[] = {
    {"redis", RedisUrl::Kind::standalone, false},        {"rediss", RedisUrl::Kind::standalone, true},
    {"unix", RedisUrl::Kind::unix_socket, false},        {"redis+unix", RedisUrl::Kind::unix_socket, false},
    {"redis+sentinel", RedisUrl::Kind::sentinel, false}, {"rediss+sentinel", RedisUrl::Kind::sentinel, true},
};

inline constexpr std::string_view url_forms =
    "redis://[[username]:password@]host[:port][/database], rediss://… (TLS), unix:///path/of/socket[?db=database], "
    "redis+sentinel://host[:port],…/master[/database], redis://host:port,host:port,… (a cluster)";
inline constexpr std::string_view url_digits = "0123456789";
inline constexpr std::string_view url_host_characters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";

CASCOR_CACHE_FN bool has_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

CASCOR_CACHE_FN std::optional<std::string> percent_decoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef0123456789ABCDEF";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const auto high = i + 1 < text.size() ? hex.find(text[i + 1]) : std::string_view::npos;
    const auto low = i + 2 < text.size() ? hex.find(text[i + 2]) : std::string_view::npos;
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    result += static_cast<char>((high % 16) * 16 + low % 16);
    i += 2;
  }
  return result;
}

CASCOR_CACHE_FN std::string percent_encoded(std::string_view text, char also_plain = '-') {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == also_plain || url_host_characters.find(c) != std::string_view::npos)
      result += c;
    else
      result.append("%").append(1, hex[byte >> 4U]).append(1, hex[byte & 15U]);
  }
  return result;
}

CASCOR_CACHE_FN bool is_database_query(std::string_view query) {
  return query.starts_with("db=") && has_only(query.substr(3), url_digits);
}

// Any other scheme's name, which is shown in an error.
CASCOR_CACHE_FN bool is_scheme_name(std::string_view name) {
  return name.size() <= 20 && has_only(name, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
}

CASCOR_CACHE_DEF std::string shown_url(std::string_view text) {
  const auto scheme = text.find("://");
  const auto name = text.substr(0, scheme);
  const bool known =
      std::any_of(std::begin(url_schemes), std::end(url_schemes), [&](const UrlScheme& s) { return s.name == name; });
  if (scheme == std::string_view::npos || !known) {
    // "localhost:6379", "http://localhost": an address is shown. A word may be a secret, and so may what an '@' is in.
    const bool address = text.find(':') != std::string_view::npos || text == "localhost";
    if (!address || text.find('@') != std::string_view::npos) return text.empty() ? "''" : "'***'";
  }
  const bool begins = scheme != std::string_view::npos && (known || is_scheme_name(name));
  const auto begin = text.substr(0, begins ? scheme + 3 : 0);
  auto rest = text.substr(begin.size());
  const auto at = rest.rfind('@');
  const std::string hidden = at == std::string_view::npos ? "" : "***@";
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  // "redis://user:secret", its host forgotten: what follows a colon is shown only if it is a port.
  const auto inside = rest.starts_with('[') ? std::min(rest.find(']'), rest.size()) : 0;
  for (auto colon = rest.find(':', inside); colon != std::string_view::npos; colon = rest.find(':', colon + 1)) {
    const auto port = rest.substr(colon + 1, rest.find_first_of(",/?#", colon) - colon - 1);
    if (!has_only(port, url_digits) || port.size() > 5) return shown(std::string{begin} + hidden + "***");
  }
  const auto question = rest.find_first_of("?#");
  std::string result = std::string{begin} + hidden + std::string{rest.substr(0, question)};
  if (question != std::string_view::npos)
    result += is_database_query(rest.substr(question + 1)) ? rest.substr(question) : "?***";
  return shown(result);
}

/// One URL on its way into a RedisUrl. Each function takes its part, or throws.
template <class CascorWhenUsed>
class UrlReader {
  using View = Dependent<std::string_view, CascorWhenUsed>;
  using Url = Dependent<RedisUrl, CascorWhenUsed>;
  using Node = typename Url::Node;

 public:
  explicit UrlReader(View text) : text_{text} {}

  Url read() {
    auto rest = take_scheme();
    refuse_late_at(rest);
    if (rest.find('#') != View::npos)
      refuse("found '#'", "no fragment; a '#' in a user name, password or path is written %23");
    const auto question = rest.find('?');
    if (question != View::npos) take_query(rest.substr(question + 1));
    rest = rest.substr(0, question);

    const auto slash = rest.find('/');
    auto authority = rest.substr(0, slash);
    const auto path = slash == View::npos ? View{} : rest.substr(slash);
    const auto at = authority.rfind('@');
    if (at != View::npos) {
      take_credentials(authority.substr(0, at));
      authority.remove_prefix(at + 1);
    }
    if (url_.kind == Url::Kind::unix_socket) {
      take_socket(authority, path);
    } else {
      take_nodes(authority);
      take_path(path.empty() ? path : path.substr(1));
    }
    return std::move(url_);
  }

 private:
  [[noreturn]] void refuse(const std::string& found, View accepted) const {
    throw ConfigError{"Redis URL " + shown_url(text_) + ": " + found + "; accepted: " + std::string{accepted},
                      "Correct the URL; docs/configuration.md shows every form."};
  }

  View take_scheme() {
    const auto end = text_.find("://");
    if (end == View::npos) refuse(text_.empty() ? "found nothing" : "found no '://'", url_forms);
    const auto name = text_.substr(0, end);
    for (const auto& scheme : url_schemes) {
      if (scheme.name != name) continue;
      url_.kind = scheme.kind;
      url_.tls = scheme.tls;
      return text_.substr(end + 3);
    }
    refuse(is_scheme_name(name) ? "found the scheme " + shown(name) : "found an unknown scheme", url_forms);
  }

  /// An '@' past the authority means that a password holds what ends the authority: nothing of it may be quoted.
  void refuse_late_at(View rest) const {
    const bool unix_socket = url_.kind == Url::Kind::unix_socket;  // a path may well hold an '@'
    const auto end = rest.find_first_of(unix_socket ? "?#" : "/?#");
    if (end != View::npos && rest.find('@', end) != View::npos)
      refuse("found '@' after a '/', '?' or '#'", "these in a user name or password as %2F, %3F and %23");
  }

  void take_query(View query) {
    const auto name = query.substr(0, query.find('='));
    if (is_database_query(query))
      take_database(query.substr(3));
    else if (name == "db")
      refuse("found a 'db' that is not one whole number", "db=database, for example ?db=0");
    else
      refuse(name.size() < query.size() ? "found the parameter " + shown(name) : "found a '?' without a parameter",
             "no parameter but db=database");
    database_given_ = true;
  }

  void take_credentials(View text) {
    const auto colon = text.find(':');
    const auto username = percent_decoded(text.substr(0, colon));
    const auto password = percent_decoded(colon == View::npos ? "" : text.substr(colon + 1));
    if (!username || !password)
      refuse("found a '%' in the user name or password that two hexadecimal digits do not follow",
             "a character or its %NN; a '%' itself is written %25");
    url_.username = *username;
    url_.password = *password;
  }

  void take_socket(View authority, View path) {
    constexpr std::size_t longest = 107;  // what fits a sockaddr_un, with its end
    if (!authority.empty()) refuse("found a host", "unix:///path/of/socket, with three slashes");
    const auto decoded = percent_decoded(path);
    if (!decoded || decoded->size() < 2 || decoded->size() > longest || !is_plain_text(*decoded))
      refuse("found no path that a socket can have",
             "unix:///path/of/socket, at most 107 bytes of text without control characters; a '%' is written %25");
    url_.path = *decoded;
  }

  void take_nodes(View list) {
    const bool sentinel = url_.kind == Url::Kind::sentinel;
    if (list.empty()) refuse("found no host", url_forms);
    for (;;) {
      const auto comma = list.find(',');
      url_.nodes.push_back(node(list.substr(0, comma), sentinel ? 26379 : 6379));
      if (comma == View::npos) break;
      list.remove_prefix(comma + 1);
    }
    if (!sentinel && url_.nodes.size() > 1) url_.kind = Url::Kind::cluster;
  }

  Node node(View text, std::uint16_t default_port) const {
    Node result;
    std::size_t host_end = 0;
    if (text.starts_with('[')) {
      host_end = text.find(']');
      if (host_end == View::npos) refuse("found a '[' without its ']'", "an IPv6 address as [::1]");
      result.host = ipv6(text.substr(1, host_end - 1));
      ++host_end;
    } else {
      host_end = std::min(text.find(':'), text.size());
      const auto host = text.substr(0, host_end);
      if (host.empty()) refuse("found no host", url_forms);
      if (host.size() > 253 || !has_only(host, url_host_characters))
        refuse("found a host with a character that no host has",
               "at most 253 letters, digits, '-', '.' and '_'; an IPv6 address as [::1]");
      result.host = host;
    }
    result.port = host_end == text.size() ? default_port : port(text.substr(host_end), result.host);
    return result;
  }

  /// The address as the system's resolver takes it: `%25eth0` of the URL is its zone, `%eth0`.
  std::string ipv6(View text) const {
    const auto decoded = percent_decoded(text);
    const auto percent = decoded ? decoded->find('%') : std::string::npos;
    const bool zone_ok = percent == std::string::npos ||
                         (percent + 1 < decoded->size() && has_only(decoded->substr(percent + 1), url_host_characters));
    in6_addr address{};
    if (!decoded || !zone_ok || inet_pton(AF_INET6, decoded->substr(0, percent).c_str(), &address) != 1)
      refuse("found brackets without an IPv6 address in them", "an IPv6 address as [::1]");
    return *decoded;
  }

  std::uint16_t port(View text, const std::string& host) const {
    const auto number = text.starts_with(':') ? parse_count(text.substr(1)) : std::nullopt;
    if (number && *number >= 1 && *number <= 65535) return static_cast<std::uint16_t>(*number);
    refuse("found " + (number ? "port " + std::to_string(*number) : "something else than a port") + " after host " +
               shown(host),
           "a port from 1 to 65535; an IPv6 address as [::1]");
  }

  void take_path(View path) {
    auto database = path;
    if (url_.kind == Url::Kind::sentinel) {
      const auto slash = path.find('/');
      const auto master = percent_decoded(path.substr(0, slash));
      if (!master || master->empty() || !is_plain_text(*master))
        refuse("found no name of a master", "redis+sentinel://host[:port],…/master[/database]");
      url_.master_name = *master;
      database = slash == View::npos ? View{} : path.substr(slash + 1);
    }
    if (!database.empty()) {
      if (database_given_) refuse("found a database in the path and another after '?'", "one of the two");
      take_database(database);
    }
    if (url_.kind == Url::Kind::cluster && url_.database != 0)
      refuse("found database " + std::to_string(url_.database) + " of a cluster", "database 0: a cluster has no other");
  }

  void take_database(View text) {
    const auto number = parse_count(text);
    if (!number || *number > std::size_t{std::numeric_limits<int>::max()})
      refuse("found database " + shown(text), "a whole number from 0 to 2147483647");
    url_.database = static_cast<int>(*number);
  }

  View text_;
  Url url_;
  bool database_given_ = false;
};

}  // namespace detail

CASCOR_CACHE_DEF RedisUrl RedisUrl::parse(std::string_view text) {
  return detail::UrlReader<CascorWhenUsed>{text}.read();
}

CASCOR_CACHE_DEF std::string to_string(const RedisUrl& shown) {
  const detail::Dependent<RedisUrl, CascorWhenUsed>& url = shown;
  const bool unix_socket = url.kind == RedisUrl::Kind::unix_socket;
  const bool sentinel = url.kind == RedisUrl::Kind::sentinel;
  std::string text = unix_socket ? "unix" : url.tls ? "rediss" : "redis";
  text += sentinel ? "+sentinel://" : "://";
  if (!url.username.empty() || !url.password.empty())
    text += detail::percent_encoded(url.username) + (url.password.empty() ? "@" : ":***@");
  const std::string database = std::to_string(url.database);
  if (unix_socket) return text + detail::percent_encoded(url.path, '/') + "?db=" + database;
  for (const auto& node : url.nodes) {
    if (&node != &url.nodes.front()) text += ',';
    const bool ipv6 = node.host.find(':') != std::string::npos;
    text += ipv6 ? '[' + detail::percent_encoded(node.host, ':') + ']' : node.host;
    text += ':' + std::to_string(node.port);
  }
  if (sentinel) text += '/' + detail::percent_encoded(url.master_name);
  return text + '/' + database;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
