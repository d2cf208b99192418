// Invalidation by pattern of a tenth of a million keys against KEYS and DEL: how long it takes, and how long the server
// keeps another client waiting meanwhile.
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 9;
constexpr std::size_t kept = 900'000;
constexpr std::size_t matching = 100'000;
const std::string value(100, 'v');

// Another client, that reads one value at a time: its longest wait since it was last asked.
class Observer {
 public:
  explicit Observer(int port) : hiredis_{port}, thread_{[this] { watch(); }} {}
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  ~Observer() {
    stopping_ = true;
    thread_.join();
  }
  double longest_wait() {
    // What was under way at the end belongs to it too.
    const auto then = reads_.load();
    while (reads_ < then + 2) std::this_thread::yield();
    return longest_.exchange(0);
  }

 private:
  void watch() {
    std::string read;
    for (; !stopping_; ++reads_) {
      const double took = bench::seconds_of([&] { hiredis_.get("bench:000000", read); });
      longest_ = std::max(longest_.load(), took);
    }
  }
  bench::Hiredis hiredis_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> reads_{0};
  std::atomic<double> longest_{0};
  std::thread thread_;
};

struct Round {
  double seconds = 0;
  double stall = 0;
};
template <class Invalidate>
Round run(int port, Observer& observer, const Invalidate& invalidate) {
  bench::filled(port, matching, value, "bench:metrics:");
  (void)observer.longest_wait();
  Round round;
  round.seconds =
      bench::seconds_of([&] { bench::expect(invalidate() == matching, "as many keys go as match the pattern"); });
  round.stall = observer.longest_wait();
  return round;
}

}  // namespace

int main() {
  const support::RedisServer server;
  const int port = server.port();
  bench::filled(port, kept, value);
  bench::Backend backend{bench::options_for(port)};
  bench::Hiredis hiredis{port};
  Observer observer{port};

  bench::Sides times;
  bench::Sides stalls;
  for (int i = 0; i < rounds; ++i) {
    const Round us = run(port, observer, [&] {
      return backend.erase_matching(
          "bench:metrics:*", [](std::string_view) { return true; }, bench::soon);
    });
    const Round them =
        run(port, observer, [&] { return static_cast<std::size_t>(hiredis.keys_and_del("bench:metrics:*")); });
    times.ours.add(us.seconds);
    stalls.ours.add(us.stall);
    times.theirs.add(them.seconds);
    stalls.theirs.add(them.stall);
  }
  bench::print_head("Invalidation of 100,000 keys among 1,000,000 by pattern, while another client reads.",
                    "cascor-cache", "KEYS and DEL by hiredis");
  bool reached = bench::print_row("whole call", times, bench::Unit::seconds, bench::at_most(4.0));
  reached &= bench::print_row("longest wait of the other client", stalls, bench::Unit::seconds, bench::at_most(0.05));
  return reached ? 0 : 3;
}
