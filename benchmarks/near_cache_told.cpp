// From another client's SET sent to the old value no longer served: through the near cache, and to the flag that a bare
// hiredis connection with the same tracking sets, on the same server, in turn.
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cascor/cache.hpp"
#include "support/processors.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 15;
constexpr int changes_a_turn = 250;
constexpr int turns = 2;
const std::string key = "cascor:metrics:latest";

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

// The other client: sends a SET of a number, and takes its answer later.
class Writer {
 public:
  explicit Writer(int port) : context_{connected(port)} {}
  bench::Clock::time_point send(std::uint64_t number) {
    redisAppendCommand(context_.get(), "SET %s %llu", key.c_str(), static_cast<unsigned long long>(number));
    const auto sent = bench::Clock::now();
    int done = 0;
    while (done == 0) bench::expect(redisBufferWrite(context_.get(), &done) == REDIS_OK, "a SET is sent");
    return sent;
  }
  void take_answer() { bench::expect(next(*context_)->type == REDIS_REPLY_STATUS, "a SET is answered with OK"); }

 private:
  Context context_;
};

// A connection that tracks for itself and a thread that reads it.
class BareListener {
 public:
  explicit BareListener(int port) : context_{connected(port)} {
    redisAppendCommand(context_.get(), "CLIENT ID");
    const auto id = next(*context_)->integer;
    redisAppendCommand(context_.get(), "CLIENT TRACKING ON REDIRECT %lld BCAST PREFIX cascor:metrics:", id);
    bench::expect(next(*context_)->type == REDIS_REPLY_STATUS, "hiredis tracks");
    redisAppendCommand(context_.get(), "SUBSCRIBE __redis__:invalidate");
    (void)next(*context_);
    thread_ = std::thread{[this] { run(); }};
  }
  BareListener(const BareListener&) = delete;
  BareListener& operator=(const BareListener&) = delete;
  ~BareListener() {
    stopping_ = true;
    ::shutdown(context_->fd, SHUT_RDWR);
    thread_.join();
  }
  std::uint64_t told() const { return told_.load(std::memory_order_acquire); }

 private:
  void run() {
    while (true) {
      void* answer = nullptr;
      const bool read = redisGetReply(context_.get(), &answer) == REDIS_OK;
      const Reply reply{static_cast<redisReply*>(answer)};
      if (!read) {
        bench::expect(stopping_, "hiredis is told");
        return;
      }
      const redisReply* const keys = reply->element[2];
      for (std::size_t i = 0; keys->type == REDIS_REPLY_ARRAY && i < keys->elements; ++i) {
        const redisReply& one = *keys->element[i];
        if (key == std::string_view{one.str, static_cast<std::size_t>(one.len)}) {
          told_.fetch_add(1, std::memory_order_release);
        }
      }
    }
  }
  Context context_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> told_{0};
  std::thread thread_;
};

// Another client that writes other keys under the same prefix, each with a round trip, for as long as it lives.
class Load {
 public:
  explicit Load(int port) : thread_{[this, port] { run(port); }} {}
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void run(int port) const {
    bench::Hiredis hiredis{port};
    const std::string value(100, 'v');
    for (std::uint64_t i = 0; !stopping_; ++i) hiredis.set("cascor:metrics:other" + std::to_string(i % 100), value);
  }
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

std::uint64_t numbers = 0;  // each value is written once

struct Quantiles {
  double half;
  double most;
};
Quantiles quantiles_of(const bench::Histogram& times) {
  return {times.quantile(0.50) / 1e9, times.quantile(0.99) / 1e9};
}
void record(bench::Histogram& times, bench::Clock::time_point sent, bench::Clock::time_point seen) {
  times.record(static_cast<std::uint64_t>(std::chrono::nanoseconds{seen - sent}.count()));
}

Quantiles ours(int port) {
  auto cache = cascor::CacheManager::from_url("redis://127.0.0.1:" + std::to_string(port) + "/0");
  Writer writer{port};
  bench::Histogram times;
  for (int i = 0; i < changes_a_turn; ++i) {
    while (cache.get<std::uint64_t>("metrics:latest").tier() != cascor::CacheTier::memory) std::this_thread::yield();
    const std::uint64_t old = *cache.get<std::uint64_t>("metrics:latest");
    const auto sent = writer.send(++numbers);
    auto asked = bench::Clock::now();  // when the first call began that did not give the old value
    while (*cache.get<std::uint64_t>("metrics:latest") == old) asked = bench::Clock::now();
    record(times, sent, asked);
    writer.take_answer();
  }
  return quantiles_of(times);
}
Quantiles theirs(int port) {
  BareListener listener{port};
  Writer writer{port};
  bench::Histogram times;
  for (int i = 0; i < changes_a_turn; ++i) {
    const std::uint64_t told = listener.told();
    const auto sent = writer.send(++numbers);
    while (listener.told() == told) continue;
    record(times, sent, bench::Clock::now());
    writer.take_answer();
  }
  return quantiles_of(times);
}

bool compare(int port, const std::string& when) {
  bench::Sides half;
  bench::Sides most;
  for (int round = 0; round < rounds; ++round) {
    Quantiles us{0, 0};
    Quantiles them{0, 0};
    for (int turn = 0; turn < turns; ++turn) {
      const auto measure = [&](bool our_turn) {
        const Quantiles one = our_turn ? ours(port) : theirs(port);
        Quantiles& sum = our_turn ? us : them;
        sum.half += one.half / turns;
        sum.most += one.most / turns;
      };
      measure(turn % 2 == 0);
      measure(turn % 2 == 1);
    }
    half.ours.add(us.half);
    half.theirs.add(them.half);
    most.ours.add(us.most);
    most.theirs.add(them.most);
  }
  const bool reached = bench::print_row(when + ", p50", half, bench::Unit::seconds, bench::at_most(1.5));
  return bench::print_row(when + ", p99", most, bench::Unit::seconds, bench::at_most(1.5)) && reached;
}

}  // namespace

int main() {
  cascor::set_log_sink([](cascor::LogLevel, std::string_view) {});
  const support::RedisServer server;
  bench::Hiredis{server.port()}.set(key, "0");
  const bench::KeptAwake awake;
  bench::print_head(
      "From another client's SET sent to the old value no longer served, processors kept awake, TCP; under load a "
      "third "
      "client writes other keys of the prefix as fast as it is answered.",
      "near cache", "bare hiredis listener");
  bool reached = compare(server.port(), "idle");
  const Load load{server.port()};
  reached &= compare(server.port(), "under load");
  return reached ? 0 : 3;
}
