// What an application feels of failovers: a master, two replicas and three Sentinels of this program's own, a load
// through CacheManager, and a master that is replaced by hand, killed, and made to hang.
//
// Exit code: 0 when the application got back to Redis each time, 1 when not, 2 for bad options.
#include <cascor/cache.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "felt_load.hpp"
#include "own_servers.hpp"
#include "program.hpp"

namespace {

using namespace std::chrono_literals;
using examples::await;
using examples::ServerProcess;

constexpr const char* usage = R"(Usage: failover [--seconds N]
  --seconds N  how long the load runs before each failover (default 1)
)";

class Watched {
 public:
  Watched() {
    for (int i = 0; i < 3; ++i) {
      servers_.push_back(std::make_unique<ServerProcess>(std::vector<std::string>{"--repl-diskless-sync-delay", "0"}));
    }
    for (std::size_t i = 1; i < 3; ++i) {
      servers_[i]->tell({"REPLICAOF", "127.0.0.1", std::to_string(servers_[0]->port())});
    }
    for (int i = 0; i < 3; ++i) {
      sentinels_.push_back(std::make_unique<ServerProcess>(
          std::vector<std::string>{}, "sentinel monitor mymaster 127.0.0.1 " + std::to_string(servers_[0]->port()) +
                                          " 2\nsentinel down-after-milliseconds mymaster 1000\n"
                                          "sentinel failover-timeout mymaster 3000\n"));
    }
    await("that the Sentinels know each other", [this] {
      for (auto& sentinel : sentinels_) {
        const auto told = sentinel->tell({"SENTINEL", "MASTER", "mymaster"});
        for (std::size_t i = 0; i + 1 < told.elements.size(); i += 2) {
          const auto& name = told.elements[i].text;
          if ((name == "num-other-sentinels" || name == "num-slaves") && told.elements[i + 1].text != "2") return false;
        }
      }
      return true;
    });
    await_replicas();
  }
  std::string url() const {
    std::string all;
    for (const auto& sentinel : sentinels_) all += (all.empty() ? "" : ",") + sentinel->address();
    return "redis+sentinel://" + all + "/mymaster/0";
  }
  ServerProcess& sentinel() { return *sentinels_.front(); }
  ServerProcess& master() {
    const auto told = sentinel().tell({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"});
    for (auto& server : servers_) {
      if (told.elements.size() == 2 && told.elements[1].text == std::to_string(server->port())) return *server;
    }
    throw std::runtime_error{"the Sentinels know no master"};
  }
  void await_replicas() {
    await("that the replicas follow the master", [this] {
      const ServerProcess* const now = &master();
      for (auto& server : servers_) {
        if (server.get() != now && server->replication("master_link_status") != "up") return false;
      }
      return true;
    });
  }

 private:
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  std::vector<std::unique_ptr<ServerProcess>> sentinels_;
};

int run(std::chrono::seconds each) {
  Watched all;
  cascor::CacheManager cache{examples::watched(all.url())};
  examples::FeltLoad load{cache};
  const auto fail_over = [&](const char* name, const auto& end_master, const auto& mend) {
    load.enter("calm");
    all.await_replicas();
    std::this_thread::sleep_for(each);
    ServerProcess& old = all.master();
    load.enter(name);
    std::printf("-- %s: %s\n", name, old.address().c_str());
    end_master(old);
    await("an election", [&] { return &all.master() != &old; });
    load.elected();
    await("a write after the election", [&] { return load.wrote_since_election(); });
    mend(old);
  };
  fail_over(
      "SENTINEL FAILOVER",
      [&](ServerProcess&) {
        all.sentinel().tell({"SENTINEL", "FAILOVER", "mymaster"});
      },
      [](ServerProcess&) {});
  fail_over(
      "kill -9 of the master", [](ServerProcess& master) { master.kill(); },
      [](ServerProcess& master) { master.start(); });
  fail_over(
      "SIGSTOP of the master", [](ServerProcess& master) { master.stand_still(); },
      [](ServerProcess& master) { master.go_on(); });
  all.await_replicas();
  load.stop();
  const bool back = cache.flush(10s);
  load.count_lost();
  load.print();
  std::printf("\nAt the end the application is %s.\n", back ? "served by Redis" : "NOT served by Redis");
  return back ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return examples::run_for_seconds(usage, argc, argv, run); }
