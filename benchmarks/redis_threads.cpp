// Many threads that each get one value at a time from one shared engine, against a hiredis connection a thread; the
// processors are kept awake.
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/processors.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 11;
constexpr auto slice = std::chrono::milliseconds{400};
constexpr std::size_t value_size = 100;

struct Round {
  double rate = 0;
  double p99 = 0;  // seconds
};

// `get(thread, key)` again and again on so many threads.
template <class Get>
Round run(std::size_t threads, const std::vector<std::string>& keys, const Get& get) {
  std::atomic<std::size_t> ready{0};
  std::atomic<bool> go{false};
  std::atomic<bool> stop{false};
  std::vector<std::size_t> done(threads);
  std::vector<bench::Histogram> histograms(threads);
  std::vector<std::thread> all;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      std::minstd_rand random{static_cast<unsigned>(thread + 1)};
      get(thread, keys.front());
      ++ready;
      go.wait(false);
      std::size_t mine = 0;
      for (; !stop.load(std::memory_order_relaxed); ++mine) {
        const auto start = bench::Clock::now();
        get(thread, keys[random() % keys.size()]);
        const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(bench::Clock::now() - start);
        histograms[thread].record(static_cast<std::uint64_t>(took.count()));
      }
      done[thread] = mine;
    });
  }
  while (ready < threads) std::this_thread::yield();
  const auto start = bench::Clock::now();
  go = true;
  go.notify_all();
  std::this_thread::sleep_for(slice);
  stop = true;
  const double seconds = bench::seconds_since(start);  // what ends after it is one call a thread at most
  std::size_t calls = 0;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    all[thread].join();
    calls += done[thread];
    if (thread > 0) histograms[0].merge(histograms[thread]);
  }
  return {static_cast<double>(calls) / seconds, histograms[0].quantile(0.99) / 1e9};
}

bool compare(int port, const std::vector<std::string>& keys, std::size_t threads, double bound) {
  bench::Backend backend{bench::options_for(port)};
  std::vector<std::unique_ptr<bench::Hiredis>> connections;
  for (std::size_t i = 0; i < threads; ++i) connections.push_back(std::make_unique<bench::Hiredis>(port));
  const auto ours = [&](std::size_t, const std::string& key) {
    const auto answer = backend.get(key, bench::soon());
    bench::expect(answer.bytes && answer.bytes->size() == value_size, "our get has the value");
  };
  const auto theirs = [&](std::size_t thread, const std::string& key) {
    thread_local std::string value;
    connections[thread]->get(key, value);
    bench::expect(value.size() == value_size, "hiredis's get has the value");
  };
  bench::Sides rates;
  bench::Sides tails;
  for (int i = 0; i < rounds; ++i) {
    const Round us = run(threads, keys, ours);
    const Round them = run(threads, keys, theirs);
    rates.ours.add(us.rate);
    tails.ours.add(us.p99);
    rates.theirs.add(them.rate);
    tails.theirs.add(them.p99);
  }
  const std::string name = std::to_string(threads) + " threads";
  bool reached = bench::print_row(name, rates, bench::Unit::per_second, bench::at_least(bound));
  reached &= bench::print_row(name + ", p99", tails, bench::Unit::seconds, bench::at_most(1.0));
  return reached;
}

}  // namespace

int main() {
  const support::RedisServer server;
  const auto keys = bench::filled(server.port(), 1000, std::string(value_size, 'v'));
  const bench::KeptAwake awake;
  bench::print_head("get of 100 B from many threads, processors kept awake, TCP.", "cascor-cache",
                    "a hiredis connection a thread");
  bool reached = compare(server.port(), keys, 2, 1.0);
  reached &= compare(server.port(), keys, 8, 1.0);
  reached &= compare(server.port(), keys, 32, 1.6);
  reached &= compare(server.port(), keys, 128, 2.8);
  return reached ? 0 : 3;
}
