// A master, its replicas and the Sentinels that watch over them: real processes.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cascor/redis/options.hpp"
#include "support/eventually.hpp"
#include "support/redis_server.hpp"

namespace support {

class RedisSentinels {
 public:
  /// One master, two replicas, three Sentinels that call it "mymaster"; waits until they know each other. `password`:
  /// that of the servers and of the Sentinels.
  explicit RedisSentinels(const std::string& password = {}) : password_{password} {
    std::vector<std::string> arguments{"--repl-diskless-sync-delay", "0"};
    if (!password.empty()) {
      for (const char* option : {"--requirepass", "--masterauth"})
        arguments.insert(arguments.end(), {option, password});
    }
    for (int i = 0; i < 3; ++i) servers_.push_back(std::make_unique<RedisServer>(arguments));
    for (std::size_t i = 1; i < 3; ++i) {
      (void)server(i).raw("REPLICAOF", "127.0.0.1", std::to_string(server(0).port()));
    }
    std::string configuration = "sentinel monitor mymaster 127.0.0.1 " + std::to_string(server(0).port()) +
                                " 2\nsentinel down-after-milliseconds mymaster 1000\n"
                                "sentinel failover-timeout mymaster 3000\nsentinel parallel-syncs mymaster 2\n";
    if (!password.empty())
      configuration += "sentinel auth-pass mymaster " + password + "\nrequirepass " + password + '\n';
    for (int i = 0; i < 3; ++i) {
      sentinels_.push_back(std::make_unique<RedisServer>(SentinelConfiguration{configuration, password}));
    }
    wait_for([this] {
      for (auto& sentinel : sentinels_) {
        const auto master = sentinel->raw("SENTINEL", "MASTER", "mymaster");
        if (field(master, "num-other-sentinels") != "2" || field(master, "num-slaves") != "2" ||
            field(master, "flags") != "master") {
          return false;
        }
      }
      return server(1).info("master_link_status") == "up" && server(2).info("master_link_status") == "up";
    });
  }

  RedisServer& server(std::size_t i) { return *servers_.at(i); }
  RedisServer& sentinel(std::size_t i) { return *sentinels_.at(i); }
  std::vector<cascor::redis::Endpoint> endpoints() const {
    std::vector<cascor::redis::Endpoint> all;
    for (const auto& sentinel : sentinels_) {
      cascor::redis::Endpoint& endpoint = all.emplace_back();
      endpoint.host = "127.0.0.1";
      endpoint.port = static_cast<std::uint16_t>(sentinel->port());
    }
    return all;
  }
  std::string url() const {
    std::string all = "redis+sentinel://" + (password_.empty() ? "" : ':' + password_ + '@');
    for (const auto& sentinel : sentinels_) all += (sentinel == sentinels_.front() ? "" : ",") + sentinel->address();
    return all + "/mymaster/0";
  }

  /// The master's place, as a Sentinel that runs says.
  std::size_t master() {
    for (auto& sentinel : sentinels_) {
      if (!sentinel->runs()) continue;
      const auto address = sentinel->raw("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster");
      for (std::size_t i = 0; i < servers_.size(); ++i) {
        if (address.elements.size() == 2 && address.elements[1].text == std::to_string(server(i).port())) return i;
      }
    }
    throw std::runtime_error{"the Sentinels know no master"};
  }
  /// Waits until all replicas that run are in step with the master.
  void await_replicas() {
    wait_for([this] {
      const std::size_t master_now = master();
      for (std::size_t i = 0; i < servers_.size(); ++i) {
        if (i != master_now && server(i).runs() && server(i).info("master_link_status") != "up") return false;
      }
      return true;
    });
  }

 private:
  // Of a reply of names and values.
  static std::string field(const cascor::Reply& reply, const std::string& name) {
    for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
      if (reply.elements[i].text == name) return reply.elements[i + 1].text;
    }
    return {};
  }
  template <class Condition>
  static void wait_for(const Condition& condition) {
    if (!eventually(condition, std::chrono::seconds{60})) {
      throw std::runtime_error{"the Sentinels do not come together"};
    }
  }

  std::string password_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

}  // namespace support
