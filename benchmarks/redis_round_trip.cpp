// One caller, one value at a time: get against plain hiredis, server and client on one processor.
#include <string>

#include "support/processors.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 15;
constexpr int turns = 8;
constexpr auto slice = std::chrono::milliseconds{25};

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
  const auto sides = bench::in_turn(
      rounds, turns, [&] { return rate_of(ours); }, [&] { return rate_of(theirs); });
  return bench::print_row("get " + name, sides, bench::Unit::per_second, bench::at_least(0.97));
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
