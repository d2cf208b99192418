// The C++ side of test_interop.py: `interop_peer write URL` stores values, `interop_peer read URL KEY…` prints, a line
// each, the JSON found under keys of the namespace, or the status where there is none, and `interop_peer copy URL KEY…`
// reads what stands under each key and stores it as "copy:KEY".
#include <cascor/cache.hpp>
#include <iostream>
#include <string>
#include <vector>

namespace {

bool write_values(cascor::CacheManager& cache) {
  using namespace std::chrono_literals;
  const cascor::json topology = {{"hidden_units", 2}, {"weights", {0.5, -1.25e-7}}, {"name", "spirale \u00e0 deux"}};
  return cache.cache_metrics("epoch_5", {{"epoch", 5}, {"loss", 0.25}, {"converged", false}}, 1min) &&
         cache.cache_topology("latest", topology, 1min) && cache.set("notes", "plain text", {.ttl = cascor::no_expiry});
}

bool print_values(cascor::CacheManager& cache, const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    const auto found = cache.get(key);
    std::cout << (found ? found->dump() : std::string{to_string(found.status())}) << '\n';
  }
  return true;
}

bool copy_values(cascor::CacheManager& cache, const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    const auto found = cache.get(key);
    if (!found || !cache.set("copy:" + key, *found)) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments{argv + 1, argv + argc};
  if (arguments.size() < 2) return 2;
  auto cache = cascor::CacheManager::from_url(arguments[1]);
  const std::vector<std::string> keys{arguments.begin() + 2, arguments.end()};
  const bool good = arguments[0] == "write"  ? write_values(cache)
                    : arguments[0] == "copy" ? copy_values(cache, keys)
                                             : print_values(cache, keys);
  return good ? 0 : 1;
}
