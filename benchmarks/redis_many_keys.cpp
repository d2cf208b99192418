// Many keys a call: get_many and set_many of 128, of small values and of large ones, against plain hiredis pipelined by
// 128, server and client on one processor.
#include <string>
#include <vector>

#include "support/processors.hpp"
#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr int rounds = 15;
constexpr std::size_t batch = 128;
constexpr int turns = 8;
constexpr int batches = 60;  // a side and a turn

template <class Operation>
double keys_a_second(const Operation& operation) {
  const double seconds = bench::seconds_of([&] {
    for (int i = 0; i < batches; ++i) operation();
  });
  return static_cast<double>(batch) * batches / seconds;
}

template <class Ours, class Theirs>
bool compare(const char* name, const Ours& ours, const Theirs& theirs, double bound) {
  ours();
  theirs();
  const auto sides = bench::in_turn(
      rounds, turns, [&] { return keys_a_second(ours); }, [&] { return keys_a_second(theirs); });
  return bench::print_row(name, sides, bench::Unit::per_second, bench::at_least(bound));
}

// A server that holds the values, and both sides.
struct Sides {
  explicit Sides(std::size_t bytes) : value(bytes, 'v') {}

  bool get_many(const char* name, double bound) {
    std::vector<std::string> read(batch);
    return compare(
        name,
        [&] {
          const auto answers = backend.get_many(keys, bench::soon());
          bench::expect(answers.size() == batch && answers.back().bytes == value, "our get_many has the values");
        },
        [&] {
          hiredis.get_pipelined(keys, read);
          bench::expect(read.back() == value, "hiredis has the values");
        },
        bound);
  }
  bool set_many(const char* name, double bound) {
    std::vector<cascor::StoreEntry> entries;
    entries.reserve(batch);
    for (const auto key : keys) entries.push_back({key, value, cascor::no_expiry});
    return compare(
        name,
        [&] {
          const auto outcomes = backend.set_many(entries, bench::soon());
          bench::expect(outcomes.size() == batch && outcomes.back().stored, "our set_many has stored");
        },
        [&] { hiredis.set_pipelined(keys, value); }, bound);
  }

  support::RedisServer server;
  std::string value;
  std::vector<std::string> names = bench::filled(server.port(), batch, value);
  std::vector<std::string_view> keys{names.begin(), names.end()};
  bench::Backend backend{bench::options_for(server.port())};
  bench::Hiredis hiredis{server.port()};
};

}  // namespace

int main() {
  bench::stay_on_one_processor();
  bench::print_head("128 keys a call, server and client on one processor, TCP; keys a second.", "cascor-cache",
                    "hiredis pipelined by 128");
  Sides small{100};
  bool reached = small.get_many("get_many, 100 B", 1.2);
  reached &= small.set_many("set_many, 100 B", 0.95);
  Sides large{16 * 1024};
  reached &= large.get_many("get_many, 16 KiB", 1.0);
  return reached ? 0 : 3;
}
