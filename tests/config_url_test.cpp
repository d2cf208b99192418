// RedisUrl: every form, every error, and that no error shows a password.
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cascor/config/redis_url.hpp"
#include "config_support.hpp"

using cascor::RedisUrl;
using Catch::Matchers::Contains;
using Kind = RedisUrl::Kind;

namespace {

std::string url_error(std::string_view text) {
  return error_of([&] { RedisUrl::parse(text); });
}

RedisUrl url(Kind kind, std::vector<RedisUrl::Node> nodes, int database = 0) {
  RedisUrl result;
  result.kind = kind;
  result.nodes = std::move(nodes);
  result.database = database;
  return result;
}

}  // namespace

TEST_CASE("a URL of one server gives host, port and database, each with its default") {
  CHECK(RedisUrl::parse("redis://localhost:6390/3") == url(Kind::standalone, {{"localhost", 6390}}, 3));
  CHECK(RedisUrl::parse("redis://localhost") == url(Kind::standalone, {{"localhost", 6379}}));
  CHECK(RedisUrl::parse("redis://localhost/") == url(Kind::standalone, {{"localhost", 6379}}));
  CHECK(RedisUrl::parse("redis://10.0.0.7:1/15") == url(Kind::standalone, {{"10.0.0.7", 1}}, 15));
  CHECK(RedisUrl::parse("redis://my_host-1.example:65535") == url(Kind::standalone, {{"my_host-1.example", 65535}}));
  CHECK(RedisUrl::parse("redis://localhost?db=4") == url(Kind::standalone, {{"localhost", 6379}}, 4));
}

TEST_CASE("rediss and rediss+sentinel are the same over TLS") {
  auto expected = url(Kind::standalone, {{"host", 6380}});
  expected.tls = true;
  CHECK(RedisUrl::parse("rediss://host:6380/0") == expected);
  CHECK(RedisUrl::parse("rediss://host").nodes.at(0).port == 6379);

  const auto cluster = RedisUrl::parse("rediss://n1,n2");
  CHECK(cluster.tls);
  CHECK(cluster.kind == Kind::cluster);

  const auto sentinel = RedisUrl::parse("rediss+sentinel://s1,s2/mymaster");
  CHECK(sentinel.tls);
  CHECK(sentinel.kind == Kind::sentinel);
}

TEST_CASE("credentials are percent-decoded and end at the last '@' of the authority") {
  const auto check = [](const char* text, const std::string& username, const std::string& password) {
    const auto parsed = RedisUrl::parse(text);
    CAPTURE(text);
    CHECK(parsed.username == username);
    CHECK(parsed.password == password);
    CHECK(parsed.nodes.at(0) == RedisUrl::Node{"host", 6379});
  };
  check("redis://:secret@host", "", "secret");
  check("redis://ada:secret@host", "ada", "secret");
  check("redis://ada@host", "ada", "");
  check("redis://@host", "", "");
  check("redis://us%40er:p%3Aw%2F@host", "us@er", "p:w/");
  check("redis://:p@ss:w@rd@host", "", "p@ss:w@rd");
  check("redis://:%00%ff@host", "", std::string{"\0\xff", 2});
}

TEST_CASE("an IPv6 address stands in brackets, with or without a zone") {
  CHECK(RedisUrl::parse("redis://[::1]:6390/3") == url(Kind::standalone, {{"::1", 6390}}, 3));
  CHECK(RedisUrl::parse("redis://[2001:db8::7]") == url(Kind::standalone, {{"2001:db8::7", 6379}}));
  CHECK(RedisUrl::parse("redis://[fe80::1%25eth0]:1") == url(Kind::standalone, {{"fe80::1%eth0", 1}}));
}

TEST_CASE("a Unix socket has a path, a database and, if given, credentials") {
  for (const char* scheme : {"unix", "redis+unix"}) {
    const auto socket = RedisUrl::parse(scheme + std::string{"://ada:s%40cret@/run/my%20redis@1.sock?db=4"});
    CHECK(socket.kind == Kind::unix_socket);
    CHECK(socket.path == "/run/my redis@1.sock");
    CHECK(socket.database == 4);
    CHECK(socket.username == "ada");
    CHECK(socket.password == "s@cret");
    CHECK(socket.nodes.empty());
  }
  CHECK(RedisUrl::parse("unix:///run/redis.sock").database == 0);
}

