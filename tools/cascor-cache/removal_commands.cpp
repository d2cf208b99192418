// invalidate and clear: removing many keys at once.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "long_work.hpp"
#include "session.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;

struct InvalidateCommand {
  std::string pattern;
  std::string tag;
};

int invalidate(Session& session, const InvalidateCommand& command) {
  if (command.pattern.empty() == command.tag.empty()) {
    throw cascor::DataError{"invalidate wants a pattern or --tag, and not both", "To remove all there is: clear."};
  }
  cascor::CacheManager& cache = session.cache();
  const bool by_tag = command.pattern.empty();
  const std::string& name = by_tag ? command.tag : command.pattern;
  std::size_t removed = 0;
  run_long(session.out(), "Removing " + escaped(name), 0,
           [&] { removed = by_tag ? cache.invalidate_tag(name) : cache.invalidate_cache(name); });
  if (session.out().json()) {
    session.out().value({{by_tag ? "tag" : "pattern", json_text(name)}, {"removed", removed}});
  } else {
    session.out().line("Removed " + count_text(removed) + (removed == 1 ? " key." : " keys."));
  }
  return removed > 0 ? done : nothing_found;
}

// At a terminal; an answer that is not yes is a no.
bool agrees(Output& out, const std::string& question) {
  out.note(question + " [y/N] ");
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return answer == "y" || answer == "Y" || answer == "yes";
}

int clear(Session& session, bool yes) {
  cascor::CacheManager& cache = session.cache();
  const std::string what =
      "everything cached under " + escaped(session.config().key_namespace) + " at " + escaped(session.server());
  if (!yes && (::isatty(STDIN_FILENO) == 0 || session.out().json())) {
    throw Refusal{"clear removes " + what + " and there is nobody to ask", "Give --yes."};
  }
  if (!yes && !agrees(session.out(), "Remove " + what + "? Runs, locks and other applications' keys stay.")) {
    throw Refusal{"nothing was removed"};
  }
  std::size_t removed = 0;
  run_long(session.out(), "Clearing", 0, [&] { removed = cache.clear_all_cache(); });
  if (session.out().json()) {
    session.out().value({{"removed", removed}});
  } else {
    session.out().line("Removed " + count_text(removed) + (removed == 1 ? " key." : " keys."));
  }
  return done;
}

}  // namespace

void add_invalidate(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("invalidate", "Remove the keys that match a pattern, or have a tag");
  const auto given = std::make_shared<InvalidateCommand>();
  command->add_option("PATTERN", given->pattern, "Redis's glob, within the namespace");
  command->add_option("--tag", given->tag, "What was stored with this tag")->type_name("TAG");
  session.runs(command, [&session, given] { return invalidate(session, *given); });
}

void add_clear(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("clear", "Remove everything cached, but no run; asks first");
  const auto yes = std::make_shared<bool>(false);
  command->add_flag("--yes", *yes, "Do not ask");
  session.runs(command, [&session, yes] { return clear(session, *yes); });
}

}  // namespace tool
