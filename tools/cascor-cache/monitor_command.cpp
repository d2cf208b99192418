// monitor: what changes and what is published, as it happens.
//
// The mutex of Teller is held while a line is written, so that lines of the two subscriptions' threads do not mix.
#include <CLI/CLI.hpp>
#include <array>
#include <cascor/core/glob.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "interrupt.hpp"
#include "session.hpp"
#include "shown.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;

// "13:05:09.042", where the operator is.
std::string local_time(cascor::WallTime now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto since = std::chrono::duration_cast<cascor::milliseconds>(now.time_since_epoch()).count();
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03d", static_cast<int>(since % 1'000));
  return text.data();
}

// Events as lines. Safe from any thread.
class Teller {
 public:
  explicit Teller(Session& session) : session_{session}, config_{session.config()} {}

  void changed(std::string_view key) {
    tell("changed", Colour::plain, shown_key(config_, key), {{"key", json_key(key)}});
  }
  void message(const cascor::Message& message) {
    json payload;
    try {
      payload = message.json();
    } catch (const cascor::DataError&) {
      payload = json_text(message.payload);
    }
    tell("message", Colour::good, escaped(message.channel) + "  " + escaped(message.payload),
         {{"channel", json_text(message.channel)}, {"payload", std::move(payload)}});
  }
  void gap(const char* of) {
    tell("gap", Colour::doubtful, std::string{of} + " may have been missed before this", {{"of", of}});
  }
  void listening(const char* to) { tell("listening", Colour::dim, std::string{"to "} + to, {{"to", to}}); }

 private:
  std::string json_key(std::string_view key) const {
    return is_session(config_, key) ? config_.key_prefixes.session + "***" : json_text(key);
  }
  void tell(const char* kind, Colour colour, const std::string& text, json particulars) {
    const std::lock_guard lock{mutex_};
    const auto now = std::chrono::system_clock::now();
    Output& out = session_.out();
    if (out.json()) {
      particulars["event"] = kind;
      particulars["time"] = cascor::detail::iso8601(now);
      out.value(particulars);
    } else {
      std::string padded = kind;
      padded.resize(std::max<std::size_t>(padded.size(), 9), ' ');
      const std::string time = local_time(now);
      const std::size_t columns = out.columns();
      const std::size_t used = time.size() + padded.size() + 2;
      // A line of a terminal is one event; the whole of it is for files and pipes.
      const std::string shown = columns == 0 ? text : cut(text, columns > used + 8 ? columns - used : 8);
      out.line(out.painted(Colour::dim, time) + " " + out.painted(colour, padded) + " " + shown);
    }
    (void)out.flush();
  }

  Session& session_;
  const cascor::CacheConfig& config_;
  std::mutex mutex_;
};

// The server tells of changes under the prefixes that are kept near. Here these are what the pattern begins with; or,
// where that is the namespace alone or could be the library's own keys as well, those of the configuration.
cascor::CacheConfig listening_config(Session& session, std::string_view full_pattern) {
  cascor::CacheConfig config = session.strict_config();
  config.near_cache.enabled = true;
  config.near_cache.max_memory_mb = 1;
  cascor::CacheConfig narrow = config;
  narrow.key_prefixes.control = cascor::glob_literal_prefix(full_pattern).text;
  narrow.near_cache.prefixes = {"control"};
  try {
    return narrow.checked();
  } catch (const cascor::ConfigError&) {
    config.near_cache.prefixes = {"metrics", "topology", "session", "history", "control"};
    return config;
  }
}

struct MonitorCommand {
  std::string pattern = "*";
  std::string channels;
};

int monitor(Session& session, const MonitorCommand& command) {
  Teller teller{session};
  session.check_shared();
  const std::string channels =
      command.channels.empty() ? cascor::glob_escape(session.config().key_namespace) + "*" : command.channels;
  const std::string pattern = key_space(session.config()).pattern(command.pattern);
  if (key_space(session.config()).is_own(cascor::glob_literal_prefix(pattern).text)) {
    throw cascor::DataError{"the records of runs, locks and tags are no cached keys, and their changes are not told",
                            "The messages of a training are: monitor shows them."};
  }
  cascor::CacheManager cache{listening_config(session, pattern)};
  const Interruptible interruptible;

  cascor::Subscription messages;
  try {
    cascor::SubscribeOptions options;
    options.on_gap = [&teller] { teller.gap("messages"); };
    messages = cache.subscribe_pattern(
        {channels}, [&teller](const cascor::Message& m) { teller.message(m); }, options);
    teller.listening("messages");
  } catch (const cascor::AuthenticationError& error) {
    if (!command.channels.empty()) throw;
    session.out().note(std::string{"Messages are not shown: "} + escaped(error.what()) + " " + escaped(error.hint()));
  }
  bool first_gap = true;  // for the handlers' thread: the server begins to tell
  cascor::SubscribeOptions options;
  options.on_gap = [&teller, &first_gap] {
    if (first_gap) {
      teller.listening("changes");
    } else {
      teller.gap("changes");
    }
    first_gap = false;
  };
  cascor::Subscription changes = cache.on_change(
      command.pattern, [&teller](std::string_view key) { teller.changed(key); }, options);
  while (cache.stats().near_cache.link == "CONNECTING" && !interruptible.wait_for(std::chrono::milliseconds{20})) {
  }
  if (cache.stats().near_cache.link == "REFUSED") {
    if (!messages) throw Refusal{"this account may neither listen to messages nor hear of changes"};
    session.out().note("Changes are not shown: the server does not tell this account of them.");
  }
  while (!interruptible.wait_for(std::chrono::hours{1})) {
  }
  changes.close();
  messages.close();
  return interruptible.exit_code();
}

}  // namespace

void add_monitor(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("monitor", "Show changes of keys and messages as they happen");
  const auto given = std::make_shared<MonitorCommand>();
  command->add_option("PATTERN", given->pattern, "Of keys, within the namespace; all if left out");
  command->add_option("--channels", given->channels, "Pattern of channels; else those of the namespace")
      ->type_name("PATTERN");
  session.runs(command, [&session, given] { return monitor(session, *given); });
}

}  // namespace tool
