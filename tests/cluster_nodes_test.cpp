// The servers that others tell of, as health() shows them.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/redis/node_list.hpp"

using cascor::Reply;
using List = cascor::redis::NodeList<>;

namespace {

Reply text(std::string words) {
  Reply reply;
  reply.kind = Reply::Kind::string;
  reply.text = std::move(words);
  return reply;
}
Reply array(std::vector<Reply> elements) {
  Reply reply;
  reply.kind = Reply::Kind::array;
  reply.elements = std::move(elements);
  return reply;
}
Reply server(std::string host, std::string port, std::string flags) {
  return array({text("name"), text("x"), text("ip"), text(std::move(host)), text("port"), text(std::move(port)),
                text("flags"), text(std::move(flags))});
}
std::vector<std::string> shown(List list) {
  std::vector<std::string> all;
  for (const auto& node : std::move(list).take()) all.push_back(node.role + ' ' + node.address + ' ' + node.state);
  return all;
}

}  // namespace

TEST_CASE("The nodes of a cluster are told with what others think of them", "[cluster]") {
  cascor::redis::Endpoint here;
  here.host = "10.0.0.1";
  List list;
  list.add_cluster(
      "07c3 127.0.0.1:7004@17004,host slave e7d1 0 1426238317239 4 connected\n"
      "67ed 127.0.0.1:7002@17002 master - 0 1426238316232 2 connected 5461-10922\n"
      "292f :7003@17003 myself,master - 0 1426238318243 3 connected 10923-16383 [93-<-292f]\n"
      "6ec2 ::1:7005@17005 slave,fail 67ed 0 1426238316232 5 connected\n"
      "824f 127.0.0.1:7006@17006 master,fail? - 0 1426238317741 6 connected\n"
      "e7d1 127.0.0.1:7001@17001 master - 0 0 1 disconnected 0-5460",
      here);
  CHECK(shown(std::move(list)) == std::vector<std::string>{"replica 127.0.0.1:7004 up", "master 127.0.0.1:7002 up",
                                                           "master 10.0.0.1:7003 up", "replica [::1]:7005 down",
                                                           "master 127.0.0.1:7006 down", "master 127.0.0.1:7001 down"});
}

TEST_CASE("What is no node is passed over, and who tells of too many is not believed", "[cluster]") {
  List list;
  list.add_cluster("", {});
  list.add_cluster("\n\n   \n1\n1 2\n1 a:1 master", {});
  list.add_cluster("1 :0@0 master,noaddr - 0 0 1 disconnected\n1 ?:1@1 master - 0 0 1 connected", {});
  list.add_cluster("1 a\x01:1@1 master - 0 0 1 connected\n1 a:1@1 handshake - 0 0 1 connected", {});
  CHECK(shown(std::move(list)) == std::vector<std::string>{"master a:1 up"});
  std::string many;
  for (int i = 1; i < 5'000; ++i) many += "1 a:" + std::to_string(i) + "@1 master - 0 0 1 connected\n";
  List huge;
  huge.add_cluster(many, {});
  CHECK(shown(std::move(huge)).size() == 2'000);
}

TEST_CASE("Sentinels tell of a master, its replicas and each other", "[sentinel]") {
  List list;
  list.add_told("master", server("10.0.0.1", "6379", "master,o_down,s_down"));
  list.add_told("replica", array({server("10.0.0.2", "6379", "slave"), server("10.0.0.3", "6379", "slave,disconnected"),
                                  server("10.0.0.1", "6379", "slave"), server("?", "1", "slave"),
                                  server("a", "65536", "slave"), text("x"), array({text("ip")})}));
  list.add_told("sentinel", array({server("s1", "26379", "sentinel")}));
  CHECK(shown(std::move(list)) == std::vector<std::string>{"master 10.0.0.1:6379 up", "replica 10.0.0.2:6379 up",
                                                           "replica 10.0.0.3:6379 down", "sentinel s1:26379 up"});
}
