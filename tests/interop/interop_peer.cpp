// The C++ side of test_interop.py: `interop_peer write URL` stores values, `interop_peer read URL KEY…` prints, a line
// each, the JSON found under keys of the namespace, or the status where there is none, and `interop_peer copy URL KEY…`
// reads what stands under each key and stores it as "copy:KEY". `interop_peer login URL USER` makes a session and
// prints its id, `interop_peer session URL ID…` prints sessions, and `interop_peer users URL USER…` how many each has;
// `interop_peer publish URL CHANNEL` publishes an event, and `interop_peer echo URL FROM TO` answers the first message
// that comes on one channel with its JSON on another.
#include <atomic>
#include <cascor/cache.hpp>
#include <future>
#include <iostream>
#include <map>
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

bool log_in(cascor::CacheManager& cache, const std::vector<std::string>& users) {
  const auto id = cache.sessions().create(users.at(0), {{"theme", "dark"}, {"empty", cascor::json::array()}});
  std::cout << id << '\n';
  return !id.empty();
}

bool print_sessions(cascor::CacheManager& cache, const std::vector<std::string>& ids) {
  for (const auto& id : ids) {
    const auto session = cache.sessions().get(id);
    std::cout << (session ? cascor::json(*session).dump() : std::string{to_string(session.status())}) << '\n';
  }
  return true;
}

bool count_sessions(cascor::CacheManager& cache, const std::vector<std::string>& users) {
  for (const auto& user : users) std::cout << cache.sessions().of_user(user).size() << '\n';
  return true;
}

bool publish_event(cascor::CacheManager& cache, const std::vector<std::string>& channels) {
  return cache.publish_event(channels.at(0), "metrics_update", {{"epoch", 5}, {"note", "\u00e9"}}) == 1;
}

bool echo(cascor::CacheManager& cache, const std::vector<std::string>& channels) {
  std::promise<cascor::json> heard;
  std::atomic<bool> first{true};
  const auto subscription = cache.subscribe_pattern({channels.at(0)}, [&](const cascor::Message& message) {
    if (first.exchange(false)) heard.set_value({{"channel", message.channel}, {"message", message.json()}});
  });
  cache.publish(channels.at(1), "ready");
  return cache.publish(channels.at(1), heard.get_future().get()) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments{argv + 1, argv + argc};
  if (arguments.size() < 2) return 2;
  auto cache = cascor::CacheManager::from_url(arguments[1]);
  const std::vector<std::string> keys{arguments.begin() + 2, arguments.end()};
  const std::map<std::string, bool (*)(cascor::CacheManager&, const std::vector<std::string>&)> modes{
      {"write", [](auto& to, const auto&) { return write_values(to); }},
      {"copy", copy_values},
      {"read", print_values},
      {"login", log_in},
      {"session", print_sessions},
      {"users", count_sessions},
      {"publish", publish_event},
      {"echo", echo}};
  const bool good = modes.at(arguments[0])(cache, keys);
  return good ? 0 : 1;
}
