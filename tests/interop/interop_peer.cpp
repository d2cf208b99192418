// The C++ side of test_interop.py: `interop_peer write URL` stores values, `interop_peer read URL KEY…` prints, a line
// each, the JSON found under keys of the namespace, or the status where there is none.
#include <cascor/cache.hpp>
#include <iostream>
#include <string>
#include <vector>

namespace {

bool write_values(cascor::CacheManager& cache) {
  using namespace std::chrono_literals;
  const cascor::json topology = {{"hidden_units", 2}, {"weights", {0.5, -1.25e-7}}, {"name", "spirale \u00e0 deux"}};
  return cache.cache_metrics("epoch_5", {{"epoch", 5}, {"loss", 0.25}, {"converged", false}}, 1min) &&
         cache.cache_topology("latest", topology, 1min) &&
         cache.set("notes", "plain text", {.ttl = cascor::no_expiry});
}

bool print_values(cascor::CacheManager& cache, const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    const auto found = cache.get(key);
    std::cout << (found ? found->dump() : std::string{to_string(found.status())}) << '\n';
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments{argv + 1, argv + argc};
  if (arguments.size() < 2) return 2;
  auto cache = cascor::CacheManager::from_url(arguments[1]);
  const bool good = arguments[0] == "write" ? write_values(cache)
                                            : print_values(cache, {arguments.begin() + 2, arguments.end()});
  return good ? 0 : 1;
}
