// OpenSSL over a socket of ours: it asks for bytes and has bytes to send, we wait for the socket by the call's
// deadline. Its own way to a socket is not used, as that raises SIGPIPE.
#pragma once

#include "cascor/core/errors.hpp"
#include "cascor/redis/tls.hpp"

#if CASCOR_CACHE_TLS

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "cascor/redis/plain_text.hpp"
#include "cascor/redis/stopper.hpp"
#include "cascor/redis/stream_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

struct FreeOpenSsl {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};

// What OpenSSL reads from and writes to, without ever waiting.
template <class CascorWhenUsed>
struct TlsSocket {
  Descriptor socket;
  int error = 0;       // of the last call that failed
  bool ended = false;  // the peer has closed
  bool heard = false;  // anything from it

  static int write(BIO* bio, const char* bytes, int size) noexcept {
    auto& self = *static_cast<TlsSocket*>(BIO_get_data(bio));
    return self.result(bio,
                       ::send(self.socket.fd(), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT),
                       BIO_FLAGS_WRITE);
  }
  static int read(BIO* bio, char* into, int size) noexcept {
    auto& self = *static_cast<TlsSocket*>(BIO_get_data(bio));
    const ssize_t got = ::recv(self.socket.fd(), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got == 0) self.ended = true;
    if (got > 0) self.heard = true;
    return self.result(bio, got, BIO_FLAGS_READ);
  }
  // A signal that interrupts is as good as nothing there yet: poll() tells.
  int result(BIO* bio, ssize_t done, int wanted) noexcept {
    BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (done >= 0) return static_cast<int>(done);
    error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) {
      BIO_set_flags(bio, wanted | BIO_FLAGS_SHOULD_RETRY);
    }
    return -1;
  }
  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cascor-cache");
      if (method == nullptr) throw std::bad_alloc{};
      BIO_meth_set_write(method, &write);
      BIO_meth_set_read(method, &read);
      BIO_meth_set_ctrl(method, &control);
      return method;
    }();
    return made;
  }
};

struct TlsTrouble {
  std::string what;
  std::string hint;
};

CASCOR_CACHE_FN TlsTrouble trouble_with_certificate(long verdict, const std::string& name) {
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {"the server's certificate has expired",
              "Renew the certificate (or that of its authority) on the server, or set this machine's clock."};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {"the server's certificate is not valid yet",
              "Set the clock of this machine, or of the one that made it."};
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {"the server's certificate is for another name than " + name,
              "Put a name into redis_url that the certificate has, or give that name in tls.server_name."};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return {"the server's certificate is not of an authority that this program trusts",
              "Give the certificate of the server's authority in tls.ca_file."};
    default: break;
  }
  return {std::string{"the server's certificate is refused: "} + X509_verify_cert_error_string(verdict),
          "See what `openssl s_client -connect host:port` says of it."};
}

CASCOR_CACHE_FN TlsTrouble speaks_plain_text() {
  return {"the server answers in plain text", "Dial its tls-port, or leave TLS out (redis://)."};
}

CASCOR_CACHE_FN TlsTrouble trouble_with_handshake(unsigned long code) {
  constexpr const char* our_certificate =
      "See whether tls.cert_file is of an authority that the server trusts "
      "(tls-ca-cert-file there), and valid.";
  switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG: return speaks_plain_text();
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return {"the server wants a certificate of ours", "Give one in tls.cert_file and tls.key_file."};
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return {"the server refuses the handshake",
              "It may want a certificate of ours (tls.cert_file and tls.key_file), or "
              "have no cipher in common (tls-ciphers there)."};
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return {"the server does not trust the authority of our certificate", our_certificate};
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return {"our certificate has expired", "Renew tls.cert_file."};
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: return {"the server refuses our certificate", our_certificate};
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return {"no version of TLS in common", "We speak 1.2 and 1.3: see tls-protocols on the server."};
    default: break;
  }
  const char* const words = ERR_reason_error_string(code);
  return {words == nullptr ? "an error without words" : words,
          "See what `openssl s_client -connect host:port` and the server's log say."};
}