TEST_CASE("several hosts are a cluster, or Sentinels with their master's name") {
  CHECK(RedisUrl::parse("redis://node1:7000,node2:7001,[::1]/0") ==
        url(Kind::cluster, {{"node1", 7000}, {"node2", 7001}, {"::1", 6379}}));

  auto sentinel = url(Kind::sentinel, {{"s1", 26379}, {"s2", 26380}}, 2);
  sentinel.master_name = "my master";
  sentinel.password = "pw";
  CHECK(RedisUrl::parse("redis+sentinel://:pw@s1,s2:26380/my%20master/2") == sentinel);
  CHECK(RedisUrl::parse("redis+sentinel://s1/mymaster").database == 0);
}

TEST_CASE("to_string gives a URL that parses to the same, but for the password") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"redis://localhost", "redis://localhost:6379/0"},
      {"redis://:secret@localhost/1", "redis://:***@localhost:6379/1"},
      {"rediss://us%40er:secret@[fe80::1%25eth0]:6390", "rediss://us%40er:***@[fe80::1%25eth0]:6390/0"},
      {"redis://ada@h", "redis://ada@h:6379/0"},
      {"unix://:secret@/run/a%20b?db=3", "unix://:***@/run/a%20b?db=3"},
      {"redis://:secret@a,b:7000", "redis://:***@a:6379,b:7000/0"},
      {"rediss+sentinel://u:secret@a,b:1/m%2Fm/2", "rediss+sentinel://u:***@a:26379,b:1/m%2Fm/2"},
  };
  for (const auto& [text, printed] : cases) {
    auto parsed = RedisUrl::parse(text);
    CHECK(to_string(parsed) == printed);
    if (!parsed.password.empty()) parsed.password = "***";
    CHECK(RedisUrl::parse(printed) == parsed);
  }
}

TEST_CASE("a malformed URL is a ConfigError that says what was found and what is accepted") {
  struct Case {
    std::string url;
    std::string found;
    std::string accepted;
  };
  const std::string forms = "redis://[[username]:password@]host[:port][/database]";
  const std::vector<Case> cases{
      {"", "found nothing", forms},
      {"localhost:6379", "found no '://'", forms},
      {"unix:/run/redis.sock", "found no '://'", forms},
      {"http://x", "found the scheme 'http'", forms},
      {"REDIS://x", "found an unknown scheme", forms},
      {"redis://", "found no host", forms},
      {"redis:///0", "found no host", forms},
      {"redis://:6379", "found no host", forms},
      {"redis://:pw@", "found no host", forms},
      {"redis://a,,b", "found no host", forms},
      {"redis://a,", "found no host", forms},
      {"redis://h:6379abc", "found something else than a port after host 'h'", "a port from 1 to 65535"},
      {"redis://h:", "found something else than a port after host 'h'", "a port from 1 to 65535"},
      {"redis://h:+1", "found something else than a port after host 'h'", "a port from 1 to 65535"},
      {"redis://h:0", "found port 0 after host 'h'", "a port from 1 to 65535"},
      {"redis://h:70000", "found port 70000 after host 'h'", "a port from 1 to 65535"},
      {"redis://fe80::1", "found something else than a port", "an IPv6 address as [::1]"},
      {"redis://[::1]x", "found something else than a port", "a port from 1 to 65535"},
      {"redis://[::1", "found a '[' without its ']'", "an IPv6 address as [::1]"},
      {"redis://[]", "found brackets without an IPv6 address", "an IPv6 address as [::1]"},
      {"redis://[host]", "found brackets without an IPv6 address", "an IPv6 address as [::1]"},
      {"redis://[::1%25]", "found brackets without an IPv6 address", "an IPv6 address as [::1]"},
      {"redis://h st", "found a host with a character", "letters, digits"},
      {"redis://h\nst", "found a host with a character", "letters, digits"},
      {std::string{"redis://h\0st", 12}, "found a host with a character", "letters, digits"},
      {"redis://h\x7f", "found a host with a character", "letters, digits"},
      {"redis://" + std::string(254, 'h'), "found a host with a character", "at most 253"},
      {"redis://h/one", "found database 'one'", "a whole number from 0"},
      {"redis://h/-1", "found database '-1'", "a whole number from 0"},
      {"redis://h/2147483648", "found database '2147483648'", "to 2147483647"},
      {"redis://h/0/1", "found database '0/1'", "a whole number from 0"},
      {"redis://a:7000,b:7001/1", "found database 1 of a cluster", "database 0"},
      {"redis://a,b?db=1", "found database 1 of a cluster", "database 0"},
      {"redis://h/1?db=1", "found a database in the path and another after '?'", "one of the two"},
      {"redis://h?timeout=3", "found the parameter 'timeout'", "db=database"},
      {"redis://h?", "found a '?' without a parameter", "db=database"},
      {"redis://h?db=x", "found a 'db' that is not one whole number", "?db=0"},
      {"redis://h?db=1&db=2", "found a 'db' that is not one whole number", "?db=0"},
      {"redis://h/0#top", "found '#'", "%23"},
      {"redis://%zz@h", "found a '%' in the user name or password", "%NN"},
      {"redis://a:%4@h", "found a '%' in the user name or password", "%NN"},
      {"redis://:p/w@h", "found '@' after a '/', '?' or '#'", "%2F"},
      {"unix://run/redis.sock", "found a host", "with three slashes"},
      {"unix://", "found no path", "unix:///path/of/socket"},
      {"unix:///", "found no path", "unix:///path/of/socket"},
      {"unix:///run/%zz", "found no path", "%25"},
      {"unix:///run/a%00b", "found no path", "without control characters"},
      {"unix:///run/a%0Ab", "found no path", "without control characters"},
      {"unix:///" + std::string(107, 'a'), "found no path", "at most 107 bytes"},
      {"redis+sentinel://s:26379", "found no name of a master", "redis+sentinel://host[:port],…/master[/database]"},
      {"redis+sentinel://s/", "found no name of a master", "/master"},
      {"redis+sentinel://s/%0a", "found no name of a master", "/master"},
      {"redis+sentinel://s/m/x", "found database 'x'", "a whole number"},
  };
  for (const auto& [text, found, accepted] : cases) {
    const auto error = url_error(text);
    CAPTURE(text);
    CHECK_THAT(error, Contains("Redis URL '") && Contains(": " + found) && Contains("; accepted: "));
    CHECK_THAT(error, Contains(accepted));
  }
}

