// Hit ratios of the eviction policies, on made traces and on files of one key a line. Deterministic: no time in it.
//
//   hit_ratio [FILE...]
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/memory_cache.hpp"
#include "support/keys.hpp"

namespace {

// 0 where the key is overwritten, not read: that is no request.
struct Request {
  std::string key;
  bool is_write = false;
};
using Trace = std::vector<Request>;

// Entries of one size, so that room for so many entries is a number of bytes.
double hit_ratio(const Trace& trace, std::size_t room, cascor::Eviction eviction) {
  const std::string value(100, 'v');
  const std::string longest(24, 'k');
  cascor::MemoryCache<std::string> probe{{.eviction = eviction}};
  probe.set(longest, value);
  cascor::MemoryCache<std::string> cache{{.max_bytes = probe.bytes() * room, .eviction = eviction}};
  std::size_t reads = 0;
  std::size_t hits = 0;
  for (std::string key; const Request& request : trace) {
    key = request.key;
    key.resize(longest.size(), '.');
    if (request.is_write) {
      cache.set(key, value);
      continue;
    }
    ++reads;
    if (cache.get(key)) {
      ++hits;
    } else {
      cache.set(key, value);
    }
  }
  return reads == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(reads);
}

Trace made(std::size_t length, const std::function<std::uint64_t(std::size_t)>& key_at) {
  Trace trace(length);
  for (std::size_t i = 0; i < length; ++i) trace[i].key = std::to_string(key_at(i));
  return trace;
}

// An epoch of a dashboard on a training run: `latest` is overwritten, a record appended, a window of the last 100 read.
Trace training_run(std::size_t epochs) {
  Trace trace;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    trace.push_back({"metrics:latest", true});
    trace.push_back({"history:" + std::to_string(epoch), true});
    trace.push_back({"metrics:latest", false});
    if (epoch % 10 != 0) continue;
    for (std::size_t back = 0; back < 100 && back <= epoch; ++back) {
      trace.push_back({"history:" + std::to_string(epoch - back), false});
    }
  }
  return trace;
}

Trace from_file(const char* name) {
  Trace trace;
  std::ifstream file{name};
  if (!file) {
    std::perror(name);
    std::exit(1);
  }
  for (std::string line; std::getline(file, line);) trace.push_back({line, false});
  return trace;
}

void print(const std::string& name, const Trace& trace, const std::vector<std::size_t>& rooms) {
  for (const std::size_t room : rooms) {
    std::printf("| %s | %zu | %.4f | %.4f |\n", name.c_str(), room, hit_ratio(trace, room, cascor::Eviction::lru),
                hit_ratio(trace, room, cascor::Eviction::s3fifo));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::printf("| trace | room for entries | lru | s3fifo |\n|---|---|---|---|\n");
  if (count > 1) {
    for (int i = 1; i < count; ++i) print(arguments[i], from_file(arguments[i]), {100, 1'000, 10'000, 100'000});
    return 0;
  }
  std::mt19937_64 random{7};
  constexpr std::size_t length = 3'000'000;
  const keys::Zipf zipf{1'000'000, 0.99};
  print("Zipf 0.99, a million keys", made(length, [&](std::size_t) { return zipf(random); }), {10'000, 100'000});
  print("loop over 1,100 keys", made(length / 10, [](std::size_t i) { return i % 1'100; }), {1'000});
  print("half Zipf, half a loop of 11,000",
        made(length, [&](std::size_t i) { return i % 2 == 0 ? zipf(random) : 2'000'000 + i / 2 % 11'000; }), {10'000});
  print("scans over a hot set of 500",
        made(length / 3, [&](std::size_t i) { return i / 5'000 % 4 == 3 ? 1'000 + i : random() % 500; }), {1'000});
  print("a hot set of 500 that shifts",
        made(length / 3, [&](std::size_t i) { return i / 50'000 * 250 + random() % 500; }), {1'000});
  print("training run of 20,000 epochs", training_run(20'000), {50, 200, 1'000});
}
