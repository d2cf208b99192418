// Configurations built or changed in code, their prefixes, and to_yaml().
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "cascor/core/clock.hpp"
#include "config_support.hpp"

using namespace std::chrono_literals;
using cascor::CacheConfig;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// to_yaml() without its comments.
std::string values_of(const CacheConfig& config) {
  const auto yaml = config.to_yaml();
  std::string values;
  for (std::size_t begin = 0; begin < yaml.size();) {
    const auto end = yaml.find('\n', begin);
    const auto line = yaml.substr(begin, end - begin);
    values += line.substr(0, line.rfind("  # ")) + '\n';
    begin = end + 1;
  }
  return values;
}

}  // namespace

TEST_CASE("CacheConfig takes designated initialisers, down to the fields of its sections") {
  const CacheConfig config{.type = cascor::CacheType::memory,
                           .ttl = 5s,
                           .connection_pool = {.timeout = 500ms},
                           .history = {.directory = "runs"},
                           .clock = std::make_shared<cascor::ManualClock>(),
                           .random = [] { return std::uint64_t{4}; }};
  const auto checked = config.checked();
  CHECK(checked.type == cascor::CacheType::memory);
  CHECK(checked.ttl == 5s);
  CHECK(checked.connection_pool.timeout == 500ms);
  CHECK(checked.connection_pool.max_connections == 50);
  CHECK(checked.history.directory == "runs");
  CHECK(checked.clock == config.clock);
  CHECK(checked.random() == 4);
}

TEST_CASE("checked() fills in what follows from other fields, and is stable") {
  CacheConfig config;
  config.key_namespace = "test:";
  config.key_prefixes.history = "test:past:";
  const auto checked = config.checked();
  CHECK(checked.key_prefixes.metrics == "test:metrics:");
  CHECK(checked.key_prefixes.topology == "test:topology:");
  CHECK(checked.key_prefixes.session == "test:session:");
  CHECK(checked.key_prefixes.history == "test:past:");
  CHECK(checked.key_prefixes.control == "test:control:");
  CHECK(checked.near_cache.prefixes == std::vector<std::string>{"metrics", "topology", "history"});
  CHECK(checked.checked().to_yaml() == checked.to_yaml());
  CHECK(checked.to_yaml() == config.to_yaml());
}

TEST_CASE("a default prefix follows a namespace that code changes after loading; one that was set does not") {
  auto config = parse_cache("");
  config.key_namespace = "test:";
  CHECK(config.checked().key_prefixes.metrics == "test:metrics:");
  CHECK(config.checked().checked().key_prefixes.session == "test:session:");

  auto set = parse_cache("key_prefixes: {metrics: 'cascor:metrics:'}");
  set.key_namespace = "test:";
  CHECK(error_of([&] { (void)set.checked(); }) ==
        "app.yaml:3:29: key_prefixes.metrics: found 'cascor:metrics:'; accepted: text that begins with the namespace "
        "'test:' (code) and goes on");
}

TEST_CASE("a prefix outside the namespace, or no longer than it, is an error at its place") {
  CHECK(error_of_cache("key_prefixes: {metrics: 'x:'}") ==
        "app.yaml:3:29: key_prefixes.metrics: found 'x:'; accepted: text that begins with the namespace 'cascor:' "
        "(default) and goes on");
  CHECK_THAT(error_of_cache("key_prefixes: {session: 'cascor:'}"), StartsWith("app.yaml:3:29: key_prefixes.session: "));
  CHECK_THAT(error_of_cache("key_prefixes: {metrics: 'cascor:m:'}", {{"CASCOR_CACHE_NAMESPACE", "y:"}}),
             Contains("'y:' (CASCOR_CACHE_NAMESPACE)"));
  CHECK_THAT(error_of_cache("", {{"CASCOR_CACHE_KEY_PREFIXES_CONTROL", "control:"}}),
             StartsWith("CASCOR_CACHE_KEY_PREFIXES_CONTROL: key_prefixes.control: found 'control:'"));
}

TEST_CASE("a prefix that meets the library's own keys is an error") {
  for (const char* tail : {"r", "run", "run:", "run:x:", "runs", "lock:", "lock:a", "l", "tag:", "ta"})
    CHECK_THAT(error_of_cache("key_prefixes: {metrics: 'cascor:" + std::string{tail} + "'}"),
               StartsWith("app.yaml:3:29: key_prefixes.metrics: ") && Contains("meets the library's own keys"));
  for (const char* tail : {"runner:", "running", "runs:", "locks:", "tags", "m", "xrun:"})
    CHECK(error_of_cache("key_prefixes: {metrics: 'cascor:" + std::string{tail} + "'}") == "nothing was thrown");
}

TEST_CASE("two kinds of entries under one prefix are an error") {
  CHECK_THAT(error_of_cache("key_prefixes: {history: 'cascor:metrics:'}"),
             StartsWith("app.yaml:3:29: key_prefixes.history: found 'cascor:metrics:', as key_prefixes.metrics"));
}

