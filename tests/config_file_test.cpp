// The file and the environment as a whole: what is read, what is passed over, what is warned of, what is refused.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config_support.hpp"

using namespace std::chrono_literals;
using cascor::CacheConfig;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// An empty directory for one test, gone afterwards; the working directory while it lives.
class WorkingDirectory {
 public:
  WorkingDirectory() : before_{std::filesystem::current_path()} {
    std::string name = (std::filesystem::temp_directory_path() / "cascor-config-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
    std::filesystem::current_path(path_);
  }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;
  ~WorkingDirectory() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path_);
  }

  static void write(const std::filesystem::path& path, const std::string& text) {
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << text;
  }

 private:
  std::filesystem::path before_;
  std::filesystem::path path_;
};

std::string error_of_text(const std::string& text, const cascor::Environment& environment = {}) {
  return error_of([&] { CacheConfig::parse(text, "app.yaml", environment); });
}

}  // namespace

TEST_CASE("a document without backend, without cache or without anything gives the defaults") {
  const auto defaults = CacheConfig{}.checked().to_yaml();
  for (const char* text : {"", "\n# nothing\n", "---\n...\n", "~", "{}", "application: {name: x}", "backend:\n",
                           "backend: {cascor_integration: {enabled: true}}", "backend:\n  cache:\n    # type: redis\n",
                           "backend: {cache: {}}", "backend: {cache: {tls: , near_cache: {}}}", "\xEF\xBB\xBF---\n"}) {
    CAPTURE(text);
    CHECK(CacheConfig::parse(text, "app.yaml", {}).to_yaml() == defaults);
  }
}

TEST_CASE("a file with only the five keys is a configuration") {
  const auto config = parse_cache(
      "enabled: true\ntype: redis\nredis_url: redis://localhost:6379/0\nttl_seconds: 1800\nmax_memory_mb: 64");
  CHECK(config.enabled);
  CHECK(config.ttl == 1800s);
  CHECK(config.max_memory_mb == 64);
  CHECK(config.connection_pool.max_connections == 50);
  CHECK(config.key_prefixes.metrics == "cascor:metrics:");
  CHECK(config.near_cache.prefixes == std::vector<std::string>{"metrics", "topology", "history"});
}

TEST_CASE("the other sections belong to the application") {
  const LoggedLines log;
  const auto config = CacheConfig::parse(
      "application: {name: [1, 2], name: twice, unset: '${NOT_SET}', cache: {type: what}}\n"
      "? [a, list]\n: as a key\n"
      "backend:\n  cascor_integration: {backend_path: '${CASCOR_BACKEND_PATH}', <<: {a: b}}\n  cache: {type: memory}\n",
      "app.yaml", {});
  CHECK(config.type == cascor::CacheType::memory);
  CHECK(log.lines().empty());
}

TEST_CASE("anchors and aliases stand for what they name, also from other sections") {
  const auto config = CacheConfig::parse(
      "defaults: {pool: &pool {max_connections: 7, timeout: &short 0.5}}\n"
      "backend: {cache: {connection_pool: *pool, ttl_seconds: *short}}",
      "app.yaml", {});
  CHECK(config.connection_pool.max_connections == 7);
  CHECK(config.ttl == 500ms);
}

TEST_CASE("near_cache.prefixes is a list, or text with commas") {
  const std::vector<std::string> two{"metrics", "session"};
  CHECK(parse_cache("near_cache: {prefixes: [metrics, session]}").near_cache.prefixes == two);
  CHECK(parse_cache("near_cache:\n  prefixes:\n  - metrics\n  - ${SECOND:session}").near_cache.prefixes == two);
  CHECK(parse_cache("near_cache: {prefixes: 'metrics,session'}").near_cache.prefixes == two);
  CHECK_THAT(error_of_cache("near_cache: {prefixes: []}"), StartsWith("app.yaml:3:28: near_cache.prefixes: found ''"));
  CHECK_THAT(error_of_cache("near_cache: {prefixes: [metrics, {a: b}]}"),
             StartsWith("app.yaml:3:38: near_cache.prefixes: found a map; accepted: text"));
}

