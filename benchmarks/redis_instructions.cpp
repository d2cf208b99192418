// What a call costs in the client's own instructions, by callgrind, against plain hiredis: the same to a thousandth
// whatever else the machine does, so that a bound on it can be a test. `--at-most RATIO` fails above that ratio.
//
// It runs itself under valgrind, KIND CALLS BYTES PORT, twice for each kind: the difference between many calls and few
// is theirs alone.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/redis_sides.hpp"
#include "support/rounds.hpp"

namespace {

constexpr std::size_t value_size = 100;
constexpr int few = 200;
constexpr int many = 1200;

void make_calls(const std::string& kind, int calls, int port) {
  const std::string key = "instructions:key";
  const std::string value(value_size, 'v');
  bench::Hiredis hiredis{port};
  bench::Backend backend{bench::options_for(port)};
  hiredis.set(key, value);
  const std::array<cascor::StoreEntry, 1> entry{{{key, value, cascor::no_expiry}}};
  std::string read;
  for (int i = 0; i < calls; ++i) {
    if (kind == "our get") {
      bench::expect(backend.get(key, bench::soon()).bytes.has_value(), "our get has the value");
    } else if (kind == "our set") {
      bench::expect(backend.set_many(entry, bench::soon()).front().stored, "our set has stored");
    } else if (kind == "their get") {
      hiredis.get(key, read);
    } else {
      hiredis.set(key, value);
    }
  }
}

// What valgrind says it has counted.
double instructions(const std::string& kind, int calls, int port) {
  const std::string self = "/proc/" + std::to_string(::getpid()) + "/exe";
  const std::string command = "valgrind --tool=callgrind --callgrind-out-file=/dev/null \"$(readlink " + self +
                              ")\" \"" + kind + "\" " + std::to_string(calls) + ' ' + std::to_string(port) + " 2>&1";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output{::popen(command.c_str(), "r"), &::pclose};
  bench::expect(output != nullptr, "a shell starts");
  std::string all;
  std::array<char, 4096> piece{};
  while (std::fgets(piece.data(), piece.size(), output.get()) != nullptr) all += piece.data();
  const std::size_t at = all.find("Collected : ");
  if (at == std::string::npos) bench::give_up(("valgrind counts: " + all).c_str());
  return std::strtod(all.c_str() + at + 12, nullptr);
}

double each_call(const std::string& kind, int port) {
  return (instructions(kind, many, port) - instructions(kind, few, port)) / (many - few);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words{argv + 1, argv + argc};
  if (words.size() == 3) {
    make_calls(words[0], std::atoi(words[1].c_str()), std::atoi(words[2].c_str()));
    return 0;
  }
  const bool has_bound = words.size() == 2 && words[0] == "--at-most";
  const double bound = has_bound ? std::strtod(words[1].c_str(), nullptr) : 1.15;
  const support::RedisServer server;
  bench::print_head("Instructions of the client a call, values of 100 B, counted by callgrind.", "cascor-cache",
                    "hiredis by arguments");
  bool reached = true;
  for (const std::string what : {"get", "set"}) {
    const auto sides = bench::in_turn(
        1, 1, [&] { return each_call("our " + what, server.port()); },
        [&] { return each_call("their " + what, server.port()); });
    reached &= bench::print_row(what, sides, bench::Unit::instructions, bench::at_most(bound));
  }
  return reached ? 0 : 3;
}
