// From a publish to the handler: messages a second through a subscription, against a bare hiredis connection that
// subscribes and reads.
#include <atomic>
#include <string>
#include <thread>

#include "cascor/cache.hpp"
#include "support/processors.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 15;
constexpr int turns = 4;
constexpr std::size_t messages = 20'000;
constexpr std::size_t pipelined = 100;

struct Free {
  void operator()(redisContext* context) const noexcept { redisFree(context); }
  void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, Free>;
using Reply = std::unique_ptr<redisReply, Free>;

Context connected(int port) {
  Context context{redisConnect("127.0.0.1", port)};
  bench::expect(context && context->err == 0, "hiredis connects");
  redisSetTimeout(context.get(), {30, 0});
  return context;
}
Reply next(redisContext& context) {
  void* reply = nullptr;
  bench::expect(redisGetReply(&context, &reply) == REDIS_OK, "an answer comes");
  return Reply{static_cast<redisReply*>(reply)};
}

// What the handlers, ours and theirs, have seen.
std::atomic<std::size_t> bytes_seen{0};

// Publishes all, and waits until the last of them has been seen; messages a second.
double rate_of(redisContext& publisher, const char* channel, const std::string& payload) {
  bytes_seen = 0;
  const auto start = bench::Clock::now();
  for (std::size_t sent = 0; sent < messages; sent += pipelined) {
    for (std::size_t i = 0; i < pipelined; ++i) {
      redisAppendCommand(&publisher, "PUBLISH %s %b", channel, payload.data(), payload.size());
    }
    for (std::size_t i = 0; i < pipelined; ++i) bench::expect(next(publisher)->integer == 1, "one receiver is reached");
  }
  while (bytes_seen < messages * payload.size()) std::this_thread::yield();
  return static_cast<double>(messages) / bench::seconds_since(start);
}

bool compare(int port, const std::string& name, std::size_t size) {
  const std::string payload(size, 'v');
  const Context publisher = connected(port);

  auto cache = cascor::CacheManager::from_url("redis://127.0.0.1:" + std::to_string(port) + "/0");
  const auto ours = cache.subscribe({"ours"}, [](const cascor::Message& message) {
    bytes_seen.fetch_add(message.payload.size(), std::memory_order_relaxed);
  });

  const Context bare = connected(port);
  redisAppendCommand(bare.get(), "SUBSCRIBE theirs");
  bench::expect(next(*bare)->elements == 3, "hiredis subscribes");
  std::thread theirs{[&bare] {
    while (true) {
      const Reply reply = next(*bare);
      const std::string copy{reply->element[2]->str, static_cast<std::size_t>(reply->element[2]->len)};
      if (copy == "end") return;
      bytes_seen.fetch_add(copy.size(), std::memory_order_relaxed);
    }
  }};

  const auto sides = bench::in_turn(
      rounds, turns, [&] { return rate_of(*publisher, "ours", payload); },
      [&] { return rate_of(*publisher, "theirs", payload); });
  redisAppendCommand(publisher.get(), "PUBLISH theirs end");
  (void)next(*publisher);
  theirs.join();
  return bench::print_row("messages of " + name, sides, bench::Unit::per_second, bench::at_least(0.80));
}

}  // namespace

int main() {
  cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
  bench::stay_on_one_processor();
  const support::RedisServer server;
  bench::print_head("A publisher in batches of 100 and one subscriber, server and client on one processor, TCP.",
                    "cascor-cache", "hiredis");
  bool reached = compare(server.port(), "100 B", 100);
  reached &= compare(server.port(), "1 KiB", 1024);
  return reached ? 0 : 3;
}