template <class CascorWhenUsed>
class TlsTransport final : public Transport {
 public:
  TlsTransport(SSL_CTX* context, Descriptor socket, std::string peer) : ssl_{SSL_new(context)}, peer_{std::move(peer)} {
    stream_.socket = std::move(socket);
    BIO* const bio = BIO_new(TlsSocket<CascorWhenUsed>::method());
    if (!ssl_ || bio == nullptr) {
      BIO_free(bio);
      throw std::bad_alloc{};
    }
    BIO_set_data(bio, &stream_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }

  void shake_hands(const std::string& name, bool verify, Deadline by, int stop_fd) {
    expect(name, verify);
    const std::string before = "Error connecting to Redis on " + peer_ + ": TLS: ";
    Deadline until = Deadline::sooner({by.clock(), milliseconds{1000}}, {by.clock(), by.remaining() / 2});
    while (true) {
      const int status = step([this] { return SSL_connect(ssl_.get()); });
      if (status == SSL_ERROR_NONE) return;
      const int error = wait(status, until, stop_fd);
      if (error == 0) continue;
      if (error == ETIMEDOUT && until.at() != by.at()) {
        const Deadline half{by.clock(), by.remaining() / 2};
        if (!stream_.heard && answers_in_plain_text(stream_.socket.fd(), half, stop_fd)) {
          const TlsTrouble trouble = speaks_plain_text();
          throw ConnectionError{before + trouble.what, trouble.hint};
        }
        until = by;
        continue;
      }
      if (error == ECANCELED) Stopper<>::raise();
      if (error == ETIMEDOUT) {
        throw TimeoutError{before + "the handshake was not answered in time",
                           "See whether the server is busy, or the port expects plain text (redis://)."};
      }
      const TlsTrouble trouble = trouble_of(status, name);
      throw ConnectionError{before + trouble.what, trouble.hint};
    }
  }

  void send(std::string_view bytes, std::size_t& written, Deadline by) override {
    while (!bytes.empty()) {
      std::size_t some = 0;
      const int status = step([&] { return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &some); });
      if (status == SSL_ERROR_NONE) {
        written += some;
        bytes.remove_prefix(some);
        if (!bytes.empty() && by.passed()) raise_timeout("sending to", peer_);
      } else {
        wait_or_throw(status, "sending to", by);
      }
    }
  }

  std::size_t receive(std::span<char> into, Deadline by) override {
    while (true) {
      if (by.passed()) raise_timeout("waiting for", peer_);
      std::size_t got = 0;
      const int status = step([&] { return SSL_read_ex(ssl_.get(), into.data(), into.size(), &got); });
      if (status == SSL_ERROR_NONE) return got;
      wait_or_throw(status, "waiting for", by);
    }
  }

  Input await_input(Deadline by, int wake_fd) noexcept override {
    while (may_be_quiet()) {
      const int error = wait_until_ready(stream_.socket.fd(), POLLIN, by, wake_fd);
      if (error == ECANCELED) return Input::woken;
      if (error == ETIMEDOUT) return Input::none;
      if (error != 0) break;
    }
    return Input::there;  // receive() says what else is wrong
  }

  // What OpenSSL says to itself, such as tickets for a next session, is no disturbance.
  bool disturbed() noexcept override {
    pollfd watch{stream_.socket.fd(), POLLIN, 0};
    if (SSL_has_pending(ssl_.get()) == 0 && ::poll(&watch, 1, 0) == 0) return false;
    return !may_be_quiet();
  }

  void interrupt() noexcept override { (void)::shutdown(stream_.socket.fd(), SHUT_RDWR); }

 private:
  // Is there nothing that receive() would give or throw?
  bool may_be_quiet() noexcept {
    char byte = 0;
    std::size_t got = 0;
    return step([&] { return SSL_peek_ex(ssl_.get(), &byte, 1, &got); }) == SSL_ERROR_WANT_READ;
  }
  // Whom to ask for, and whom to believe.
  void expect(const std::string& name, bool verify) {
    std::array<unsigned char, 16> address{};
    const bool is_address = ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
                            ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
    // SSL_set_tlsext_host_name() by what it stands for: the macro has casts that warn here.
    bool done = is_address || SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                       const_cast<char*>(name.c_str())) == 1;
    if (verify) {
      X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl_.get());
      X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      done = done && !name.empty() &&
             (is_address ? X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str())
                         : X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size())) == 1;
    }
    SSL_set_verify(ssl_.get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (!done) {
      throw ConfigError{"TLS: no certificate can have the name \"" + name + '"',
                        "Correct tls.server_name or redis_url."};
    }
  }

  // What came of it: SSL_ERROR_NONE, or why not.
  template <class Step>
  int step(const Step& take) noexcept {
    ERR_clear_error();  // the thread's, where the application may have left something
    stream_.error = 0;
    const int result = take();
    return result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
  }
  // 0 once it may go on, or ETIMEDOUT, ECANCELED, EPROTO.
  int wait(int status, Deadline by, int stop_fd) const noexcept {
    if (status != SSL_ERROR_WANT_READ && status != SSL_ERROR_WANT_WRITE) return EPROTO;
    return wait_until_ready(stream_.socket.fd(), status == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, by, stop_fd);
  }
  void wait_or_throw(int status, const char* doing, Deadline by) {
    const int error = wait(status, by, -1);
    if (error == ETIMEDOUT) raise_timeout(doing, peer_);
    if (error == EPROTO) {
      TlsTrouble trouble = trouble_of(status, {});
      // Who cannot send any more may not have heard yet why.
      if (char byte = 0; status == SSL_ERROR_SYSCALL) {
        std::size_t got = 0;
        const int last = step([&] { return SSL_peek_ex(ssl_.get(), &byte, 1, &got); });
        if (last == SSL_ERROR_SSL) trouble = trouble_of(last, {});
      }
      if (trouble.hint.empty()) raise_lost(peer_, trouble.what);
      throw ConnectionError{"Lost the connection to Redis on " + peer_ + ": TLS: " + trouble.what, trouble.hint};
    }
    if (error != 0) raise_lost(peer_, system_words(error));
  }
  // Without a hint: a lost connection like any other.
  TlsTrouble trouble_of(int status, const std::string& name) const {
    const bool shaking_hands = SSL_is_init_finished(ssl_.get()) == 0;
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (shaking_hands && verdict != X509_V_OK && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE) {
      return trouble_with_certificate(verdict, name);
    }
    if (const unsigned long code = ERR_peek_error(); status == SSL_ERROR_SSL && code != 0) {
      return trouble_with_handshake(code);
    }
    const char* const hint = "See the server's log; the port may expect plain text (redis://).";
    return {stream_.error == 0 ? "Connection closed by the server" : system_words(stream_.error),
            shaking_hands ? hint : ""};
  }

  TlsSocket<CascorWhenUsed> stream_;
  std::unique_ptr<cascor::detail::Dependent<SSL, CascorWhenUsed>, FreeOpenSsl> ssl_;
  std::string peer_;
};

