// Every key, by file and by variable: its value, its range, and what is said of a value that it does not take.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "cascor/config/fields.hpp"
#include "cascor/config/text.hpp"
#include "config_support.hpp"

using namespace std::chrono_literals;
using cascor::CacheConfig;
using cascor::CacheType;
using cascor::Eviction;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

struct Key {
  std::string path;
  std::string variable;
  std::string good;                               // other than the default
  std::function<bool(const CacheConfig&)> holds;  // the good value
  std::vector<std::string> bad;
  std::string accepted;  // what an error says
};

const std::vector<std::string> no_flags{"", "maybe", "2", " true"};
const std::vector<std::string> no_seconds{"", "soon", "12x", "-1", "-0.0001", "nan", "inf", "1e3", "3155760001"};
const std::vector<std::string> no_text{"a\nb", "a\x7f"};

std::string too_long(std::size_t most) { return "cascor:" + std::string(most - 6, 'x'); }

const std::vector<Key>& keys() {
  const std::string flag = "true or false (also 1 0 yes no on off)";
  const std::string ttl = "seconds from 0 to 3155760000, fractions allowed";
  static const std::vector<Key> all{
      {"enabled", "CASCOR_CACHE_ENABLED", "no", [](auto& c) { return !c.enabled; }, no_flags, flag},
      {"type",
       "CASCOR_CACHE_TYPE",
       "memory",
       [](auto& c) { return c.type == CacheType::memory; },
       {"", "memcached", "Redis"},
       "redis or memory"},
      {"redis_url",
       "CASCOR_CACHE_REDIS_URL",
       "redis://h:1/2",
       [](auto& c) { return c.redis_url == "redis://h:1/2"; },
       {"", "http://x", "redis://"},
       "redis://"},
      {"ttl_seconds", "CASCOR_CACHE_TTL_SECONDS", "0.5", [](auto& c) { return c.ttl == 500ms; }, no_seconds, ttl},
      {"max_memory_mb",
       "CASCOR_CACHE_MAX_MEMORY_MB",
       "7",
       [](auto& c) { return c.max_memory_mb == 7; },
       {"", "0", "-1", "1.5", "1048577", "7MB"},
       "a whole number from 1 to 1048576"},
      {"namespace",
       "CASCOR_CACHE_NAMESPACE",
       "other/",
       [](auto& c) { return c.key_namespace == "other/" && c.key_prefixes.metrics == "other/metrics:"; },
       {"", "a\nb", std::string(257, 'x')},
       "printable UTF-8 text, 1 to 256 bytes"},
      {"strict", "CASCOR_CACHE_STRICT", "1", [](auto& c) { return c.strict; }, no_flags, flag},
      {"shutdown_timeout",
       "CASCOR_CACHE_SHUTDOWN_TIMEOUT",
       "0",
       [](auto& c) { return c.shutdown_timeout == 0s; },
       {"", "-1", "3601", "now"},
       "seconds from 0 to 3600, fractions allowed"},
      {"connection_pool.max_connections",
       "CASCOR_CACHE_CONNECTION_POOL_MAX_CONNECTIONS",
       "3",
       [](auto& c) { return c.connection_pool.max_connections == 3; },
       {"", "0", "-1", "10001", "3.0"},
       "a whole number from 1 to 10000"},
      {"connection_pool.timeout",
       "CASCOR_CACHE_CONNECTION_POOL_TIMEOUT",
       "0.0002",
       [](auto& c) { return c.connection_pool.timeout == 1ms; },
       {"", "0", "-1", "3600.001"},
       "seconds from 0.001 to 3600, fractions allowed"},
      {"connection_pool.retry_on_timeout", "CASCOR_CACHE_CONNECTION_POOL_RETRY_ON_TIMEOUT", "off",
       [](auto& c) { return !c.connection_pool.retry_on_timeout; }, no_flags, flag},
      {"connection_pool.socket_keepalive", "CASCOR_CACHE_CONNECTION_POOL_SOCKET_KEEPALIVE", "FALSE",
       [](auto& c) { return !c.connection_pool.socket_keepalive; }, no_flags, flag},
      {"connection_pool.max_idle",
       "CASCOR_CACHE_CONNECTION_POOL_MAX_IDLE",
       "0",
       [](auto& c) { return c.connection_pool.max_idle == 0s; },
       {"", "-1", "never"},
       "seconds from 0 to 3155760000, fractions allowed"},
      {"connection_pool.max_lifetime",
       "CASCOR_CACHE_CONNECTION_POOL_MAX_LIFETIME",
       "12.5",
       [](auto& c) { return c.connection_pool.max_lifetime == 12'500ms; },
       {"", "-1", "never"},
       "seconds from 0 to 3155760000, fractions allowed"},
      {"key_prefixes.metrics",
       "CASCOR_CACHE_KEY_PREFIXES_METRICS",
       "cascor:m",
       [](auto& c) { return c.key_prefixes.metrics == "cascor:m"; },
       {"", too_long(512)},
       "1 to 512 bytes"},
      {"key_prefixes.topology",
       "CASCOR_CACHE_KEY_PREFIXES_TOPOLOGY",
       "cascor:topo",
       [](auto& c) { return c.key_prefixes.topology == "cascor:topo"; },
       {"", too_long(512)},
       "1 to 512 bytes"},
      {"key_prefixes.session",
       "CASCOR_CACHE_KEY_PREFIXES_SESSION",
       "cascor:s",
       [](auto& c) { return c.key_prefixes.session == "cascor:s"; },
       {"", too_long(512)},
       "1 to 512 bytes"},
      {"key_prefixes.history",
       "CASCOR_CACHE_KEY_PREFIXES_HISTORY",
       "cascor:h",
       [](auto& c) { return c.key_prefixes.history == "cascor:h"; },
       {"", too_long(512)},
       "1 to 512 bytes"},
      {"key_prefixes.control",
       "CASCOR_CACHE_KEY_PREFIXES_CONTROL",
       "cascor:c",
       [](auto& c) { return c.key_prefixes.control == "cascor:c"; },
       {"", too_long(512)},
       "1 to 512 bytes"},
      {"prefix_ttl_seconds.metrics", "CASCOR_CACHE_PREFIX_TTL_SECONDS_METRICS", "0",
       [](auto& c) { return c.prefix_ttl.metrics == 0s; }, no_seconds, ttl},
      {"prefix_ttl_seconds.topology", "CASCOR_CACHE_PREFIX_TTL_SECONDS_TOPOLOGY", "7.25",
       [](auto& c) { return c.prefix_ttl.topology == 7250ms; }, no_seconds, ttl},
      {"prefix_ttl_seconds.session", "CASCOR_CACHE_PREFIX_TTL_SECONDS_SESSION", "3155760000",
       [](auto& c) { return c.prefix_ttl.session == 24h * 36525; }, no_seconds, ttl},
      {"prefix_ttl_seconds.history", "CASCOR_CACHE_PREFIX_TTL_SECONDS_HISTORY", "8",
       [](auto& c) { return c.prefix_ttl.history == 8s; }, no_seconds, ttl},
      {"prefix_ttl_seconds.control", "CASCOR_CACHE_PREFIX_TTL_SECONDS_CONTROL", "9",
       [](auto& c) { return c.prefix_ttl.control == 9s; }, no_seconds, ttl},
      {"eviction",
       "CASCOR_CACHE_EVICTION",
       "s3fifo",
       [](auto& c) { return c.eviction == Eviction::s3fifo; },
       {"", "LRU", "fifo"},
       "lru or s3fifo"},
      {"near_cache.enabled", "CASCOR_CACHE_NEAR_CACHE_ENABLED", "0", [](auto& c) { return !c.near_cache.enabled; },
       no_flags, flag},
      {"near_cache.prefixes",
       "CASCOR_CACHE_NEAR_CACHE_PREFIXES",
       "control, metrics",
       [](auto& c) {
         return c.near_cache.prefixes == std::vector<std::string>{"control", "metrics"};
       },
       {"", ",", "metrics,", "metric", "cascor:metrics:"},
       "one or more of metrics, topology, session, history, control"},
      {"near_cache.max_memory_mb",
       "CASCOR_CACHE_NEAR_CACHE_MAX_MEMORY_MB",
       "1",
       [](auto& c) { return c.near_cache.max_memory_mb == 1; },
       {"", "0", "1048577"},
       "a whole number from 1 to 1048576"},
      {"fallback.enabled", "CASCOR_CACHE_FALLBACK_ENABLED", "false", [](auto& c) { return !c.fallback.enabled; },
       no_flags, flag},
      {"fallback.stale_for_seconds", "CASCOR_CACHE_FALLBACK_STALE_FOR_SECONDS", "1",
       [](auto& c) { return c.fallback.stale_for == 1s; }, no_seconds, ttl},
      {"write_behind.enabled", "CASCOR_CACHE_WRITE_BEHIND_ENABLED", "on",
       [](auto& c) { return c.write_behind.enabled; }, no_flags, flag},
      {"write_behind.max_pending",
       "CASCOR_CACHE_WRITE_BEHIND_MAX_PENDING",
       "1",
       [](auto& c) { return c.write_behind.max_pending == 1; },
       {"", "0", "10000001"},
       "a whole number from 1 to 10000000"},
      {"history.directory",
       "CASCOR_CACHE_HISTORY_DIRECTORY",
       "/var/lib/runs",
       [](auto& c) { return c.history.directory == "/var/lib/runs"; },
       {"", "a\nb", std::string(4097, 'x')},
       "printable UTF-8 text, 1 to 4096 bytes"},
      {"history.max_records",
       "CASCOR_CACHE_HISTORY_MAX_RECORDS",
       "1000000000",
       [](auto& c) { return c.history.max_records == 1'000'000'000; },
       {"", "-1", "1000000001"},
       "a whole number from 0 to 1000000000"},
      {"history.fsync",
       "CASCOR_CACHE_HISTORY_FSYNC",
       "interval",
       [](auto& c) { return c.history.fsync == cascor::HistoryFsync::interval; },
       {"", "sometimes", "Always"},
       "always, interval or never"},
      {"tls.ca_file", "CASCOR_CACHE_TLS_CA_FILE", "ca.pem", [](auto& c) { return c.tls.ca_file == "ca.pem"; }, no_text,
       "printable UTF-8 text, at most 4096 bytes"},
      {"tls.cert_file", "CASCOR_CACHE_TLS_CERT_FILE", "me.pem", [](auto& c) { return c.tls.cert_file == "me.pem"; },
       no_text, "printable UTF-8 text, at most 4096 bytes"},
      {"tls.key_file", "CASCOR_CACHE_TLS_KEY_FILE", "me.key", [](auto& c) { return c.tls.key_file == "me.key"; },
       no_text, "printable UTF-8 text, at most 4096 bytes"},
      {"tls.verify", "CASCOR_CACHE_TLS_VERIFY", "No", [](auto& c) { return !c.tls.verify; }, no_flags, flag},
      {"tls.server_name",
       "CASCOR_CACHE_TLS_SERVER_NAME",
       "redis.internal",
       [](auto& c) { return c.tls.server_name == "redis.internal"; },
       {"a\nb", std::string(254, 'x')},
       "printable UTF-8 text, at most 253 bytes"},
      {"password", "REDIS_PASSWORD", "p:@ \xFF", [](auto& c) { return c.password == "p:@ \xFF"; }, {}, ""},
  };
  return all;
}

/// One key as lines under `cache:`, its value as it is written.
std::string lines_of(const std::string& path, const std::string& yaml_value) {
  const auto dot = path.find('.');
  if (dot == std::string::npos) return path + ": " + yaml_value;
  return path.substr(0, dot) + ":\n  " + path.substr(dot + 1) + ": " + yaml_value;
}

/// Certificate and key go together: a test of one gives the other too.
std::string other_half(const std::string& path) {
  if (path == "tls.cert_file") return "CASCOR_CACHE_TLS_KEY_FILE";
  if (path == "tls.key_file") return "CASCOR_CACHE_TLS_CERT_FILE";
  return "NOTHING";
}

}  // namespace

TEST_CASE("the keys that are tested here are all keys that there are") {
  CacheConfig config;
  const auto fields = cascor::detail::Field<>::all_of(config);
  REQUIRE(fields.size() == keys().size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    CHECK(fields[i].path == keys()[i].path);
    CHECK(fields[i].variable() == keys()[i].variable);
  }
}

TEST_CASE("every key is read from a file, plain, quoted or through a variable") {
  for (const auto& key : keys()) {
    CAPTURE(key.path);
    CHECK_FALSE(key.holds(parse_cache("")));
    const cascor::Environment rest{{other_half(key.path), "x.pem"}, {"VALUE", key.good}};
    CHECK(key.holds(parse_cache(lines_of(key.path, "\"${VALUE}\""), rest)));
    CHECK(key.holds(parse_cache(lines_of(key.path, "'${VALUE}'"), rest)));
    if (key.path == "password") continue;  // its value here is none that YAML could hold
    CHECK(key.holds(parse_cache(lines_of(key.path, key.good), rest)));
    CHECK(key.holds(parse_cache(lines_of(key.path, cascor::detail::yaml_quoted(key.good)), rest)));
  }
}

TEST_CASE("every key is read from its variable, which wins over the file") {
  for (const auto& key : keys()) {
    CAPTURE(key.path);
    const cascor::Environment environment{{key.variable, key.good}, {other_half(key.path), "x.pem"}};
    CHECK(key.holds(parse_cache("", environment)));
    if (key.path == "namespace") continue;  // the prefixes of the file below would not be under it
    CHECK(key.holds(CacheConfig::parse(CacheConfig{}.to_yaml(), "app.yaml", environment)));
  }
}

TEST_CASE("a bad value in a file is an error with its place, what was found and what is accepted") {
  for (const auto& key : keys()) {
    for (const auto& bad : key.bad) {
      CAPTURE(key.path, bad);
      const bool nested = key.path.find('.') != std::string::npos;
      const auto column = (nested ? 7 : 5) + key.path.size() - (nested ? key.path.find('.') + 1 : 0) + 2;
      const auto place = std::string{nested ? "app.yaml:4:" : "app.yaml:3:"} + std::to_string(column);
      const auto error = error_of_cache(lines_of(key.path, cascor::detail::yaml_quoted(bad)));
      CHECK_THAT(error, StartsWith(place + ": " + key.path + ": ") && Contains("found "));
      CHECK_THAT(error, Contains("accepted: ") && Contains(key.accepted));
    }
  }
}

TEST_CASE("a bad value of a variable is an error with the variable's name, what was found and what is accepted") {
  for (const auto& key : keys()) {
    for (const auto& bad : key.bad) {
      CAPTURE(key.path, bad);
      const auto error = error_of([&] { parse_cache("", {{key.variable, bad}}); });
      CHECK_THAT(error, StartsWith(key.variable + ": " + key.path + ": ") && Contains("found "));
      CHECK_THAT(error, Contains("accepted: ") && Contains(key.accepted));
    }
  }
}

TEST_CASE("a number out of range is shown as it was written") {
  CHECK_THAT(error_of_cache("ttl_seconds: 99999999999999999999"),
             StartsWith("app.yaml:3:18: ttl_seconds: found '99999999999999999999'; accepted: seconds from 0"));
  CHECK_THAT(error_of_cache("connection_pool: {timeout: 0.0}"), Contains("connection_pool.timeout: found '0.0'; "));
}

TEST_CASE("a map, a list or nothing where a value is wanted is an error with its place") {
  for (const auto& key : keys()) {
    CAPTURE(key.path);
    const bool is_list = key.path == "near_cache.prefixes";
    CHECK_THAT(error_of_cache(lines_of(key.path, "{a: b}")), Contains(key.path + ": found a map; accepted: "));
    CHECK_THAT(error_of_cache(lines_of(key.path, is_list ? "[[a]]" : "[a]")), Contains(key.path + ": found a list; "));
    CHECK_THAT(error_of_cache(lines_of(key.path, "~")), Contains(key.path + ": found nothing (null); accepted: "));
    const auto place = key.path.find('.') == std::string::npos ? "app.yaml:3:5: " : "app.yaml:4:7: ";
    CHECK_THAT(error_of_cache(lines_of(key.path, "")), StartsWith(place + key.path + ": found nothing (null)"));
  }
}

TEST_CASE("the same values are refused when code sets them") {
  const auto error = [](auto change) {
    CacheConfig config;
    change(config);
    return error_of([&] { (void)config.checked(); });
  };
  CHECK(error([](auto& c) { c.ttl = -5ms; }) ==
        "code: ttl_seconds: found '-0.005'; accepted: seconds from 0 to 3155760000, fractions allowed");
  CHECK_THAT(error([](auto& c) { c.ttl = std::chrono::milliseconds::max(); }), StartsWith("code: ttl_seconds: found"));
  CHECK_THAT(error([](auto& c) { c.max_memory_mb = 0; }), StartsWith("code: max_memory_mb: found '0'"));
  CHECK_THAT(error([](auto& c) { c.connection_pool.timeout = 0ms; }), StartsWith("code: connection_pool.timeout: "));
  CHECK_THAT(error([](auto& c) { c.type = static_cast<CacheType>(7); }), StartsWith("code: type: found 'unknown'"));
  CHECK_THAT(error([](auto& c) { c.eviction = static_cast<Eviction>(7); }), StartsWith("code: eviction: "));
  CHECK_THAT(error([](auto& c) { c.key_namespace = ""; }), StartsWith("code: namespace: found ''"));
  CHECK_THAT(error([](auto& c) { c.key_namespace = "\xFF"; }), StartsWith("code: namespace: found '\\xff'"));
  CHECK_THAT(error([](auto& c) { c.history.directory = ""; }), StartsWith("code: history.directory: "));
  CHECK_THAT(error([](auto& c) { c.near_cache.prefixes = {"metric"}; }), StartsWith("code: near_cache.prefixes: "));
  CHECK_THAT(error([](auto& c) { c.redis_url = "redis://:hunter2@"; }),
             StartsWith("code: redis_url: Redis URL 'redis://***@': found no host") && !Contains("hunter2"));
  CHECK(error([](auto& c) { c.password = std::string{"\0\n", 2}; }) == "nothing was thrown");
}
