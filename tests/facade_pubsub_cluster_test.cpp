// Messages and sessions on a Redis Cluster, whole and with a node gone.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/distributed.hpp"
#include "support/eventually.hpp"
#include "support/received.hpp"
#include "support/redis_cluster.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheManager;

TEST_CASE("a message reaches subscribers on every node of a cluster, and again when the node they were on is gone",
          "[cluster]") {
  RedisCluster cluster;
  const CapturedLog log;
  cascor::CacheConfig config;
  config.redis_url = cluster.url();
  config.log_sink = log.sink();
  CacheManager cache{config};
  CacheManager other{config};
  const Received received;
  const auto subscription = cache.subscribe({"cascor:events"}, received.handler(), {.on_gap = received.gap_handler()});
  for (std::size_t node = 0; node < 3; ++node) cluster.node(node).raw("PUBLISH", "cascor:events", std::to_string(node));
  other.publish("cascor:events", "from another");
  REQUIRE(received.wait_for(4));
  std::size_t listened_to = 0;
  while (cluster.node(listened_to).raw("PUBSUB", "NUMSUB", "cascor:events").elements.at(1).integer == 0) ++listened_to;
  cluster.node(listened_to).kill();
  REQUIRE(eventually([&] { return received.gaps() == 1; }, 60s));
  cluster.node(listened_to == 1 ? 2 : 1).raw("PUBLISH", "cascor:events", "after");
  REQUIRE(received.wait_for(5));
}

TEST_CASE("sessions of a user are on any nodes of a cluster, and are listed and ended together", "[cluster]") {
  const RedisCluster& cluster = shared_cluster();
  CacheManager cache = CacheManager::from_url(cluster.url());
  auto& sessions = cache.sessions();
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(sessions.create("ann", i));
  for (int i = 0; i < 20; ++i) CHECK(sessions.update(ids[static_cast<std::size_t>(i)], i + 1));
  for (int i = 0; i < 20; ++i) CHECK(sessions.get(ids[static_cast<std::size_t>(i)])->data == i + 1);
  CHECK(sessions.of_user("ann").size() == 20);
  CHECK(sessions.destroy(ids[0]));
  CHECK(sessions.destroy_all("ann") == 19);
}