template <class CascorWhenUsed>
class TlsLayer final : public SecureLayer {
 public:
  explicit TlsLayer(TlsOptions options) : options_{std::move(options)}, context_{SSL_CTX_new(TLS_client_method())} {
    SSL_CTX* const context = context_.get();
    if (context == nullptr) throw std::bad_alloc{};
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // What is left of a write that had to wait is taken from wherever it is by then.
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // OpenSSL would ask the terminal for a passphrase.
    SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
    load();
  }

  std::unique_ptr<cascor::detail::Dependent<Transport, CascorWhenUsed>> over(Descriptor socket,
                                                                             const Endpoint& endpoint, Deadline by,
                                                                             int stop_fd) const override {
    auto made = std::make_unique<TlsTransport<CascorWhenUsed>>(context_.get(), std::move(socket), to_string(endpoint));
    made->shake_hands(options_.server_name.empty() ? endpoint.host : options_.server_name, options_.verify, by,
                      stop_fd);
    return made;
  }

 private:
  void load() {
    SSL_CTX* const context = context_.get();
    ERR_clear_error();
    if (!options_.ca_file.empty()) {
      readable_file("tls.ca_file", options_.ca_file);
      if (SSL_CTX_load_verify_locations(context, options_.ca_file.c_str(), nullptr) != 1) {
        refuse("tls.ca_file", options_.ca_file, "no certificate in PEM form");
      }
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
      throw ConfigError{"TLS: the system's authorities cannot be read", "Name a file of them in tls.ca_file."};
    }
    if (options_.cert_file.empty() && options_.key_file.empty()) return;
    readable_file("tls.cert_file", options_.cert_file);
    if (SSL_CTX_use_certificate_chain_file(context, options_.cert_file.c_str()) != 1) {
      refuse("tls.cert_file", options_.cert_file, "no certificate in PEM form");
    }
    readable_file("tls.key_file", options_.key_file);
    if (SSL_CTX_use_PrivateKey_file(context, options_.key_file.c_str(), SSL_FILETYPE_PEM) == 1) return;
    const bool of_another = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    refuse("tls.key_file", options_.key_file,
           of_another ? "not the key of tls.cert_file" : "no private key in PEM form, without a passphrase");
  }
  static void readable_file(const char* key, const std::string& path) {
    if (::access(path.c_str(), R_OK) != 0) refuse(key, path, system_words(errno));
  }
  [[noreturn]] static void refuse(const std::string& key, const std::string& path, const std::string& why) {
    ERR_clear_error();
    throw ConfigError{key + ": " + path + ": " + why, "Name a file in PEM form that this user may read."};
  }

  TlsOptions options_;
  std::unique_ptr<cascor::detail::Dependent<SSL_CTX, CascorWhenUsed>, FreeOpenSsl> context_;
};

}  // namespace detail

CASCOR_CACHE_DEF cascor::detail::Dependent<std::shared_ptr<const SecureLayer>, CascorWhenUsed> make_tls(
    const TlsOptions& options) {
  return std::make_shared<const detail::TlsLayer<CascorWhenUsed>>(options);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#else

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF cascor::detail::Dependent<std::shared_ptr<const SecureLayer>, CascorWhenUsed> make_tls(
    const TlsOptions& /*options*/) {
  throw ConfigError{"TLS: this program was compiled without OpenSSL", "Compile it where OpenSSL's headers are."};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#endif