TEST_CASE("what is no map where one is wanted is an error with its place") {
  CHECK(error_of_text("- a") == "app.yaml:1:1: the file: found a list; accepted: a map");
  CHECK(error_of_text("just text") == "app.yaml:1:1: the file: found text; accepted: a map");
  CHECK(error_of_text("backend: redis") == "app.yaml:1:10: backend: found text; accepted: a map");
  CHECK(error_of_text("backend:\n  cache: [a]") == "app.yaml:2:10: backend.cache: found a list; accepted: a map");
  CHECK(error_of_text("backend:\n  cache: redis://:hunter2@h") ==
        "app.yaml:2:10: backend.cache: found text; accepted: a map");
  CHECK(error_of_cache("tls: on") == "app.yaml:3:10: tls: found text; accepted: a map");
  CHECK(error_of_cache("? [a]\n: b") == "app.yaml:3:7: found a list as a key; accepted: text");
}

TEST_CASE("a key that stands twice is an error") {
  const LoggedLines log;  // of the unknown one
  CHECK(error_of_cache("type: redis\ntype: memory") == "app.yaml:4:5: found the key 'type' twice; accepted: once");
  CHECK(error_of_cache("tls: {verify: on, verify: off}") ==
        "app.yaml:3:23: found the key 'tls.verify' twice; accepted: once");
  CHECK_THAT(error_of_cache("other: 1\n'other': 2"), Contains("found the key 'other' twice"));
  CHECK_THAT(error_of_text("backend: {}\nbackend: {}"), StartsWith("app.yaml:2:1: found the key 'backend' twice"));
  CHECK_THAT(error_of_text("backend: {cache: {}, cache: {}}"),
             StartsWith("app.yaml:1:22: found the key 'cache' twice"));
}

TEST_CASE("a merge key is refused rather than passed over") {
  CHECK_THAT(error_of_text("x: &x {type: memory}\nbackend:\n  cache:\n    <<: *x\n"),
             StartsWith("app.yaml:4:5: found a merge key '<<'; accepted: "));
}

TEST_CASE("text that is not YAML is an error with its place") {
  CHECK_THAT(error_of_text("backend: [\n"), StartsWith("app.yaml:2:1: not YAML: "));
  CHECK_THAT(error_of_text("a: *nobody"), StartsWith("app.yaml:1:4: not YAML: "));
  CHECK_THAT(error_of_text("a: 1\nb: \xFF"), StartsWith("app.yaml:2:4: found a byte that is not UTF-8"));
  CHECK_THAT(error_of_text("a: 1\n---\nb: 2"), StartsWith("app.yaml:2:1: found a second document; accepted: one"));
}

TEST_CASE("a quoted text without its closing quote is an error with its place") {
  for (const char* lines :
       {"password: \"open", "password: 'open", "password: \"open\ntype: \"redis\"", "password: \"o\\\"",
        "password: 'it''s", "password: &a !t 'open\nstrict: on", "password: 'open\n\n\nstrict: on"})
    CHECK_THAT(error_of_cache(lines), StartsWith("app.yaml:3:15: not YAML: "));
  CHECK_THAT(error_of_text("a: 1\nb: \"open\n"), StartsWith("app.yaml:2:4: not YAML: "));
  CHECK_THAT(error_of_text("a: 1\nb: \"open"), StartsWith("app.yaml:2:9: not YAML: "));
  CHECK_THAT(error_of_text("\xEF\xBB\xBF"
                           "b: \"open\n"),
             StartsWith("app.yaml:1:4: not YAML: "));
  CHECK_THAT(error_of_text("- \"open\n- b\n"), StartsWith("app.yaml:1:3: not YAML: "));
  CHECK_THAT(error_of_text("{b: \"open\n}\n"), Contains("not YAML: "));

  CHECK(parse_cache("password: \"two\n  lines\n\n  \\\n  'or' \\\"more\\\"\"").password == "two lines\n'or' \"more\"");
  CHECK(parse_cache("password: 'it''s \\'").password == "it's \\");
  CHECK(parse_cache("password: it's").password == "it's");
  CHECK(CacheConfig::parse("backend: {cache: {password: \"a\nb\"\n}}", "app.yaml", {}).password == "a b");
}

TEST_CASE("an unset variable is an error under backend.cache, at its value") {
  CHECK(error_of_cache("password: \"${NOT_SET}\"") ==
        "app.yaml:3:15: found ${NOT_SET}, and the environment variable NOT_SET is not set; accepted: ${NAME} or "
        "${NAME:default}");
  CHECK(parse_cache("password: ${NOT_SET:}").password.empty());
  CHECK(parse_cache("redis_url: ${REDIS_URL:redis://localhost:6379/0}").redis_url == "redis://localhost:6379/0");
  CHECK(parse_cache("", {{"REDIS_URL", "redis://elsewhere"}}).redis_url == "redis://localhost:6379/0");
}

