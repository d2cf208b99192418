// A program built without OpenSSL's headers. This file is one, whatever the others are: it uses the header-only form,
// whose inline namespace differs, so both live in one executable.
#undef CASCOR_CACHE_COMPILED
#undef CASCOR_CACHE_NO_TLS
#define CASCOR_CACHE_NO_TLS
#include <catch2/catch.hpp>

#include "cascor/config/cache_config.hpp"
#include "cascor/config/redis_url.hpp"
#include "config_support.hpp"

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

TEST_CASE("without OpenSSL's headers a rediss:// URL parses, and is a ConfigError in a configuration") {
  CHECK(cascor::RedisUrl::parse("rediss://:hunter2@h").tls);
  CHECK_THAT(error_of_cache("redis_url: rediss://:hunter2@h"),
             StartsWith("app.yaml:3:16: redis_url: found 'rediss://***@h'; accepted: a URL without TLS") &&
                 Contains("OpenSSL") && !Contains("hunter2"));
  CHECK_THAT(error_of_cache("", {{"CASCOR_CACHE_REDIS_URL", "rediss+sentinel://s/m"}}),
             StartsWith("CASCOR_CACHE_REDIS_URL: redis_url: "));
  CHECK(error_of_cache("redis_url: redis://h") == "nothing was thrown");
}
