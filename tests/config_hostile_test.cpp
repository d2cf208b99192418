// Text that nobody meant as a configuration: each gives a configuration or a ConfigError, soon, and nothing else.
#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "cascor/config/redis_url.hpp"
#include "config_support.hpp"

using cascor::CacheConfig;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

const cascor::Environment variables{{"REDIS_PASSWORD", "hunter2"}};

std::string read(const std::string& path) {
  std::ifstream in{std::string{CASCOR_SOURCE_DIR "/"} + path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// What is said of the text; another exception than ConfigError ends the test.
std::string said_of(const std::string& text) {
  return error_of([&] { CacheConfig::parse(text, "app.yaml", variables); });
}

std::string repeated(const std::string& part, std::size_t bytes) {
  std::string text;
  while (text.size() + part.size() <= bytes) text += part;
  return text;
}

}  // namespace

TEST_CASE("a file cut off at any byte gives a configuration or a ConfigError") {
  const LoggedLines log;
  for (const char* path : {"conf/app_config.yaml", "conf/production.yaml"}) {
    const auto text = read(path);
    REQUIRE(text.size() > 500);
    std::size_t refused = 0;
    for (std::size_t size = 0; size <= text.size(); ++size)
      if (said_of(text.substr(0, size)) != "nothing was thrown") ++refused;
    CHECK(refused > 0);
    CHECK(said_of(text) == "nothing was thrown");
  }
}

TEST_CASE("a file with changed bytes gives a configuration or a ConfigError, without a secret") {
  const LoggedLines log;
  const auto text = CacheConfig::parse(cache_with("redis_url: redis://ada@h\npassword: x"), "a.yaml", {}).to_yaml();
  std::mt19937 random{20'240'229};
  const std::string_view odd = "{}[]:,#&*!|>'\"%@`-?\n\t \\$~\x80\xFF\x01z0";
  for (int round = 0; round < 3'000; ++round) {
    std::string changed = text;
    for (int change = 0; change < 4; ++change) {
      const auto at = random() % changed.size();
      if (random() % 3 == 0)
        changed.erase(at, random() % 20);
      else
        changed[at] = odd[random() % odd.size()];
    }
    CAPTURE(changed);
    CHECK_THAT(said_of(changed), !Contains("hunter2"));
  }
}

TEST_CASE("random bytes as a file or as a URL give a value or a ConfigError") {
  const LoggedLines log;
  std::mt19937 random{7};
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes(random() % 60, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    (void)said_of(bytes);
    for (const char* scheme : {"", "redis://", "unix:///", "redis+sentinel://"})
      (void)error_of([&] { cascor::RedisUrl::parse(scheme + bytes); });
  }
  SUCCEED();
}

TEST_CASE("absurd nesting is refused before it can exhaust the stack") {
  const std::size_t most = std::size_t{1} << 20U;
  for (const char* part : {"[", "{", "[[", "{a: ", "[a: ", "- ", "? ", ": ", "{? ", "&a [", "!t ["}) {
    CAPTURE(part);
    CHECK_THAT(said_of(repeated(part, most)), StartsWith("app.yaml:1:"));
  }
  CHECK_THAT(said_of(repeated("[", 1'000)), Contains("nested deeper than 100"));
  CHECK(said_of("other: " + repeated("[", 90) + repeated("]", 90)) == "nothing was thrown");
}

TEST_CASE("aliases that stand for more than memory holds cost only their text") {
  std::string bomb = "a0: &a0 {type: memory}\n";
  for (int i = 1; i < 10'000; ++i) {
    const auto name = std::to_string(i);
    const auto before = std::to_string(i - 1);
    bomb.append("a").append(name).append(": &a").append(name);
    bomb.append(" {x: *a").append(before).append(", y: *a").append(before).append("}\n");
  }
  const LoggedLines log;
  CHECK(said_of(bomb + "backend: {cache: {unknown: *a9999, tls: *a9998}}") == "nothing was thrown");
  CHECK(log.lines().size() == 3);
  CHECK(said_of("backend: &b {cache: &c {tls: *c, other: *b}}") == "nothing was thrown");
}

TEST_CASE("what is too large is refused, and what is just large is read") {
  const std::size_t most = std::size_t{1} << 20U;
  CHECK_THAT(said_of(std::string(most + 1, '#')), Contains("found 1048577 bytes; accepted: at most 1048576"));
  CHECK(said_of(std::string(most, '#')) == "nothing was thrown");
  CHECK(said_of("other: \"" + std::string(most - 100, 'x') + '"') == "nothing was thrown");
  CHECK(said_of(cache_with("password: " + std::string(most - 100, 'x'))) == "nothing was thrown");
  const auto error = said_of(cache_with("type: " + std::string(most - 100, 'x')));
  CHECK_THAT(error, Contains("redis or memory"));
  CHECK(error.size() < 300);
}

TEST_CASE("control characters in a value reach no key, path or log line") {
  CHECK_THAT(error_of_cache(R"(namespace: "a\0b")"), Contains(R"('a\x00b')"));
  CHECK_THAT(error_of_cache(R"(key_prefixes: {metrics: "cascor:\n"})"), Contains(R"('cascor:\x0a')"));
  CHECK_THAT(error_of_cache(R"(history: {directory: "a\0b"})"), Contains("history.directory"));
  CHECK_THAT(error_of_cache(R"(tls: {ca_file: "a\x1Bb"})"), Contains(R"('a\x1bb')"));
  CHECK(parse_cache(R"(password: "a\0b")").password == std::string{"a\0b", 3});
}
