// Keys: which are valid, how a short one becomes a full one, which prefix and which owner it has.
#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "cascor/core/glob.hpp"
#include "cascor/core/key.hpp"

using cascor::DataError;
using cascor::KeySpace;
using cascor::Prefix;
using Catch::Matchers::Contains;
using namespace std::string_literals;

namespace {

KeySpace standard() {
  return {"cascor:", {"cascor:metrics:", "cascor:topology:", "cascor:session:", "cascor:history:", "cascor:control:"}};
}

std::string full(const KeySpace& keys, Prefix prefix, std::string_view key) {
  return std::string{keys.full(prefix, key).view()};
}

template <class Call>
DataError error_of(Call call) {
  try {
    call();
  } catch (const DataError& error) {
    return error;
  }
  FAIL("no DataError");
  throw;
}

}  // namespace

TEST_CASE("a short key gets its prefix in front, any other key the namespace") {
  const KeySpace keys = standard();
  CHECK(full(keys, Prefix::metrics, "latest") == "cascor:metrics:latest");
  CHECK(full(keys, Prefix::topology, "latest") == "cascor:topology:latest");
  CHECK(full(keys, Prefix::history, "full") == "cascor:history:full");
  CHECK(full(keys, Prefix::other, "model:best") == "cascor:model:best");
  CHECK(full(keys, Prefix::other, "metrics:latest") == "cascor:metrics:latest");
}

TEST_CASE("a key that starts with its prefix is taken as it is") {
  const KeySpace keys = standard();
  CHECK(full(keys, Prefix::metrics, "cascor:metrics:latest") == "cascor:metrics:latest");
  CHECK(full(keys, Prefix::other, "cascor:metrics:latest") == "cascor:metrics:latest");
  CHECK(full(keys, Prefix::metrics, "cascor:topology:x") == "cascor:metrics:cascor:topology:x");
  CHECK(full(keys, Prefix::metrics, "cascor:metric") == "cascor:metrics:cascor:metric");
}

TEST_CASE("keys are bytes: binary, glob characters and line ends stand for themselves") {
  const KeySpace keys = standard();
  for (const std::string& key : {"a\0b"s, "*"s, "[a-z]?"s, "\xFF\x80"s, "a b\r\nc"s, "\\"s}) {
    CHECK(full(keys, Prefix::metrics, key) == "cascor:metrics:" + key);
  }
}

TEST_CASE("an empty key, also after its prefix, is a DataError that says what to do") {
  const KeySpace keys = standard();
  for (const auto& [prefix, key] : {std::pair{Prefix::metrics, ""}, std::pair{Prefix::metrics, "cascor:metrics:"},
                                    std::pair{Prefix::other, ""}, std::pair{Prefix::other, "cascor:"}}) {
    const DataError error = error_of([&, p = prefix, k = key] { (void)keys.full(p, k); });
    CHECK_THAT(error.what(), Contains("an empty key"));
    CHECK_THAT(error.hint(), Contains("name"));
  }
  CHECK_THROWS_AS(keys.full(Prefix::other, std::string_view{}), DataError);
}

TEST_CASE("a key of 1,024 bytes is the longest; one more is a DataError that tells the size and the limit") {
  const KeySpace keys = standard();
  const std::string longest(1024, 'k');
  CHECK(full(keys, Prefix::metrics, longest) == "cascor:metrics:" + longest);
  const DataError error = error_of([&] { (void)keys.full(Prefix::metrics, longest + 'k'); });
  CHECK_THAT(error.what(), Contains("1025 bytes"));
  CHECK_THAT(error.hint(), Contains("1024"));
  CHECK_THROWS_AS(keys.full(Prefix::other, std::string(10'000'000, 'k')), DataError);
}

TEST_CASE("full keys of every length are right, on the stack and past it") {
  const KeySpace keys = standard();
  for (std::size_t size = 1; size <= 300; ++size) {
    std::string key(size, ' ');
    for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<char>('a' + i % 26);
    if (full(keys, Prefix::metrics, key) != "cascor:metrics:" + key) FAIL(size);
    if (full(keys, Prefix::other, "cascor:" + key) != "cascor:" + key) FAIL(size);
  }
}

