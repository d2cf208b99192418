// What an application feels of a Redis Cluster that changes: three masters and a replica each of this program's own, a
// load through CacheManager, and slots that move, a master that is killed, and that returns on the same port.
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

constexpr const char* usage = R"(Usage: cluster [--seconds N]
  --seconds N  how long the load runs before each change (default 1)
)";
constexpr int slots = 16'384;

class Nodes {
 public:
  Nodes() {
    for (int i = 0; i < 6; ++i) {
      nodes_.push_back(std::make_unique<ServerProcess>(std::vector<std::string>{
          "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"}));
    }
    for (std::size_t i = 0; i < 6; ++i) {
      tell(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
      if (i > 0) tell(0, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port())});
    }
    for (int i = 0; i < 3; ++i) {
      tell(static_cast<std::size_t>(i),
           {"CLUSTER", "ADDSLOTSRANGE", std::to_string(slots * i / 3), std::to_string(slots * (i + 1) / 3 - 1)});
    }
    for (std::size_t i = 3; i < 6; ++i) {
      await("that the nodes know each other", [&] {
        return nodes_[i]->tell({"CLUSTER", "REPLICATE", id(i - 3)}).text == "OK";
      });
    }
    await_whole();
  }
  std::string url() const { return "redis://" + nodes_[0]->address() + ',' + nodes_[1]->address() + "/0"; }
  ServerProcess& node(std::size_t i) { return *nodes_[i]; }
  void await_whole() {
    for (auto& node : nodes_) {
      await("that the cluster is whole", [&node] {
        const std::string info = node->tell({"CLUSTER", "INFO"}).text;
        return info.find("cluster_state:ok") != std::string::npos &&
               (node->replication("role") == "master" || node->replication("master_link_status") == "up");
      });
    }
  }
  /// As redis-cli --cluster reshard does it.
  void move(int slot, std::size_t from, std::size_t to) {
    const std::string name = std::to_string(slot);
    const std::string target = id(to);
    tell(to, {"CLUSTER", "SETSLOT", name, "IMPORTING", id(from)});
    tell(from, {"CLUSTER", "SETSLOT", name, "MIGRATING", target});
    while (true) {
      const auto keys = nodes_[from]->tell({"CLUSTER", "GETKEYSINSLOT", name, "100"});
      if (keys.elements.empty()) break;
      std::vector<std::string> words{"MIGRATE", "127.0.0.1", std::to_string(nodes_[to]->port()), "", "0",
                                     "5000",    "KEYS"};
      for (const auto& key : keys.elements) words.push_back(key.text);
      tell(from, words);
    }
    for (const std::size_t i : {to, from}) tell(i, {"CLUSTER", "SETSLOT", name, "NODE", target});
  }

 private:
  std::string id(std::size_t i) { return nodes_[i]->tell({"CLUSTER", "MYID"}).text; }
  void tell(std::size_t i, const std::vector<std::string>& words) {
    const auto reply = nodes_[i]->tell(words);
    if (reply.is_error()) throw std::runtime_error{words[0] + ' ' + words[1] + ": " + reply.text};
  }

  std::vector<std::unique_ptr<ServerProcess>> nodes_;
};

int run(std::chrono::seconds each) {
  Nodes nodes;
  cascor::CacheManager cache{examples::watched(nodes.url())};
  examples::FeltLoad load{cache};
  load.enter("calm");
  std::this_thread::sleep_for(each);

  load.enter("500 slots move");
  std::printf("-- slots 0 to 499 move from %s to %s\n", nodes.node(0).address().c_str(),
              nodes.node(1).address().c_str());
  for (int slot = 0; slot < 500; ++slot) nodes.move(slot, 0, 1);

  load.enter("calm");
  std::this_thread::sleep_for(each);
  load.enter("kill -9 of a master");
  std::printf("-- kill -9 of %s\n", nodes.node(2).address().c_str());
  nodes.node(2).kill();
  await("an election", [&] { return nodes.node(5).replication("role") == "master"; });
  load.elected();
  await("a write after the election", [&] { return load.wrote_since_election(); });

  load.enter("it returns, as a replica");
  nodes.node(2).start();
  nodes.await_whole();
  std::this_thread::sleep_for(each);
  load.stop();
  const bool back = cache.flush(10s);
  load.count_lost();
  load.print();
  std::printf("\nAt the end the application is %s.\n", back ? "served by Redis" : "NOT served by Redis");
  return back ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return examples::run_for_seconds(usage, argc, argv, run); }
