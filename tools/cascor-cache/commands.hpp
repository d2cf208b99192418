// The commands: each function adds one to the program. What it does is handed to Session::runs().
#pragma once

namespace CLI {
class App;
}

namespace tool {

class Session;

void add_get(CLI::App& app, Session& session);
void add_set(CLI::App& app, Session& session);
void add_ttl(CLI::App& app, Session& session);
void add_keys(CLI::App& app, Session& session);
void add_invalidate(CLI::App& app, Session& session);
void add_clear(CLI::App& app, Session& session);
void add_stats(CLI::App& app, Session& session);
void add_monitor(CLI::App& app, Session& session);
void add_runs(CLI::App& app, Session& session);
void add_export(CLI::App& app, Session& session);
void add_import(CLI::App& app, Session& session);
void add_sessions(CLI::App& app, Session& session);
void add_doctor(CLI::App& app, Session& session);
void add_bench(CLI::App& app, Session& session);

}  // namespace tool
