// A redis-server that also listens for TLS, with certificates of the test's own.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cascor/redis/options.hpp"
#include "cascor/redis/tls.hpp"
#include "support/certificates.hpp"
#include "support/redis_server.hpp"

namespace support {

class TlsServer {
 public:
  /// With a good certificate for localhost and 127.0.0.1, or with `own`; `arguments` as "--tls-auth-clients", "no".
  explicit TlsServer(std::vector<std::string> arguments = {"--tls-auth-clients", "no"},
                     const Certificate* own = nullptr) {
    const Certificate& shown = own == nullptr ? certificate_ : *own;
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{"--tls-ca-cert-file", authority_.file},
                                                          {"--tls-cert-file", shown.file},
                                                          {"--tls-key-file", shown.key_file}}) {
      arguments.push_back(name);
      arguments.push_back(value);
    }
    for (int attempt = 0; !server_; ++attempt) {  // somebody else may take the port first
      port_ = free_port();
      auto with_port = arguments;
      with_port.insert(with_port.end(), {"--tls-port", std::to_string(port_)});
      try {
        server_ = std::make_unique<RedisServer>(with_port);
      } catch (const std::runtime_error&) {
        if (attempt == 3) throw;
      }
    }
  }

  /// Its plain side: what raw() asks and what starts and stops it.
  RedisServer& plain() noexcept { return *server_; }
  int port() const noexcept { return port_; }
  /// As the library's messages name its TLS port.
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "rediss://" + address() + "/0"; }
  const Certificate& authority() const noexcept { return authority_; }

  cascor::redis::TlsOptions trusting() const {
    cascor::redis::TlsOptions options;
    options.ca_file = authority_.file;
    return options;
  }
  cascor::redis::RedisOptions options() const { return options(trusting()); }
  cascor::redis::RedisOptions options(const cascor::redis::TlsOptions& tls) const {
    cascor::redis::RedisOptions options;
    options.endpoint.host = "127.0.0.1";
    options.endpoint.port = static_cast<std::uint16_t>(port_);
    options.secure = cascor::redis::make_tls(tls);
    return options;
  }

  Certificates certificates;

 private:
  Certificate authority_ = certificates.authority("test authority");
  Certificate certificate_ = certificates.signed_by(authority_, "redis", "DNS:localhost,IP:127.0.0.1");
  int port_ = 0;
  std::unique_ptr<RedisServer> server_;
};

}  // namespace support
