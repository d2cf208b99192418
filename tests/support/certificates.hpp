// Certificates for the tests of TLS, made as they are needed: authorities, servers' certificates for names and
// addresses, clients' ones, good or expired.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/temporary_folder.hpp"

namespace support {

/// An authority, or what it has signed: a certificate and its key, in memory and as PEM files.
class Certificate {
 public:
  std::string file;      ///< the certificate
  std::string key_file;  ///< its key

 private:
  friend class Certificates;
  struct Free {
    void operator()(X509* one) const noexcept { X509_free(one); }
    void operator()(EVP_PKEY* one) const noexcept { EVP_PKEY_free(one); }
  };
  std::unique_ptr<X509, Free> certificate_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

class Certificates {
 public:
  enum class Lifetime : unsigned char { good, expired };

  /// One that signs others, and itself.
  Certificate authority(const std::string& name) { return made(name, {}, nullptr, Lifetime::good); }
  /// `alternatives` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1".
  Certificate signed_by(const Certificate& authority, const std::string& name, const std::string& alternatives,
                        Lifetime lifetime = Lifetime::good) {
    return made(name, alternatives, &authority, lifetime);
  }
  /// A file that holds no certificate.
  std::string nonsense() const {
    const std::string path = path_of("nonsense.pem");
    write(path, [](std::FILE* file) { return std::fputs("no certificate\n", file) >= 0; });
    return path;
  }
  /// The certificate's key under a passphrase.
  std::string encrypted_key_of(const Certificate& one) const {
    const std::string path = path_of("encrypted.pem");
    write(path, [&](std::FILE* file) {
      const unsigned char* const secret = reinterpret_cast<const unsigned char*>("secret");
      return PEM_write_PrivateKey(file, one.key_.get(), EVP_aes_128_cbc(), secret, 6, nullptr, nullptr) == 1;
    });
    return path;
  }

 private:
  Certificate made(const std::string& name, const std::string& alternatives, const Certificate* authority,
                   Lifetime lifetime) {
    constexpr long day = 24 * 60 * 60;
    Certificate one;
    one.key_.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    one.certificate_.reset(X509_new());
    X509* const certificate = one.certificate_.get();
    const Certificate& signer = authority == nullptr ? one : *authority;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++count_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * day);
    X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime == Lifetime::good ? day : -day);
    X509_set_pubkey(certificate, one.key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate_.get()));
    add(certificate, NID_basic_constraints, authority == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternatives.empty()) add(certificate, NID_subject_alt_name, alternatives);
    if (X509_sign(certificate, signer.key_.get(), EVP_sha256()) == 0) throw std::runtime_error{"nothing was signed"};

    const std::string stem = path_of(std::to_string(count_));
    one.file = stem + ".crt";
    one.key_file = stem + ".key";
    write(one.file, [&](std::FILE* file) { return PEM_write_X509(file, certificate) == 1; });
    write(one.key_file, [&](std::FILE* file) {
      return PEM_write_PrivateKey(file, one.key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
    });
    return one;
  }
  static void add(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    if (extension == nullptr) throw std::runtime_error{"no such extension: " + value};
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <class Write>
  static void write(const std::string& path, const Write& by) {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    const bool written = file != nullptr && by(file);
    if (file == nullptr || std::fclose(file) != 0 || !written) throw std::runtime_error{"not written: " + path};
  }
  std::string path_of(const std::string& name) const { return (folder_.path() / name).string(); }

  TemporaryFolder folder_;
  int count_ = 0;
};

}  // namespace support
