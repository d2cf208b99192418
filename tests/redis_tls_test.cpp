// TLS: whom it believes, what it says of those it does not, and that everything else is as on a plain connection.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "cascor/redis/redis_backend.hpp"
#include "cascor/redis/tls.hpp"
#include "support/captured_log.hpp"
#include "support/fault_proxy.hpp"
#include "support/redis_client.hpp"
#include "support/signal_storm.hpp"
#include "support/threads.hpp"
#include "support/tls_server.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::ConfigError;
using cascor::ConnectionError;
using cascor::StoreEntry;
using cascor::TimeoutError;
using cascor::redis::make_tls;
using cascor::redis::RedisOptions;
using cascor::redis::TlsOptions;
using RedisBackend = cascor::redis::RedisBackend<>;

namespace {

// What an operator reads of a dial that is refused, and what to do about it.
Seen refusal(const RedisOptions& options) {
  RedisBackend backend{options};
  Seen seen = error_of<ConnectionError>([&] { backend.ping(in(20s)); });
  const std::string start = "Error connecting to Redis on " + to_string(options.endpoint) + ": ";
  CHECK_THAT(seen.what, Catch::StartsWith(start));
  seen.what.erase(0, start.size());
  return seen;
}

bool stores_and_reads(RedisBackend& backend, const std::string& key, const std::string& value) {
  const std::vector<StoreEntry> entry{{key, value, cascor::no_expiry}};
  return backend.set_many(entry, in(20s)).at(0).stored && backend.get(key, in(20s)).bytes == value;
}

RedisOptions through(const FaultProxy& proxy, const TlsServer& server) {
  RedisOptions options = server.options();
  options.endpoint.port = proxy.endpoint().port;
  return options;
}

}  // namespace

TEST_CASE("values of every size go both ways, and are not what the network sees") {
  TlsServer server;
  RedisBackend backend{server.options()};
  for (const std::size_t size : {0U, 1U, 16'383U, 16'384U, 16'385U, 100'000U, 20'000'000U}) {
    CAPTURE(size);
    const std::string value(size, 'v');
    CHECK(stores_and_reads(backend, "k", value));
    CHECK(server.plain().raw("GET", "k").text == value);
  }
  CHECK(backend.stats().reconnects == 0);
}

TEST_CASE("the certificate is verified against the name that is dialled, or that of the configuration") {
  TlsServer server;
  RedisOptions options = server.options();
  options.endpoint.host = "localhost";
  CHECK_NOTHROW(RedisBackend{options}.ping(in(20s)));

  const Certificate of_another =
      server.certificates.signed_by(server.authority(), "redis.internal", "DNS:redis.internal,DNS:*.cache.internal");
  TlsServer elsewhere{{"--tls-auth-clients", "no"}, &of_another};
  TlsOptions tls;
  tls.ca_file = server.authority().file;
  const Seen seen = refusal(elsewhere.options(tls));
  CHECK(seen.what == "TLS: the server's certificate is for another name than 127.0.0.1");
  CHECK_THAT(seen.hint, Catch::Contains("tls.server_name"));
  for (const char* name : {"redis.internal", "one.cache.internal"}) {
    tls.server_name = name;
    CHECK_NOTHROW(RedisBackend{elsewhere.options(tls)}.ping(in(20s)));
  }
  tls.server_name = "redis.elsewhere";
  CHECK(refusal(elsewhere.options(tls)).what ==
        "TLS: the server's certificate is for another name than redis.elsewhere");
}

TEST_CASE("a certificate that has expired is refused, and so is one of an authority that nobody trusts") {
  Certificates certificates;
  const Certificate authority = certificates.authority("somebody");
  TlsOptions tls;
  tls.ca_file = authority.file;
  const Certificate old =
      certificates.signed_by(authority, "redis", "DNS:localhost,IP:127.0.0.1", Certificates::Lifetime::expired);
  TlsServer expired{{"--tls-auth-clients", "no"}, &old};
  const Seen seen = refusal(expired.options(tls));
  CHECK(seen.what == "TLS: the server's certificate has expired");
  CHECK_THAT(seen.hint, Catch::Contains("Renew"));

  TlsServer server;
  const Seen stranger = refusal(server.options(tls));
  CHECK(stranger.what == "TLS: the server's certificate is not of an authority that this program trusts");
  CHECK_THAT(stranger.hint, Catch::Contains("tls.ca_file"));
  CHECK(refusal(server.options(TlsOptions{})).what == stranger.what);  // the system's authorities

  const Certificate of_itself = certificates.authority("itself");
  TlsServer alone{{"--tls-auth-clients", "no"}, &of_itself};
  CHECK(refusal(alone.options(tls)).what == stranger.what);

  tls.verify = false;
  for (TlsServer* const any : {&expired, &server, &alone}) CHECK_NOTHROW(RedisBackend{any->options(tls)}.ping(in(20s)));
}

