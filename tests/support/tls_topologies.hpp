// A Redis Cluster, and a master with its Sentinels, that speak nothing but TLS, with certificates of the test's own.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cascor/config/cache_config.hpp"
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/redis_server.hpp"

namespace support {

/// Servers with a TLS port each, beside the plain one by which the test talks to them; what they say to each other
/// is TLS too. Their one certificate is for 127.0.0.1.
class TlsServers {
 public:
  RedisServer& start(std::vector<std::string> arguments) {
    add_tls(arguments);
    servers_.push_back(std::make_unique<RedisServer>(arguments));
    return *servers_.back();
  }
  RedisServer& start_sentinel(std::string configuration) {
    std::vector<std::string> arguments;
    add_tls(arguments);
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
      configuration += arguments[i].substr(2) + ' ' + arguments[i + 1] + '\n';
    }
    servers_.push_back(std::make_unique<RedisServer>(SentinelConfiguration{configuration, {}}));
    return *servers_.back();
  }
  RedisServer& plain(std::size_t i) { return *servers_.at(i); }
  int port(std::size_t i) const { return ports_.at(i); }
  std::string address(std::size_t i) const { return "127.0.0.1:" + std::to_string(port(i)); }
  void trust(cascor::CacheConfig& config) const { config.tls.ca_file = authority_.file; }

 private:
  void add_tls(std::vector<std::string>& arguments) {
    ports_.push_back(free_port());
    for (const auto& [name, value] :
         std::vector<std::pair<std::string, std::string>>{{"--tls-port", std::to_string(ports_.back())},
                                                          {"--tls-ca-cert-file", authority_.file},
                                                          {"--tls-cert-file", certificate_.file},
                                                          {"--tls-key-file", certificate_.key_file},
                                                          {"--tls-auth-clients", "no"},
                                                          {"--tls-replication", "yes"}}) {
      arguments.push_back(name);
      arguments.push_back(value);
    }
  }

  Certificates certificates_;
  Certificate authority_ = certificates_.authority("test authority");
  Certificate certificate_ = certificates_.signed_by(authority_, "redis", "IP:127.0.0.1");
  std::vector<int> ports_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
};

/// Two masters, with half of the slots each.
class TlsCluster {
 public:
  TlsCluster() {
    for (int i = 0; i < 2; ++i) {
      servers_.start({"--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-node-timeout", "2000"});
    }
    servers_.plain(0).raw("CLUSTER", "ADDSLOTSRANGE", "0", "8191");
    servers_.plain(1).raw("CLUSTER", "ADDSLOTSRANGE", "8192", "16383");
    servers_.plain(0).raw("CLUSTER", "MEET", "127.0.0.1", std::to_string(servers_.port(1)));
    const auto whole = [this](std::size_t i) {
      return servers_.plain(i).raw("CLUSTER", "INFO").text.find("cluster_state:ok") != std::string::npos &&
             servers_.plain(i).raw("CLUSTER", "SLOTS").elements.size() == 2;
    };
    if (!eventually([&] { return whole(0) && whole(1); }, std::chrono::seconds{60})) {
      throw std::runtime_error{"the cluster does not come together"};
    }
  }
  std::string url() const { return "rediss://" + servers_.address(0) + ',' + servers_.address(1) + "/0"; }
  TlsServers& servers() noexcept { return servers_; }

 private:
  TlsServers servers_;
};

/// A master, a replica and one Sentinel.
class TlsSentinel {
 public:
  TlsSentinel() {
    servers_.start({"--repl-diskless-sync-delay", "0"});
    servers_.start({"--repl-diskless-sync-delay", "0"});
    servers_.plain(1).raw("REPLICAOF", "127.0.0.1", std::to_string(servers_.port(0)));
    servers_.start_sentinel("sentinel monitor mymaster 127.0.0.1 " + std::to_string(servers_.port(0)) +
                            " 1\nsentinel down-after-milliseconds mymaster 1000\n"
                            "sentinel failover-timeout mymaster 3000\n");
    if (!eventually([this] { return servers_.plain(1).info("master_link_status") == "up" && replicas() == "1"; },
                    std::chrono::seconds{60})) {
      throw std::runtime_error{"the Sentinel knows no replica"};
    }
  }
  std::string url() const { return "rediss+sentinel://" + servers_.address(2) + "/mymaster/0"; }
  TlsServers& servers() noexcept { return servers_; }

 private:
  std::string replicas() {
    const auto told = servers_.plain(2).raw("SENTINEL", "MASTER", "mymaster");
    for (std::size_t i = 0; i + 1 < told.elements.size(); i += 2) {
      if (told.elements[i].text == "num-slaves") return told.elements[i + 1].text;
    }
    return {};
  }

  TlsServers servers_;
};

}  // namespace support
