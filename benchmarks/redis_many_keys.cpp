// Many keys a call: get_many and set_many of 128 against plain hiredis pipelined by 128, server and client on one
// processor.
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

}  // namespace

int main() {
  bench::stay_on_one_processor();
  const support::RedisServer server;
  const std::string value(100, 'v');
  const auto names = bench::filled(server.port(), batch, value);
  const std::vector<std::string_view> keys{names.begin(), names.end()};
  bench::Backend backend{bench::options_for(server.port())};
  bench::Hiredis hiredis{server.port()};

  bench::print_head("128 keys a call, values of 100 B, server and client on one processor, TCP; keys a second.",
                    "cascor-cache", "hiredis pipelined by 128");
  std::vector<std::string> read(batch);
  bool reached = compare(
      "get_many",
      [&] {
        const auto answers = backend.get_many(keys, bench::soon());
        bench::expect(answers.size() == batch && answers.back().bytes == value, "our get_many has the values");
      },
      [&] {
        hiredis.get_pipelined(keys, read);
        bench::expect(read.back() == value, "hiredis has the values");
      },
      1.2);
  std::vector<cascor::StoreEntry> entries;
  entries.reserve(batch);
  for (const auto key : keys) entries.push_back({key, value, cascor::no_expiry});
  reached &= compare(
      "set_many",
      [&] {
        const auto outcomes = backend.set_many(entries, bench::soon());
        bench::expect(outcomes.size() == batch && outcomes.back().stored, "our set_many has stored");
      },
      [&] { hiredis.set_pipelined(keys, value); }, 0.95);
  return reached ? 0 : 3;
}