TEST_CASE("unknown keys are a WARNING with their place and the nearest known key") {
  const auto warning = [](const char* lines) {
    const LoggedLines log;
    CHECK(parse_cache(lines).ttl == 3600s);
    REQUIRE(log.lines().size() == 1);
    return log.lines().front();
  };
  CHECK(warning("ttl_second: 5") ==
        "WARNING: app.yaml:3:5: unknown key 'ttl_second' under backend.cache; the nearest known key is 'ttl_seconds'");
  CHECK_THAT(warning("ttl: 5"), Contains("'ttl_seconds'"));
  CHECK_THAT(warning("host: {a: [b]}"), StartsWith("WARNING: app.yaml:3:5: unknown key 'host'"));
  CHECK_THAT(warning("timeout: 5"), Contains("'connection_pool.timeout'"));
  CHECK_THAT(warning("connection_pol: {max_connections: 5}"), Contains("'connection_pool'"));
  CHECK_THAT(warning("near_cache: {enable: 5}"),
             Contains("app.yaml:3:18: unknown key 'near_cache.enable'") && Contains("'near_cache.enabled'"));
  CHECK_THAT(warning("tls.verify: off"), Contains("(nested keys are written nested)") && Contains("'tls.verify'"));
  CHECK_THAT(warning("\"a\\nb\": hunter2"), Contains("unknown key 'a\\x0ab'") && !Contains("hunter2"));
}

TEST_CASE("unknown CASCOR_CACHE_ variables are a WARNING with the nearest known name; others are not ours") {
  const auto warning = [](const char* name) {
    const LoggedLines log;
    parse_cache("", {{name, "hunter2"}});
    REQUIRE(log.lines().size() == 1);
    CHECK_THAT(log.lines().front(), !Contains("hunter2"));
    return log.lines().front();
  };
  CHECK(warning("CASCOR_CACHE_TIPE") ==
        "WARNING: CASCOR_CACHE_TIPE: unknown environment variable; the nearest known name is CASCOR_CACHE_TYPE");
  CHECK_THAT(warning("CASCOR_CACHE_TTL"), Contains("is CASCOR_CACHE_TTL_SECONDS"));
  CHECK_THAT(warning("CASCOR_CACHE_URL"), Contains("is CASCOR_CACHE_REDIS_URL"));
  CHECK_THAT(warning("CASCOR_CACHE_PASSWORD"), Contains("is REDIS_PASSWORD"));

  const LoggedLines log;
  parse_cache("", {{"CASCOR_CACHE_CONFIG", "x"}, {"CASCOR_DEMO_MODE", "1"}, {"CASCOR_BACKEND_PATH", ""}, {"PATH", ""}});
  CHECK(log.lines().empty());
}

TEST_CASE("load reads a file; one that cannot be read is an error that names it") {
  const WorkingDirectory here;
  WorkingDirectory::write("app.yaml", cache_with("type: memory"));
  CHECK(CacheConfig::load("app.yaml", {}).type == cascor::CacheType::memory);
  CHECK(CacheConfig::load("app.yaml", {{"CASCOR_CACHE_TYPE", "redis"}}).type == cascor::CacheType::redis);

  WorkingDirectory::write("bad.yaml", cache_with("type: memcached"));
  CHECK(error_of([] { CacheConfig::load("bad.yaml", {}); }) ==
        "bad.yaml:3:11: type: found 'memcached'; accepted: redis or memory");
  CHECK(error_of([] { CacheConfig::load("none.yaml", {}); }) == "none.yaml: no such file");
  CHECK(error_of([] { CacheConfig::load("app.yaml/none", {}); }) == "app.yaml/none: no such file");
  CHECK(error_of([] { CacheConfig::load(".", {}); }) == ".: Is a directory");
  CHECK(error_of([] { CacheConfig::load("", {}); }) == ": no such file");

  WorkingDirectory::write("huge.yaml", std::string(std::size_t{2} << 20U, '#'));
  CHECK_THAT(error_of([] { CacheConfig::load("huge.yaml", {}); }), StartsWith("huge.yaml: ") && Contains("1048576"));
}

