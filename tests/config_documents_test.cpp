// The files of conf/ load, and docs/configuration.md says of every key what the table says.
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

#include "cascor/config/fields.hpp"
#include "cascor/config/redis_url.hpp"
#include "config_support.hpp"

using namespace std::chrono_literals;
using cascor::CacheConfig;
using Catch::Matchers::Contains;

namespace {

const std::string root = CASCOR_SOURCE_DIR;

}  // namespace

TEST_CASE("conf/app_config.yaml says every default but tls and password, and nothing else") {
  const LoggedLines log;
  auto config = CacheConfig::load(root + "/conf/app_config.yaml", {});
  CHECK(log.lines().empty());

  CacheConfig defaults = CacheConfig{}.checked();
  const auto expected = cascor::detail::Field<>::all_of(defaults);
  const auto fields = cascor::detail::Field<>::all_of(config);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    CAPTURE(fields[i].path);
    CHECK(fields[i].text() == expected[i].text());
    const bool left_out = fields[i].path.starts_with("tls.") || fields[i].path == "password";
    const auto& place = config.origins.loaded->find(fields[i].path)->second.place;
    CHECK((place == "default") == left_out);
  }
  CHECK(CacheConfig::load(root + "/conf/app_config.yaml", {{"REDIS_URL", "redis://elsewhere"}}).redis_url ==
        "redis://elsewhere");
}

TEST_CASE("conf/production.yaml takes its password from the environment and speaks TLS") {
  const LoggedLines log;
  const auto path = root + "/conf/production.yaml";
  const auto config = CacheConfig::load(path, {{"REDIS_PASSWORD", "hunter2"}});
  CHECK(log.lines().empty());
  CHECK(config.password == "hunter2");
  CHECK(config.connection_pool.max_connections == 100);
  CHECK(config.tls.verify);
  const auto url = cascor::RedisUrl::parse(config.redis_url);
  CHECK(url.tls);
  CHECK(url.nodes.at(0) == cascor::RedisUrl::Node{"redis.internal", 6380});

  const auto elsewhere = CacheConfig::load(
      path, {{"REDIS_PASSWORD", "x"}, {"REDIS_HOST", "10.0.0.1"}, {"REDIS_CA_FILE", "/etc/ssl/redis.pem"}});
  CHECK(elsewhere.redis_url == "rediss://10.0.0.1/0");
  CHECK(elsewhere.tls.ca_file == "/etc/ssl/redis.pem");

  CHECK_THAT(error_of([&] { CacheConfig::load(path, {}); }),
             Contains("conf/production.yaml:") && Contains("the environment variable REDIS_PASSWORD is not set"));
}

TEST_CASE("docs/configuration.md has a row for every key with its variable, default and range") {
  std::ifstream in{root + "/docs/configuration.md"};
  const std::string document{std::istreambuf_iterator<char>{in}, {}};
  REQUIRE_FALSE(document.empty());
  auto config = CacheConfig{}.checked();
  for (const auto& field : cascor::detail::Field<>::all_of(config)) {
    const std::string row = "\n| `" + std::string{field.path} + "` | `" + field.variable() + "` | `" + field.yaml() +
                            "` | " + field.accepted() + " | ";
    CHECK_THAT(document, Contains(row));
  }
  CHECK_THAT(document, Contains("`CASCOR_CACHE_CONFIG`"));
}