TEST_CASE("the library's own keys can be read but not changed") {
  const KeySpace keys = standard();
  for (const std::string_view key : {"run:1:history", "runs", "lock:{x}", "tag:t", "cascor:run:1", "cascor:runs"}) {
    CAPTURE(std::string{key});
    CHECK_THROWS_WITH(keys.full_to_change(Prefix::other, key), Contains("library's own"));
    CHECK_NOTHROW(keys.full(Prefix::other, key));
    CHECK(keys.is_own(keys.full(Prefix::other, key).view()));
    CHECK_FALSE(keys.is_cached(keys.full(Prefix::other, key).view()));
  }
  for (const std::string_view key : {"run", "runs2", "running", "lock", "tags", "metrics:run:1"}) {
    CAPTURE(std::string{key});
    CHECK_NOTHROW(keys.full_to_change(Prefix::other, key));
    CHECK(keys.is_cached(keys.full(Prefix::other, key).view()));
  }
  CHECK_NOTHROW(keys.full_to_change(Prefix::metrics, "run:1"));
  CHECK_THROWS_AS(keys.full_to_change(Prefix::other, ""), DataError);
}

TEST_CASE("a key of another application is no cached one") {
  const KeySpace keys = standard();
  CHECK_FALSE(keys.is_cached("other:metrics:latest"));
  CHECK_FALSE(keys.is_cached("cascor"));
  CHECK_FALSE(keys.is_own("other:run:1"));
}

TEST_CASE("a full key falls under the longest of the prefixes that it starts with") {
  const KeySpace keys{"c:", {"c:m:", "c:m:deep:", "c:s:", "c:h:", "c:c:"}};
  CHECK(keys.prefix_of("c:m:latest") == Prefix::metrics);
  CHECK(keys.prefix_of("c:m:deep:latest") == Prefix::topology);
  CHECK(keys.prefix_of("c:m:dee") == Prefix::metrics);
  CHECK(keys.prefix_of("c:s:1") == Prefix::session);
  CHECK(keys.prefix_of("c:x") == Prefix::other);
  CHECK(keys.prefix_of("") == Prefix::other);
  CHECK(keys.text(Prefix::other) == "c:");
  CHECK(to_string(Prefix::metrics) == "metrics");
  CHECK(to_string(Prefix::control) == "control");
  CHECK(to_string(Prefix::other) == "other");
}

TEST_CASE("a pattern never leaves the namespace") {
  const KeySpace keys = standard();
  for (const std::string pattern : {"*", "metrics:*", "*latest", "?*", "[a-z]*", "casc*", "c[a]scor:*", "\\*", "x"}) {
    CAPTURE(pattern);
    const std::string within = keys.pattern(pattern);
    CHECK_FALSE(cascor::glob_match(within, "other:metrics:latest"));
    CHECK_FALSE(cascor::glob_match(within, "casco:latest"));
    CHECK(cascor::glob_literal_prefix(within).text.starts_with("cascor:"));
  }
  CHECK(keys.pattern("metrics:*") == "cascor:metrics:*");
  CHECK(keys.pattern("cascor:metrics:*") == "cascor:metrics:*");
  CHECK(keys.pattern("*") == "cascor:*");
  CHECK(cascor::glob_match(keys.pattern("c\\ascor:m*"), "cascor:metrics"));
  CHECK_THROWS_WITH(keys.pattern(""), Contains("empty pattern"));
}

TEST_CASE("a namespace of glob characters is meant literally in patterns") {
  const KeySpace keys{"app[1]*:", {"app[1]*:m:", "app[1]*:t:", "app[1]*:s:", "app[1]*:h:", "app[1]*:c:"}};
  for (const std::string pattern : {"*", "app[1]*:*"}) {
    CHECK(cascor::glob_match(keys.pattern(pattern), "app[1]*:m:latest"));
    CHECK_FALSE(cascor::glob_match(keys.pattern(pattern), "app1:m:latest"));
    CHECK_FALSE(cascor::glob_match(keys.pattern(pattern), "app1xx:m:latest"));
  }
}
