#include "history_probe.hpp"

#include <pwd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cascor/core/log.hpp>
#include <cascor/training/destination.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

namespace tool::doctor {
namespace {

namespace fs = std::filesystem;
using Destination = cascor::detail::Destination<>;

std::string user_name() {
  const passwd* const entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): the only thread
  return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

/// What exists of the path: itself, or the folder that it would be made in.
fs::path existing(fs::path path) {
  std::error_code error;
  path = fs::absolute(path, error);
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

std::string why_not_usable(const fs::path& directory) {
  const fs::path there = existing(directory);
  std::error_code error;
  if (!fs::is_directory(there, error)) return there.string() + " is no folder";
  if (::access(there.c_str(), W_OK | X_OK) != 0) return std::generic_category().message(errno);
  return {};
}

std::optional<Destination> destination_of(const fs::path& folder) {
  std::ifstream file{folder / "destination.json", std::ios::binary};
  if (!file) return std::nullopt;
  return Destination::parse(std::string{std::istreambuf_iterator<char>{file}, {}});
}

/// The journals that wait in one folder.
void look_into(const fs::path& folder, const Destination& wanted, bool marked, HistoryFacts& facts) {
  HistoryFacts::Waiting found;
  found.folder = folder.string();
  std::error_code error;
  for (fs::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (fs::is_directory(at->path(), ignored)) continue;
    const std::string name = at->path().filename().string();
    if (name.find(".jsonl.refused") != std::string::npos) {
      if (facts.refused++ == 0) facts.refused_example = at->path().string();
    } else if (at->path().extension() == ".jsonl") {
      const auto size = fs::file_size(at->path(), ignored);
      if (ignored || size == 0) continue;
      ++found.runs;
      found.bytes += static_cast<double>(size);
    }
  }
  if (found.runs == 0) return;
  const auto whose = marked ? destination_of(folder) : std::nullopt;
  found.ours = folder.filename() == wanted.folder() || (whose && wanted.is_same(*whose));
  if (whose) found.whom = whose->shown();
  facts.waiting.push_back(std::move(found));
}

}  // namespace

HistoryFacts probe_history(const cascor::CacheConfig& config, const ConfigurationFacts& configuration) {
  HistoryFacts facts;
  const fs::path directory = config.history.directory;
  facts.directory = directory.string();
  facts.place = configuration.place("history.directory");
  facts.user = user_name();
  facts.redis = config.type == cascor::CacheType::redis;
  facts.not_usable = why_not_usable(directory);
  struct statvfs system {};
  if (facts.not_usable.empty() && ::statvfs(existing(directory).c_str(), &system) == 0)
    facts.free_bytes = static_cast<double>(system.f_bavail) * static_cast<double>(system.f_frsize);

  const Destination wanted = Destination::of(config, config.key_namespace);
  facts.our_folder = (directory / "pending" / wanted.folder()).string();
  std::error_code error;
  for (const char* const room : {"pending", "spool"}) {
    const fs::path base = directory / room;
    look_into(base, wanted, false, facts);
    for (fs::directory_iterator at{base, error}, end; !error && at != end; at.increment(error)) {
      std::error_code ignored;
      if (fs::is_directory(at->path(), ignored)) look_into(at->path(), wanted, true, facts);
    }
  }
  if (!facts.redis) {
    for (fs::directory_iterator at{directory, error}, end; !error && at != end; at.increment(error))
      facts.runs += at->path().extension() == ".jsonl" ? 1U : 0U;
  }
  return facts;
}

}  // namespace tool::doctor
