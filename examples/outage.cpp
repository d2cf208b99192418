// What an application feels when Redis dies under it and comes back: a trainer that writes and a dashboard that reads,
// while a redis-server of this program's own is killed and started again. With --url the server is yours to kill.
//
// Exit code: 0 when no read failed and the last value written is in Redis at the end, 1 when not, 2 for bad options.
#include <array>
#include <atomic>
#include <cascor/cache.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "arguments.hpp"
#include "interrupt.hpp"
#include "own_server.hpp"
#include "program.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* usage = R"(Usage: outage [--url URL] [--seconds N]
  --url URL    use this Redis and only watch: kill and start it yourself
  --seconds N  how long each of the three phases lasts (default 2)
)";

constexpr std::array phases{"Redis serves", "Redis is gone", "Redis is back"};

// What one phase was like for the callers.
struct Felt {
  std::atomic<std::uint64_t> from_redis{0};
  std::atomic<std::uint64_t> from_memory{0};
  std::atomic<std::uint64_t> stale{0};
  std::atomic<std::uint64_t> misses{0};
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::uint64_t> stored{0};
  std::atomic<std::uint64_t> kept{0};
  std::atomic<std::uint64_t> lost{0};
  std::atomic<std::int64_t> slowest_us{0};
};

class Load {
 public:
  explicit Load(cascor::CacheManager& cache) : cache_{cache} {
    threads_.emplace_back([this] { write(); });
    threads_.emplace_back([this] { read(); });
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() { stop(); }
  void stop() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  void enter(std::size_t phase) { phase_ = phase; }
  const Felt& felt(std::size_t phase) const { return felt_.at(phase); }
  int last_epoch() const { return epoch_; }

 private:
  template <class Call>
  void timed(Felt& felt, const Call& call) {
    const auto start = Clock::now();
    call();
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
    if (took > felt.slowest_us) felt.slowest_us = took;
    std::this_thread::sleep_for(1ms);
  }
  void write() {
    while (!done_) {
      Felt& felt = felt_.at(phase_);
      timed(felt, [&] {
        const auto result = cache_.set("outage:latest", {{"epoch", ++epoch_}}, {.ttl = 10min});
        ++(result ? felt.stored : result.tier() == cascor::CacheTier::memory ? felt.kept : felt.lost);
      });
    }
  }
  void read() {
    while (!done_) {
      Felt& felt = felt_.at(phase_);
      timed(felt, [&] {
        const auto found = cache_.get("outage:latest");
        switch (found.status()) {
          case cascor::CacheStatus::hit:
            ++(found.tier() == cascor::CacheTier::redis ? felt.from_redis : felt.from_memory);
            break;
          case cascor::CacheStatus::stale: ++felt.stale; break;
          case cascor::CacheStatus::miss: ++felt.misses; break;
          default: ++felt.errors;
        }
      });
    }
  }

  cascor::CacheManager& cache_;
  std::array<Felt, phases.size()> felt_;
  std::atomic<std::size_t> phase_{0};
  std::atomic<int> epoch_{0};
  std::atomic<bool> done_{false};
  std::vector<std::thread> threads_;
};

void wait(std::chrono::seconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end && !examples::interrupted()) std::this_thread::sleep_for(10ms);
}

void print(const Load& load) {
  std::printf("\n%-15s | reads: redis  memory   stale    miss   error | writes: redis    kept    lost | slowest call\n",
              "");
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const Felt& felt = load.felt(i);
    const auto number = [](const std::atomic<std::uint64_t>& count) {
      return static_cast<unsigned long long>(count.load());
    };
    std::printf("%-15s |       %6llu  %6llu  %6llu  %6llu  %6llu |        %6llu  %6llu  %6llu | %9.1f ms\n",
                phases.at(i), number(felt.from_redis), number(felt.from_memory), number(felt.stale),
                number(felt.misses), number(felt.errors), number(felt.stored), number(felt.kept), number(felt.lost),
                static_cast<double>(felt.slowest_us) / 1'000);
  }
}

int run(const std::optional<std::string>& url, std::chrono::seconds each) {
  std::optional<examples::OwnServer> server;
  if (!url) server.emplace();
  cascor::CacheConfig config;
  config.redis_url = url ? *url : server->url();
  config.connection_pool.timeout = 1s;
  const auto start = Clock::now();
  config.log_sink = [start](cascor::LogLevel level, std::string_view line) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("%6.3f s  %s: %.*s\n", seconds, std::string{to_string(level)}.c_str(), static_cast<int>(line.size()),
                line.data());
  };
  cascor::CacheManager cache{config};
  if (!cache.flush(10s)) {  // a server that has just been started may not listen yet
    std::fprintf(stderr, "There is no Redis at %s. Is redis-server installed?\n", config.redis_url.c_str());
    return 1;
  }
  Load load{cache};
  wait(each);
  load.enter(1);
  if (server) server->kill();
  wait(each);
  load.enter(2);
  if (server) server->start();
  wait(each);
  load.stop();
  const bool arrived = cache.flush(10s);
  const auto last = cache.get("outage:latest");
  print(load);
  std::uint64_t failed = 0;
  for (std::size_t i = 0; i < phases.size(); ++i) failed += load.felt(i).errors + load.felt(i).lost;
  const bool newest = arrived && last && last->value("epoch", 0) == load.last_epoch();
  std::printf("\nThe last epoch written, %d, is %s.\n", load.last_epoch(), newest ? "in Redis" : "NOT in Redis");
  return newest && failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_program(usage, [&] {
    examples::Arguments arguments{argc, argv};
    if (arguments.flag("--help")) {
      std::fputs(usage, stdout);
      return 0;
    }
    const auto url = arguments.text("--url");
    const auto seconds = arguments.number("--seconds", 3'600).value_or(2);
    arguments.end();
    examples::stop_on_interrupt();
    return run(url, std::chrono::seconds{seconds});
  });
}
