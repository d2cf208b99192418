// sessions: how many there are, and whose. Never their ids, which are secrets.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cascor/core/glob.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "long_work.hpp"
#include "session.hpp"
#include "shown.hpp"
#include "table.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;

struct User {
  std::string name;
  std::size_t sessions = 0;
};

int sessions(Session& session) {
  Output& out = session.out();
  cascor::CacheManager& cache = session.cache();
  const std::string& prefix = session.config().key_prefixes.session;
  const std::string of_users = prefix + "user:";
  std::size_t count = 0;
  std::vector<User> users;
  run_long(out, "Looking for sessions", 0, [&] {
    auto keys = cache.keys(cascor::glob_escape(prefix) + "*");
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());  // SCAN may tell a key twice
    for (const std::string& key : keys) {
      if (is_session(session.config(), key)) ++count;
      if (!key.starts_with(of_users) || key.size() == of_users.size()) continue;
      const std::string user = key.substr(of_users.size());
      if (const std::size_t open = cache.sessions().of_user(user).size(); open > 0) users.push_back({user, open});
    }
  });
  std::stable_sort(users.begin(), users.end(), [](const User& a, const User& b) { return a.sessions > b.sessions; });
  if (out.json()) {
    json list = json::array();
    for (const User& user : users) list.push_back({{"user", json_text(user.name)}, {"sessions", user.sessions}});
    out.value({{"sessions", count}, {"users", std::move(list)}});
  } else if (count == 0) {
    out.note("There is no session.");
  } else {
    out.line(count_text(count) + (count == 1 ? " session" : " sessions"));
    Table table{{"USER", ">SESSIONS"}};
    for (const User& user : users) table.row({{escaped(user.name)}, {count_text(user.sessions)}});
    if (!table.empty()) table.show(out);
  }
  return count > 0 ? done : nothing_found;
}

}  // namespace

void add_sessions(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("sessions", "Count the sessions, by user");
  session.runs(command, [&session] { return sessions(session); });
}

}  // namespace tool
