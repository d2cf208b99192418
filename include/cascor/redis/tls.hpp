// TLS for a connection to Redis. The one file that knows OpenSSL is tls.ipp.
#pragma once

#include <memory>
#include <string>

#include "cascor/redis/transport.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Files in PEM form.
struct TlsOptions {
  std::string ca_file{};      ///< whom to trust; empty: the system's authorities
  std::string cert_file{};    ///< our certificate, and those between it and its authority; empty: none
  std::string key_file{};     ///< its private key, without a passphrase
  bool verify = true;         ///< chain and name of the server's certificate
  std::string server_name{};  ///< the name that the certificate must have; empty: the host that is dialled
};

/// TLS 1.2 or 1.3. Reads the files now. Throws ConfigError that names the file and what is wrong with it; always where
/// the program was compiled without OpenSSL.
CASCOR_CACHE_FN cascor::detail::Dependent<std::shared_ptr<const SecureLayer>, CascorWhenUsed> make_tls(
    const TlsOptions& options);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/tls.ipp"
#endif