TEST_CASE("no error shows a password, wherever in a broken URL it stands") {
  for (const std::string url : {
           "redis://:hunter2@h:x",
           "redis://:hunter2@",
           "redis://ada:hunter2@h/one",
           "redis://ada:hunter2@h?x=1",
           "redis://:hunter2",
           "redis://ada:hunter2",
           "redis://:%zzhunter2@h",
           "redis://:a/hunter2@h",
           "redis://:a?b=hunter2@h",
           "redis://:a#hunter2@h",
           "redis://:a?hunter2=b@h",
           "redis://h?password=hunter2",
           "redis://h?hunter2",
           "redis:/:hunter2@h",
           ":hunter2@h",
           "hunter2@h",
           "hunter2",
           "http://:hunter2@h",
           "unix://:hunter2@h/run/redis.sock",
           "unix://hunter2@",
           "unix://:hunter2@/%zz",
           "redis+sentinel://:hunter2@s",
           "redis+sentinel://:a/hunter2@s/m",
           "redis://:hunter2@a,b/1",
           "redis://a:b@c:hunter2",
           "redis://:a@hunter2@:1",
           "redis://[::1]:hunter2",
       }) {
    const auto error = url_error(url);
    CAPTURE(url);
    CHECK_THAT(error, !Contains("hunter2"));
    CHECK_THAT(error, Contains("accepted: "));
    CHECK_THAT(cascor::detail::shown_url(url), !Contains("hunter2"));
  }
}

TEST_CASE("an address that is no URL is shown in the error, so that one sees what was found") {
  for (const std::string url : {"localhost", "localhost:6379", "http://localhost:6379/0", "REDIS://h", "redis//h:1/0",
                                "unix:/run/redis.sock", "[::1]:6379", "tcp://[::1]:6379"}) {
    CAPTURE(url);
    CHECK_THAT(url_error(url), Contains("Redis URL '" + url + "': found "));
  }
  CHECK_THAT(url_error("http://h\n:1"), Contains(R"('http://h\x0a:1')"));
  for (const std::string secret : {"hunter2", "http://h:hunter2", "localhost:hunter2", "ada:hunter2@h", "h:1?hunter2",
                                   "ada:hunter2://h", "redis://ada:hunter2://h:1", "http://ada:hunter2/x:1"})
    CHECK_THAT(url_error(secret), !Contains("hunter2") && Contains("***"));
  CHECK_THAT(url_error("ada:20071969"), !Contains("20071969"));  // no port has more than five digits
}

TEST_CASE("an error quotes the URL's harmless parts, without control characters") {
  CHECK_THAT(url_error("redis://ada:pw@h:0/1"), Contains("'redis://***@h:0/1'"));
  CHECK_THAT(url_error("redis://h\n/1"), Contains(R"('redis://h\x0a/1')"));
  CHECK_THAT(url_error("redis://h/x?db=1"), Contains("'redis://h/x?db=1'"));
}
