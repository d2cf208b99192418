// cascor-cache: what an operator asks of this cache's Redis and of its records. The manual page is cascor-cache.1.
#include <CLI/CLI.hpp>
#include <cascor/version.hpp>
#include <cstdio>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "help.hpp"
#include "interrupt.hpp"
#include "session.hpp"

int main(int argc, char** argv) {
  tool::catch_interrupts();
  tool::Session session;
  CLI::App app{"Looks into a cascor cache: its values, its server, its runs.", "cascor-cache"};
  app.set_version_flag("--version", "cascor-cache " CASCOR_CACHE_VERSION_STRING);
  session.add_options(app);
  tool::add_get(app, session);
  tool::add_set(app, session);
  tool::add_ttl(app, session);
  tool::add_keys(app, session);
  tool::add_invalidate(app, session);
  tool::add_clear(app, session);
  tool::add_stats(app, session);
  tool::add_monitor(app, session);
  tool::add_runs(app, session);
  tool::add_export(app, session);
  tool::add_import(app, session);
  tool::add_sessions(app, session);
  tool::add_doctor(app, session);
  tool::add_bench(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(tool::fitted_help(app.help(), session.out().columns()).c_str(), stdout);
    return tool::done;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? tool::done : tool::wrong_usage;
  }
  if (app.get_subcommands().empty()) {
    std::fputs(tool::fitted_help(app.help(), session.out().error_columns()).c_str(), stderr);
    return tool::wrong_usage;
  }
  return session.run();
}