TEST_CASE("a server that wants our certificate gets it, or says that it wants one") {
  TlsServer server{{}};  // which asks for one by default
  TlsOptions tls = server.trusting();
  const Seen seen = refusal(server.options(tls));
  CHECK_THAT(seen.what, Catch::Contains("the server wants a certificate of ours"));
  CHECK_THAT(seen.hint, Catch::Contains("tls.cert_file"));

  const Certificate ours = server.certificates.signed_by(server.authority(), "us", {});
  tls.cert_file = ours.file;
  tls.key_file = ours.key_file;
  CHECK_NOTHROW(RedisBackend{server.options(tls)}.ping(in(20s)));

  Certificates others;
  const Certificate foreign = others.signed_by(others.authority("another authority"), "us", {});
  tls.cert_file = foreign.file;
  tls.key_file = foreign.key_file;
  CHECK_THAT(refusal(server.options(tls)).what,
             Catch::Contains("the server does not trust the authority of our certificate"));
}

TEST_CASE("a port that speaks plain text says so at once, and so does a TLS port that is spoken to in plain text") {
  TlsServer server;
  RedisOptions options = server.options();
  options.endpoint.port = static_cast<std::uint16_t>(server.plain().port());
  const Seen plain = refusal(options);
  CHECK(plain.what == "TLS: the server answers in plain text");
  CHECK_THAT(plain.hint, Catch::Contains("tls-port") && Catch::Contains("redis://"));

  options = server.options();
  options.secure = nullptr;
  CHECK_THAT(refusal(options).hint, Catch::Contains("rediss://"));
}

TEST_CASE("a handshake that nobody answers ends by the deadline") {
  ScriptedServer silent{[](ScriptedConnection& c, std::size_t) { c.listen_in_silence(); }};
  RedisOptions options = options_for(silent);
  options.secure = make_tls({});
  RedisBackend backend{options};
  const Seen seen = error_of<TimeoutError>([&] { backend.ping(in(100ms)); });
  CHECK(seen.what ==
        "Error connecting to Redis on " + silent.address() + ": TLS: the handshake was not answered in time");
  CHECK_THAT(seen.hint, Catch::Contains("plain text"));

  ScriptedServer gone{[](ScriptedConnection& c, std::size_t) { (void)c.some(1); }};
  options.endpoint.port = static_cast<std::uint16_t>(gone.port());
  CHECK_THAT(refusal(options).what, Catch::StartsWith("TLS: Connection "));
}

TEST_CASE("files that are not what they should be are a ConfigError that names them, before anything is dialled") {
  Certificates certificates;
  const Certificate one = certificates.authority("one");
  const Certificate other = certificates.authority("other");
  const std::string nonsense = certificates.nonsense();
  const auto what = [](TlsOptions options) { return what_of<ConfigError>([&] { (void)make_tls(options); }); };
  CHECK(what({.ca_file = "/no/such/file"}) == "tls.ca_file: /no/such/file: No such file or directory");
  CHECK(what({.ca_file = nonsense}) == "tls.ca_file: " + nonsense + ": no certificate in PEM form");
  CHECK(what({.cert_file = nonsense, .key_file = one.key_file}) ==
        "tls.cert_file: " + nonsense + ": no certificate in PEM form");
  CHECK(what({.cert_file = one.file, .key_file = other.key_file}) ==
        "tls.key_file: " + other.key_file + ": not the key of tls.cert_file");
  const std::string locked = certificates.encrypted_key_of(one);
  for (const std::string& file : {nonsense, locked}) {
    CHECK(what({.cert_file = one.file, .key_file = file}) ==
          "tls.key_file: " + file + ": no private key in PEM form, without a passphrase");
  }
}

