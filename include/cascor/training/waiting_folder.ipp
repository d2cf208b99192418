#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "cascor/redis/descriptor.hpp"
#include "cascor/training/waiting_folder.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF void mark_folder(const std::string& folder, const std::string& text) noexcept {
  try {
    const std::string path = folder + '/' + std::string{destination_file};
    struct stat there {};
    if (::stat(path.c_str(), &there) == 0) return;
    const std::string made = path + '.' + std::to_string(::getpid());
    const std::string line = text + '\n';
    {
      const redis::Descriptor file{::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
      const bool whole =
          file.fd() >= 0 && ::write(file.fd(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
      if (whole && ::rename(made.c_str(), path.c_str()) == 0) return;
    }
    (void)::unlink(made.c_str());
  } catch (...) {  // no memory for the names
  }
}

template <class CascorWhenUsed>
struct WaitingFolders {
  using Path = Dependent<std::filesystem::path, CascorWhenUsed>;
  using Paths = Dependent<std::vector<Path>, CascorWhenUsed>;
  using Where = Destination<CascorWhenUsed>;

  const Path base;
  const Where& destination;
  const Log& log;
  const Path ours{base / destination.folder()};

  static bool is_folder(const Path& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
  }
  static Paths journals_in(const Path& folder) {
    namespace fs = std::filesystem;
    Paths found;
    std::error_code error;
    for (fs::directory_iterator at{folder, error}, end; !error && at != end; at.increment(error)) {
      if (at->path().extension() == ".jsonl" && !is_folder(at->path())) found.push_back(at->path());
    }
    return found;
  }
  static Dependent<std::optional<Where>, CascorWhenUsed> destination_of(const Path& folder) {
    constexpr std::size_t longest = std::size_t{64} << 10U;
    const redis::Descriptor file{::open((folder / destination_file).c_str(), O_RDONLY | O_CLOEXEC)};
    std::string text(longest, '\0');
    const ssize_t got = file.fd() < 0 ? -1 : ::read(file.fd(), text.data(), text.size());
    if (got < 0) return std::nullopt;
    return Where::parse(std::string_view{text}.substr(0, static_cast<std::size_t>(got)));
  }

  // Under its lock, and never over another: nobody's records are lost.
  bool move_here(const Path& journal) const {
    const redis::Descriptor file{::open(journal.c_str(), O_RDWR | O_CLOEXEC)};
    if (file.fd() < 0 || ::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) return false;
    const Path place = ours / journal.filename();
    return ::link(journal.c_str(), place.c_str()) == 0 && ::unlink(journal.c_str()) == 0;
  }

  void stays(std::size_t runs, const Path& folder, const std::string& why) const {
    log.warning("History of " + std::to_string(runs) + (runs == 1 ? " run in " : " runs in ") +
                printable(folder.string()) + ' ' + why + "; to have it sent to " + destination.shown() +
                ", move its .jsonl files into " + printable(ours.string()));
  }

  void look_into(const Path& folder) const {
    const Paths journals = journals_in(folder);
    if (journals.empty()) return;
    const auto whose = destination_of(folder);
    if (!whose) return stays(journals.size(), folder, "does not say which Redis it waits for, and is sent to none");
    if (!destination.is_same(*whose)) {
      return stays(journals.size(), folder, "waits for another Redis, " + printable(whose->shown()));
    }
    std::error_code ignored;
    std::filesystem::create_directories(ours, ignored);
    mark_folder(ours.string(), destination.text());
    std::size_t left = 0;
    for (const Path& journal : journals) left += move_here(journal) ? 0U : 1U;
    if (left > 0) return stays(left, folder, "is being written, or is there already");
    log.info("History of " + std::to_string(journals.size()) + " runs that waited in " + printable(folder.string()) +
             " waits in " + printable(ours.string()));
  }

  void look() const {
    namespace fs = std::filesystem;
    if (const Paths unmarked = journals_in(base); !unmarked.empty()) {
      stays(unmarked.size(), base, "does not say which Redis it waits for, and is sent to none");
    }
    Paths folders;
    std::error_code error;
    for (fs::directory_iterator at{base, error}, end; !error && at != end; at.increment(error)) {
      if (at->path() != ours && is_folder(at->path())) folders.push_back(at->path());
    }
    for (const Path& folder : folders) look_into(folder);
  }
};

template <class CascorWhenUsed>
std::string waiting_folder(const std::string& base, const Destination<CascorWhenUsed>& destination, const Log& log) {
  const WaitingFolders<CascorWhenUsed> all{base, destination, log};
  try {
    all.look();
  } catch (const std::exception& error) {
    log.warning("History that waits in " + printable(base) + " could not be looked at: " + error.what());
  }
  return all.ours.string();
}

#if defined(CASCOR_CACHE_COMPILED)
template std::string waiting_folder<void>(const std::string&, const Destination<>&, const Log&);
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