TEST_CASE("a file without the section is one INFO line, which names what was probably meant to be it") {
  const auto told = [](const std::string& text) {
    const LoggedLines log;
    CacheConfig::parse(text, "app.yaml", {});
    REQUIRE(log.lines().size() == 1);
    return log.lines().front();
  };
  const std::string missing =
      "INFO: app.yaml: found no section backend.cache; every key of it has its default, or what its variable says";
  CHECK(told("") == missing);
  CHECK(told("application: {name: x, cache: {type: memory}}\nbackend: {cascor_integration: {enabled: true}}") ==
        missing);
  CHECK(told("backend:\n  cach:\n    type: memory\n") == missing + "; app.yaml:2:3: is 'cach' meant to be it?");
  CHECK(told("backend:\n  Cache: {type: memory}") == missing + "; app.yaml:2:3: is 'Cache' meant to be it?");
  CHECK(told("backend: {redis_cache: {}}") == missing + "; app.yaml:1:11: is 'redis_cache' meant to be it?");
  CHECK(told("x: 1\ncache:\n  type: memory\n") == missing + "; app.yaml:2:1: is 'cache' meant to be it?");
  CHECK(told("backend.cache: {type: memory}") == missing + "; app.yaml:1:1: is 'backend.cache' meant to be it?");
  CHECK(told("backends: {cache: {}}") == missing + "; app.yaml:1:1: is 'backends' meant to be it?");
  CHECK(told("? [a]\n: b\n\"cach\\n\": 1") == missing + R"(; app.yaml:3:1: is 'cach\x0a' meant to be it?)");
  CHECK(told("backend:\n  cache:\n  type: memory\n") ==
        "INFO: app.yaml: found nothing in backend.cache; every key of it has its default, or what its variable says; "
        "app.yaml:3:3: is 'type' meant to be in it?");

  const WorkingDirectory here;
  const LoggedLines log;
  CacheConfig::load_default({});  // no file at all: nobody has asked for one
  CHECK(parse_cache("type: memory").type == cascor::CacheType::memory);
  parse_cache("# type: memory");  // every key commented out
  CHECK(log.lines().empty());
}

TEST_CASE("load_default takes the file that CASCOR_CACHE_CONFIG names, else conf/app_config.yaml, else the defaults") {
  const WorkingDirectory here;
  CHECK(CacheConfig::load_default({}).ttl == 3600s);
  CHECK(CacheConfig::load_default({{"CASCOR_CACHE_TTL_SECONDS", "5"}}).ttl == 5s);

  WorkingDirectory::write("conf/app_config.yaml", cache_with("ttl_seconds: 6"));
  WorkingDirectory::write("mine.yaml", cache_with("ttl_seconds: 7"));
  CHECK(CacheConfig::load_default({}).ttl == 6s);
  CHECK(CacheConfig::load_default({{"CASCOR_CACHE_CONFIG", "mine.yaml"}}).ttl == 7s);
  CHECK(CacheConfig::load_default({{"CASCOR_CACHE_CONFIG", ""}}).ttl == 6s);
  CHECK(CacheConfig::load_default({{"CASCOR_CACHE_CONFIG", "mine.yaml"}, {"CASCOR_CACHE_TTL_SECONDS", "8"}}).ttl == 8s);
  CHECK(error_of([] {
          CacheConfig::load_default({{"CASCOR_CACHE_CONFIG", "none.yaml"}});
        }) == "CASCOR_CACHE_CONFIG: none.yaml: no such file");

  WorkingDirectory::write("conf/app_config.yaml", cache_with("ttl_seconds: soon"));
  CHECK_THAT(error_of([] { CacheConfig::load_default({}); }), StartsWith("conf/app_config.yaml:3:18: ttl_seconds"));
}

TEST_CASE("every error has a hint") {
  for (const std::string text : {"backend: [", "backend: {cache: {type: x}}", "backend: {cache: {password: '${NONE}'}}",
                                 "backend: {cache: {redis_url: x}}", "- a", "a: \xFF"}) {
    try {
      CacheConfig::parse(text, "app.yaml", {});
      FAIL("nothing was thrown for " << text);
    } catch (const cascor::ConfigError& error) {
      CHECK_FALSE(error.hint().empty());
    }
  }
}