TEST_CASE("64 threads share few connections under TLS, and each gets its own values") {
  TlsServer server;
  RedisOptions options = server.options();
  options.max_connections = 8;
  RedisBackend backend{options};
  std::atomic<int> wrong{0};
  in_threads(64, [&](std::size_t thread) {
    for (int i = 0; i < 50; ++i) {
      const std::string key = std::to_string(thread) + ':' + std::to_string(i);
      try {
        if (!stores_and_reads(backend, key, key)) ++wrong;
      } catch (const cascor::CacheError&) {
        ++wrong;
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(backend.pool().size <= 8);
  CHECK(backend.stats().batches < backend.stats().commands);
}

TEST_CASE("an idle connection is kept, though OpenSSL has said things on it, and replaced once it was closed") {
  TlsServer server;
  RedisOptions options = server.options();
  options.check_after_idle = 0ms;  // looked at before each use
  RedisBackend backend{options};
  for (int i = 0; i < 20; ++i) CHECK(stores_and_reads(backend, "k", "v"));
  CHECK(backend.stats().reconnects == 0);
  server.plain().raw("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  REQUIRE(eventually([&] { return server.plain().clients() == 0; }));
  CHECK(stores_and_reads(backend, "k", "v"));
  CHECK(backend.stats().reconnects == 1);
  CHECK(backend.stats().retries == 0);
}

TEST_CASE("whatever a connection suffers under TLS, the call ends by its deadline, and the next has its own answer") {
  struct sigaction now {};
  REQUIRE((::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL));
  TlsServer server;
  struct Suffered {
    const char* name;
    Fault fault;
    bool timeout;
  };
  for (const Suffered& suffered :
       {Suffered{"a byte every 80 ms", Fault::drip(80ms), true},
        Suffered{"an answer that comes an hour late", Fault::delay(1h), true},
        Suffered{"never answered", Fault::mute(), true}, Suffered{"a black hole", Fault::black_hole(), true},
        Suffered{"cut in the middle of a record", Fault::cut(7), false},
        Suffered{"reset in the middle of a record", Fault::reset(7), false},
        Suffered{"reset before the command got there", Fault::drop(), false},
        Suffered{"refused", Fault::refuse(), false}}) {
    for (const bool opened_before : {false, true}) {
      CAPTURE(suffered.name, opened_before);
      FaultProxy proxy{server.port()};
      RedisBackend backend{through(proxy, server)};
      if (opened_before) backend.ping(in(20s));
      server.plain().raw("SET", "k", "first");
      proxy.set(suffered.fault);
      const SignalStorm storm{50ms};
      std::string how = "with an answer";
      const auto took = time_of([&] {
        try {
          (void)backend.get("k", in(suffered.timeout ? 200ms : 20'000ms));
        } catch (const cascor::CacheError& error) {
          how = to_string(error.code());
        }
      });
      CHECK(how == (suffered.timeout ? "timeout" : "connection"));
      if (suffered.timeout) CHECK(took < 5s);
      CHECK(eventually([&] { return proxy.open() == 0; }));
      server.plain().raw("SET", "k", "second");
      proxy.heal();
      CHECK(eventually([&] {
        try {
          return backend.get("k", in(20s)).bytes == "second";
        } catch (const ConnectionError&) {  // the breaker may still be open
          return false;
        }
      }));
    }
  }
}

TEST_CASE("a large value for a server that does not read ends by the deadline, and a stop ends it at once") {
  TlsServer server;
  FaultProxy proxy{server.port()};
  RedisBackend backend{through(proxy, server)};
  backend.ping(in(20s));
  proxy.set(Fault::black_hole());
  const std::string value(50'000'000, 'v');
  const std::vector<StoreEntry> entry{{"k", value, cascor::no_expiry}};
  CHECK_THROWS_AS(backend.set_many(entry, in(200ms)), TimeoutError);
  proxy.heal();
  CHECK(stores_and_reads(backend, "k", "v"));

  server.plain().pause();
  std::thread caller{[&] {
    try {
      (void)backend.get("k", in(1h));
    } catch (const ConnectionError&) {
    }
  }};
  CHECK(eventually([&] { return backend.pool().in_use == 1; }));
  backend.stop();
  caller.join();
  server.plain().resume();
}

TEST_CASE("rediss:// in a configuration is TLS, and what is not verified is one line in the log") {
  TlsServer server;
  CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = server.url();
  config.connection_pool.timeout = 20s;
  config.log_sink = log.sink();
  config.strict = true;
  config.tls.ca_file = server.authority().file;
  {
    cascor::CacheManager cache{config};
    CHECK(cache.set("k", 1));
    CHECK(cache.get("k").tier() == cascor::CacheTier::redis);
    CHECK(log.mentions("Redis connection established: " + server.address()));
    CHECK_FALSE(log.mentions("not verified"));
  }
  config.tls.ca_file = {};
  CHECK_THROWS_AS(cascor::CacheManager{config}, ConnectionError);
  config.tls.verify = false;
  cascor::CacheManager cache{config};
  CHECK(*cache.get("k") == 1);
  CHECK(log.mentions("WARNING: TLS to " + server.address() + " is not verified"));
  config.tls.ca_file = "/no/such/file";
  CHECK_THROWS_AS(cascor::CacheManager{config}, ConfigError);
}