TEST_CASE("near_prefixes are the full prefixes, none inside another") {
  CHECK(CacheConfig{}.near_prefixes() ==
        std::vector<std::string>{"cascor:history:", "cascor:metrics:", "cascor:topology:"});
  CHECK(parse_cache("near_cache: {prefixes: [control]}").near_prefixes() ==
        std::vector<std::string>{"cascor:control:"});
  CHECK(parse_cache("key_prefixes: {metrics: 'cascor:m:', history: 'cascor:m:h:', topology: 'cascor:m'}")
            .near_prefixes() == std::vector<std::string>{"cascor:m"});
}

TEST_CASE("a client certificate goes with its key") {
  CHECK_THAT(error_of_cache("tls: {cert_file: a.pem}"),
             StartsWith("app.yaml:3:22: tls.cert_file: found it without tls.key_file; accepted: both or neither"));
  CHECK_THAT(error_of_cache("", {{"CASCOR_CACHE_TLS_KEY_FILE", "a.key"}}),
             StartsWith("CASCOR_CACHE_TLS_KEY_FILE: tls.key_file: found it without tls.cert_file"));
}

TEST_CASE("to_yaml tells of each value where it came from") {
  auto config = parse_cache("type: redis\nttl_seconds: 60\nconnection_pool:\n  timeout: 1.5",
                            {{"CASCOR_CACHE_TYPE", "memory"}, {"REDIS_PASSWORD", "hunter2"}});
  config.max_memory_mb = 7;
  config.strict = false;  // as it was
  const auto yaml = config.to_yaml();
  CHECK_THAT(yaml, StartsWith("backend:\n  cache:\n    enabled: true  # default\n"));
  CHECK_THAT(yaml, Contains("\n    type: memory  # CASCOR_CACHE_TYPE\n"));
  CHECK_THAT(yaml, Contains("\n    ttl_seconds: 60  # app.yaml:4:18\n"));
  CHECK_THAT(yaml, Contains("\n    connection_pool:\n      max_connections: 50  # default\n"
                            "      timeout: 1.5  # app.yaml:6:16\n"));
  CHECK_THAT(yaml, Contains("\n    max_memory_mb: 7  # code\n"));
  CHECK_THAT(yaml, Contains("\n    strict: false  # default\n"));
  CHECK_THAT(yaml, Contains("\n    password: \"***\"  # REDIS_PASSWORD\n"));
  CHECK_THAT(config.checked().to_yaml(), Contains("max_memory_mb: 7  # code\n") && Contains("60  # app.yaml:4:18\n"));
}

TEST_CASE("to_yaml is YAML that gives the same configuration again, secrets apart") {
  CacheConfig config;
  config.enabled = false;
  config.redis_url = "rediss+sentinel://ada@s1,[::1]:26380/my%20master/3";
  config.ttl = 1ms;
  config.key_namespace = "odd \"name\" \\ # : ' \xC3\xA9:";
  config.connection_pool = {.max_connections = 1, .timeout = 1ms, .retry_on_timeout = false};
  config.prefix_ttl.metrics = 0s;
  config.eviction = cascor::Eviction::s3fifo;
  config.near_cache.prefixes = {"session", "control"};
  config.history.directory = "  spaces  ";
  config.tls.server_name = "~";
  const auto again = CacheConfig::parse(config.to_yaml(), "printed.yaml", {});
  CHECK(values_of(again) == values_of(config));
  CHECK(again.key_namespace == config.key_namespace);
  CHECK(again.history.directory == config.history.directory);
  CHECK(again.ttl == 1ms);
  CHECK(values_of(CacheConfig::parse(CacheConfig{}.to_yaml(), "printed.yaml", {})) == values_of(CacheConfig{}));
}

TEST_CASE("to_yaml shows no secret, of a checked configuration or of any other") {
  CacheConfig config;
  config.password = "hunter2";
  config.password_provider = [] { return "hunter2"; };
  for (const char* url : {"redis://ada:hunter2@h/1", "redis://:hunter2", "unix://:hunter2@/run/r?db=1", "hunter2",
                          "redis://:a/hunter2@h", "redis://h?password=hunter2"}) {
    config.redis_url = url;
    CHECK_THAT(config.to_yaml(), !Contains("hunter2"));
  }
  CHECK_THAT(parse_cache("redis_url: redis://ada:hunter2@h\npassword: hunter2").to_yaml(),
             !Contains("hunter2") && Contains("redis://ada:***@h:6379/0"));
  CHECK_THAT(error_of_cache("type: redis://:hunter2@h"), Contains("redis://***@h") && !Contains("hunter2"));
  CHECK_THAT(error_of_cache("password: [hunter2]"), Contains("found a list") && !Contains("hunter2"));
}

TEST_CASE("a source's name cannot end its comment") {
  const auto config = CacheConfig::parse(cache_with("strict: on"), "a\nb: c\r.yaml", {});
  CHECK_THAT(config.to_yaml(), Contains("strict: true  # a?b: c?.yaml:3:13\n"));
}

TEST_CASE("a copy is a configuration of its own") {
  const auto original = parse_cache("ttl_seconds: 5");
  auto copy = original;
  copy.ttl = 6s;
  CHECK(original.ttl == 5s);
  CHECK_THAT(original.to_yaml(), Contains("ttl_seconds: 5  # app.yaml:3:18"));
  CHECK_THAT(copy.to_yaml(), Contains("ttl_seconds: 6  # code"));
}
