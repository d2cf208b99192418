// One caller, one value at a time: get against plain hiredis, server and client on one processor.
#include <string>

#include "support/processors.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 15;
constexpr auto slice = std::chrono::milliseconds{100};

// Operations a second over a slice of time.
template <class Operation>
double rate_of(const Operation& operation) {
  const auto start = bench::Clock::now();
  std::size_t done = 0;
  for (; bench::Clock::now() - start < slice; ++done) operation();
  return static_cast<double>(done) / bench::seconds_since(start);
}

bool compare(int port, const std::string& name, std::size_t size) {
  const std::string value(size, 'v');
  const std::string key = bench::filled(port, 1, value, "round_trip:" + name).front();
  bench::Backend backend{bench::options_for(port)};
  bench::Hiredis hiredis{port};
  std::string read;
  const auto ours = [&] {
    const auto answer = backend.get(key, bench::soon());
    bench::expect(answer.bytes && answer.bytes->size() == size, "our get has the value");
  };
  const auto theirs = [&] {
    hiredis.get(key, read);
    bench::expect(read.size() == size, "hiredis's get has the value");
  };
  bench::Series our_rates;
  bench::Series their_rates;
  for (int i = 0; i < rounds; ++i) {  // ours, theirs, theirs, ours: what drifts within a round falls on both
    double us = rate_of(ours);
    double them = rate_of(theirs);
    them += rate_of(theirs);
    us += rate_of(ours);
    our_rates.add(us / 2);
    their_rates.add(them / 2);
  }
  return bench::print_row("get " + name, our_rates, their_rates, bench::Unit::per_second, bench::at_least(0.97));
}

}  // namespace

int main() {
  bench::stay_on_one_processor();
  const support::RedisServer server;
  bench::print_head("One thread, server and client on one processor, TCP.", "cascor-cache", "hiredis");
  bool reached = compare(server.port(), "100 B", 100);
  reached &= compare(server.port(), "1 KiB", 1024);
  reached &= compare(server.port(), "16 KiB", 16 * 1024);
  return reached ? 0 : 3;
}
