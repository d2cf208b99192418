#include "redis_benchmark.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cascor/config/redis_url.hpp>
#include <cascor/redis/descriptor.hpp>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace tool::bench {
namespace {

constexpr const char* program = "redis-benchmark";

bool is_installed() {
  const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody changes it
  for (std::string_view left = path == nullptr ? "/usr/bin:/bin" : path; !left.empty();) {
    const std::string folder{left.substr(0, left.find(':'))};
    left.remove_prefix(std::min(folder.size() + 1, left.size()));
    if (::access((folder + '/' + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

/// What the program writes; throws where it cannot be run or fails.
std::string output_of(std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe for redis-benchmark"};
  const cascor::redis::Descriptor reading{ends[0]};
  cascor::redis::Descriptor writing{ends[1]};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, writing.fd(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, program, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error{"redis-benchmark could not be started"};
  writing = cascor::redis::Descriptor{-1};

  std::string text;
  std::array<char, 4096> piece{};
  while (true) {
    const ssize_t got = ::read(reading.fd(), piece.data(), piece.size());
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error{"redis-benchmark has failed"};
  return text;
}

/// The rate in the last line of the CSV: the second of its fields, of which the first may hold anything.
double rate_in(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::string_view line = text.substr(text.rfind('\n') + 1);
  constexpr std::size_t behind = 6;  // latencies: average, least, three quantiles, most
  std::vector<std::string> fields;
  for (std::size_t end = line.size(); end > 0 && fields.size() < behind + 2;) {
    const auto close = line.rfind('"', end - 1);
    const auto open = close == std::string_view::npos || close == 0 ? close : line.rfind('"', close - 1);
    if (open == std::string_view::npos) break;
    fields.emplace_back(line.substr(open + 1, close - open - 1));
    end = open;
  }
  const std::size_t at = fields.size() > behind ? behind : 0;  // before Redis 6.2 there was only the rate
  const double rate = fields.empty() ? 0 : std::strtod(fields[at].c_str(), nullptr);
  if (!(rate > 0)) throw std::runtime_error{"redis-benchmark gave no rate"};
  return rate;
}

}  // namespace

RedisBenchmark::RedisBenchmark(const cascor::CacheConfig& config) {
  const auto url = cascor::RedisUrl::parse(config.redis_url);
  using Kind = cascor::RedisUrl::Kind;
  if (!is_installed()) {
    why_not_ = "it is not installed (Debian: redis-tools)";
  } else if (!url.password.empty() || !config.password.empty()) {
    why_not_ = "it takes a password only on its command line, where everybody can read it";
  } else if (url.kind == Kind::sentinel || url.kind == Kind::cluster) {
    why_not_ = "only one server alone is compared";
  }
  words_ = {program, "--csv", "--dbnum", std::to_string(url.database)};
  const auto add = [this](const char* option, const std::string& value) {
    if (value.empty()) return;
    words_.emplace_back(option);
    words_.push_back(value);
  };
  if (url.kind == Kind::unix_socket) {
    add("-s", url.path);
  } else {
    add("-h", url.nodes.at(0).host);
    add("-p", std::to_string(url.nodes.at(0).port));
  }
  if (!url.tls) return;
  words_.emplace_back("--tls");
  add("--cacert", config.tls.ca_file);
  add("--cert", config.tls.cert_file);
  add("--key", config.tls.key_file);
  add("--sni", config.tls.server_name);
  if (!config.tls.verify) words_.emplace_back("--insecure");
}

double RedisBenchmark::rate(std::size_t connections, std::size_t at_a_time, std::size_t requests,
                            const std::vector<std::string>& command) const {
  auto words = words_;
  for (const auto& [option, value] :
       {std::pair{"-c", connections}, std::pair{"-P", at_a_time}, std::pair{"-n", requests}}) {
    words.emplace_back(option);
    words.push_back(std::to_string(value));
  }
  words.insert(words.end(), command.begin(), command.end());
  return rate_in(output_of(std::move(words)));
}

}  // namespace tool::bench
