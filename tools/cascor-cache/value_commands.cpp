// get, set, ttl, keys: single values of the namespace.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "session.hpp"
#include "shown.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;
using cascor::milliseconds;

double seconds_of(milliseconds time) { return static_cast<double>(time.count()) / 1'000; }

// What stands under the key, JSON or not: the library tells a text that is none by an error that is no server's.
std::optional<std::string> bytes_under(Session& session, const std::string& key) {
  const std::string full = full_key(session.config(), key);
  const cascor::Reply reply = session.cache().command({"GET", full});
  if (reply.kind != cascor::Reply::Kind::string) return std::nullopt;
  return reply.text;
}

int get(Session& session, const std::string& key) {
  Output& out = session.out();
  const auto result = session.cache().get(key);
  if (result) {
    const auto left = session.cache().ttl(key);  // a read does not tell it
    const bool expires = left && *left != cascor::no_expiry;
    if (out.json()) {
      out.value({{"key", json_text(key)},
                 {"status", to_string(result.status())},
                 {"tier", to_string(result.tier())},
                 {"expires_in", expires ? json(seconds_of(*left)) : json(nullptr)},
                 {"value", *result}});
      return done;
    }
    out.line(escaped_lines(result->dump(out.terminal() ? 2 : -1, ' ', false, json::error_handler_t::replace)));
    if (out.terminal() && left) {
      out.note(out.painted_error(
          Colour::dim, expires ? "expires in " + duration_text(seconds_of(*left)) : std::string{"does not expire"}));
    }
    return done;
  }
  if (result.error() != nullptr && result.error()->code() != cascor::ErrorCode::data) result.error()->raise();
  if (result.error() != nullptr) {
    const auto bytes = bytes_under(session, key);
    if (!bytes) result.error()->raise();
    if (out.json()) {
      out.value({{"key", json_text(key)}, {"status", "HIT"}, {"tier", "redis"}, {"text", json_text(*bytes)}});
    } else {
      out.line(escaped_lines(*bytes));
      out.note("This is not JSON: another program wrote it.");
    }
    return done;
  }
  if (out.json()) {
    out.value({{"key", json_text(key)}, {"status", to_string(result.status())}, {"value", nullptr}});
  } else {
    out.note("Nothing is stored under " + escaped(key) + ".");
  }
  return nothing_found;
}

// JSON as it is written; what cannot have been meant as JSON is a text.
json value_of(const std::string& text, bool as_text) {
  if (as_text) return text;
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && std::string_view{"{[\""}.find(text[first]) != std::string_view::npos) {
      throw cascor::DataError{"the value begins as JSON does, and is none", "Correct it, or give --text."};
    }
    return text;
  }
}

struct SetCommand {
  std::string key;
  std::string value;
  bool as_text = false;
  double ttl = -1;
};

int set(Session& session, const SetCommand& command) {
  std::string text = command.value;
  if (text == "-") text.assign(std::istreambuf_iterator<char>{std::cin}, {});
  cascor::SetOptions options;
  if (command.ttl >= 0) options.ttl = std::chrono::duration<double>{command.ttl};
  const auto stored = session.cache().set(command.key, value_of(text, command.as_text), options);
  if (!stored && stored.error() != nullptr) stored.error()->raise();
  const auto left = session.cache().ttl(command.key);
  const bool expires = left && *left != cascor::no_expiry;
  Output& out = session.out();
  if (out.json()) {
    out.value({{"key", json_text(command.key)},
               {"stored", static_cast<bool>(stored)},
               {"expires_in", expires ? json(seconds_of(*left)) : json(nullptr)}});
  } else {
    out.line("Stored " + escaped(command.key) + (expires ? ", expires in " + duration_text(seconds_of(*left)) : ""));
  }
  return done;
}

int ttl(Session& session, const std::string& key) {
  Output& out = session.out();
  const auto left = session.cache().ttl(key);
  const bool expires = left && *left != cascor::no_expiry;
  if (out.json()) {
    out.value({{"key", json_text(key)},
               {"found", left.has_value()},
               {"expires_in", expires ? json(seconds_of(*left)) : json(nullptr)}});
  } else if (!left) {
    out.note("Nothing is stored under " + escaped(key) + ".");
  } else {
    out.line(expires ? duration_text(seconds_of(*left)) : "does not expire");
  }
  return left ? done : nothing_found;
}

struct KeysCommand {
  std::string pattern = "*";
  std::size_t limit = std::numeric_limits<std::size_t>::max();
};

int keys(Session& session, const KeysCommand& command) {
  Output& out = session.out();
  std::vector<std::string> found = session.cache().keys(command.pattern, command.limit);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());  // SCAN may tell a key twice
  // A session's id is all that its user's browser shows for who he is.
  const auto secret = [&](const std::string& key) { return is_session(session.config(), key); };
  const auto sessions = static_cast<std::size_t>(std::count_if(found.begin(), found.end(), secret));
  std::erase_if(found, secret);
  if (out.json()) {
    json names = json::array();
    for (const std::string& key : found) names.push_back(json_text(key));
    out.value({{"keys", std::move(names)}, {"sessions", sessions}});
  } else {
    for (const std::string& key : found) out.line(escaped(key));
    if (sessions > 0) {
      out.note("And " + count_text(sessions) + (sessions == 1 ? " session, whose id is" : " sessions, whose ids are") +
               " not shown.");
    }
    if (found.empty() && sessions == 0) out.note("No key matches " + escaped(command.pattern) + ".");
  }
  return found.empty() && sessions == 0 ? nothing_found : done;
}

}  // namespace

void add_get(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("get", "Show the value under a key");
  const auto key = std::make_shared<std::string>();
  command->add_option("KEY", *key, "With or without the namespace")->required();
  session.runs(command, [&session, key] { return get(session, *key); });
}

void add_set(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("set", "Store a value under a key");
  const auto given = std::make_shared<SetCommand>();
  command->add_option("KEY", given->key, "With or without the namespace")->required();
  command->add_option("VALUE", given->value, "JSON, or else a text; - reads standard input")->required();
  command->add_option("--ttl", given->ttl, "How long it lives, 0 for ever; else as its prefix says")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--text", given->as_text, "VALUE is a text even where it could be JSON");
  session.runs(command, [&session, given] { return set(session, *given); });
}

void add_ttl(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("ttl", "How much longer a key lives");
  const auto key = std::make_shared<std::string>();
  command->add_option("KEY", *key, "With or without the namespace")->required();
  session.runs(command, [&session, key] { return ttl(session, *key); });
}

void add_keys(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("keys", "List the keys that match a pattern");
  const auto given = std::make_shared<KeysCommand>();
  command->add_option("PATTERN", given->pattern, "Redis's glob, within the namespace; all keys if left out");
  command->add_option("--limit", given->limit, "So many at most")->type_name("N");
  session.runs(command, [&session, given] { return keys(session, *given); });
}

}  // namespace tool
