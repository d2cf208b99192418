#include "tls_probe.hpp"

#if CASCOR_CACHE_TLS

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cascor/core/errors.hpp>
#include <cascor/redis/descriptor.hpp>
#include <cascor/redis/resolver.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

namespace tool::doctor {
namespace {

struct Free {
  void operator()(SSL_CTX* one) const noexcept { SSL_CTX_free(one); }
  void operator()(SSL* one) const noexcept { SSL_free(one); }
  void operator()(X509* one) const noexcept { X509_free(one); }
  void operator()(BIO* one) const noexcept { BIO_free(one); }
  void operator()(GENERAL_NAMES* one) const noexcept { GENERAL_NAMES_free(one); }
  void operator()(std::FILE* one) const noexcept { (void)std::fclose(one); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

double seconds_until(const ASN1_TIME* when) {
  int days = 0;
  int seconds = 0;
  return ASN1_TIME_diff(&days, &seconds, nullptr, when) == 1 ? days * 86'400.0 + seconds : 0;
}

std::string subject_of(const X509* certificate) {
  const Owned<BIO> text{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE);
  std::string subject(256, '\0');
  const int size = BIO_read(text.get(), subject.data(), static_cast<int>(subject.size()));
  subject.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return subject;
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  const Owned<GENERAL_NAMES> all{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int kind = 0;
    const auto* const value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &kind));
    const unsigned char* const bytes = ASN1_STRING_get0_data(value);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
    if (kind == GEN_DNS) names.emplace_back(reinterpret_cast<const char*>(bytes), size);
    if (kind == GEN_IPADD && (size == 4 || size == 16)) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      if (::inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text.data(), text.size()) != nullptr)
        names.emplace_back(text.data());
    }
  }
  return names;
}

bool has_name(X509* certificate, const std::string& name) {
  if (X509_check_ip_asc(certificate, name.c_str(), 0) == 1) return true;
  return X509_check_host(certificate, name.c_str(), name.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

// Connected to the first address that can be, and with a time limit; none: -1.
cascor::redis::Descriptor connected(const cascor::redis::Endpoint& endpoint, cascor::Deadline by) {
  for (const auto& address : cascor::redis::resolve(endpoint.host, endpoint.port, to_string(endpoint), by)) {
    cascor::redis::Descriptor socket{::socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto left = by.remaining() / 2;
    timeval limit{};
    limit.tv_sec = static_cast<time_t>(left.count() / 1000);
    limit.tv_usec = static_cast<suseconds_t>(left.count() % 1000 * 1000);
    if (left.count() == 0) break;
    for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO})
      (void)::setsockopt(socket.fd(), SOL_SOCKET, which, &limit, sizeof limit);
    if (::connect(socket.fd(), address.get(), address.size) == 0) return socket;
  }
  return cascor::redis::Descriptor{-1};
}

// OpenSSL writes to its socket without MSG_NOSIGNAL.
class NoBrokenPipes {
 public:
  NoBrokenPipes() noexcept : before_{std::signal(SIGPIPE, SIG_IGN)} {}
  NoBrokenPipes(const NoBrokenPipes&) = delete;
  NoBrokenPipes& operator=(const NoBrokenPipes&) = delete;
  ~NoBrokenPipes() { (void)std::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int);
};

void look_at_ours(const cascor::TlsConfig& config, TlsFacts& facts) {
  if (config.cert_file.empty()) return;
  facts.own_file = config.cert_file;
  const Owned<std::FILE> file{std::fopen(config.cert_file.c_str(), "re")};
  if (!file) return;
  if (const Owned<X509> ours{PEM_read_X509(file.get(), nullptr, nullptr, nullptr)})
    facts.own_seconds_left = seconds_until(X509_get0_notAfter(ours.get()));
}

void look_at_theirs(SSL* ssl, TlsFacts& facts) {
  const Owned<X509> certificate{SSL_get1_peer_certificate(ssl)};
  if (!certificate) return;
  facts.shaken = true;
  facts.version = SSL_get_version(ssl);
  facts.subject = subject_of(certificate.get());
  facts.names = names_of(certificate.get());
  facts.name_fits = has_name(certificate.get(), facts.wanted_name);
  facts.seconds_to_begin = seconds_until(X509_get0_notBefore(certificate.get()));
  facts.seconds_left = seconds_until(X509_get0_notAfter(certificate.get()));
  STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    facts.seconds_left = std::min(facts.seconds_left, seconds_until(X509_get0_notAfter(sk_X509_value(chain, i))));
  }
  const long verdict = SSL_get_verify_result(ssl);
  facts.trusted = verdict == X509_V_OK;
  if (!facts.trusted) facts.chain_error = X509_verify_cert_error_string(verdict);
}

}  // namespace

TlsFacts probe_tls(const cascor::redis::Endpoint& endpoint, const cascor::TlsConfig& config, cascor::Deadline by) {
  TlsFacts facts;
  facts.wanted = true;
  facts.verify = config.verify;
  facts.ca_file = config.ca_file;
  facts.wanted_name = config.server_name.empty() ? endpoint.host : config.server_name;
  look_at_ours(config, facts);
  try {
    const Owned<SSL_CTX> context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    if (config.ca_file.empty()) {
      SSL_CTX_set_default_verify_paths(context.get());
    } else {
      SSL_CTX_load_verify_locations(context.get(), config.ca_file.c_str(), nullptr);
    }
    if (!config.cert_file.empty() && !config.key_file.empty()) {
      SSL_CTX_use_certificate_chain_file(context.get(), config.cert_file.c_str());
      SSL_CTX_use_PrivateKey_file(context.get(), config.key_file.c_str(), SSL_FILETYPE_PEM);
    }
    const auto socket = connected(endpoint, by);
    if (socket.fd() < 0) return facts;
    const NoBrokenPipes quiet;
    const Owned<SSL> ssl{SSL_new(context.get())};
    SSL_set_fd(ssl.get(), socket.fd());
    // By what the macro stands for, which has casts that warn here.
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(facts.wanted_name.c_str()));
    if (SSL_connect(ssl.get()) == 1) look_at_theirs(ssl.get(), facts);
  } catch (const cascor::CacheError&) {  // no such name: dialling says so
  }
  return facts;
}

}  // namespace tool::doctor

#else

namespace tool::doctor {

TlsFacts probe_tls(const cascor::redis::Endpoint&, const cascor::TlsConfig&, cascor::Deadline) { return {}; }

}  // namespace tool::doctor

#endif
