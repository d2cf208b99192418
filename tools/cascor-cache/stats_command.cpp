// stats: what the server holds for this cache, once or again and again.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "interrupt.hpp"
#include "long_work.hpp"
#include "session.hpp"
#include "survey.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;

// What a memory cache holds is its process's alone; what can be seen from here is where it keeps its runs.
int stats_of_memory(Session& session) {
  Output& out = session.out();
  const auto& config = session.config();
  const std::size_t runs = config.enabled ? session.any_cache().runs().size() : 0;
  if (out.json()) {
    out.value({{"health", session.any_cache().health()},
               {"namespace", json_text(config.key_namespace)},
               {"history_directory", json_text(config.history.directory.string())},
               {"keys", nullptr},
               {"runs", runs},
               {"server", nullptr}});
    return done;
  }
  if (!config.enabled) {
    out.line("The cache is switched off (backend.cache.enabled: false).");
    return done;
  }
  out.paragraph(
      "The cache is in memory (type: memory): it lives in the process that made it, which alone can tell what is in "
      "it.");
  out.line(count_text(runs) + (runs == 1 ? " run" : " runs") + " in " + escaped(config.history.directory.string()));
  return done;
}

// The whole screen, while it lives; afterwards it is as it was.
class FullScreen {
 public:
  FullScreen() {
    terminal_to_restore(&state);
    write(state.take_again);
  }
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;
  ~FullScreen() {
    write(state.put_back);
    terminal_to_restore(nullptr);
  }
  /// Shows as many of the lines as there are rows.
  void draw(const std::vector<std::string>& lines, std::size_t rows) {
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size() && i < rows; ++i) {
      if (i > 0) text += "\r\n";
      text += lines[i] + "\x1b[K";
    }
    write((text + "\x1b[J").c_str());
  }

 private:
  static constexpr TerminalState state{STDOUT_FILENO, "\x1b[?25h\x1b[?1049l", "\x1b[?1049h\x1b[?25l"};
  static void write(const char* text) {
    std::fputs(text, stdout);
    std::fflush(stdout);
  }
};

// A count of keys reads all of their names: it is made so seldom that this takes a twentieth of the server's time.
class Looks {
 public:
  explicit Looks(Session& session) : session_{session} {}
  void look() {
    const bool recount = !now_ || !now_->keys || age_of_count() > 20 * now_->keys->took_seconds;
    std::optional<KeyCounts> kept;
    if (!recount) kept = now_->keys;
    Survey fresh = survey(session_, kept ? &*kept : nullptr);
    if (recount) counted_ = std::chrono::steady_clock::now();
    before_ = std::move(now_);
    now_ = std::move(fresh);
  }
  const Survey& now() const { return *now_; }
  const Survey* before() const { return before_ ? &*before_ : nullptr; }

 private:
  double age_of_count() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - counted_).count();
  }

  Session& session_;
  std::optional<Survey> now_;
  std::optional<Survey> before_;
  std::chrono::steady_clock::time_point counted_{};
};

std::vector<std::string> page_of(Session& session, const Looks& looks, std::size_t columns) {
  return survey_lines(session, looks.now(), looks.before(), columns);
}

int watch(Session& session, std::chrono::milliseconds pause) {
  Output& out = session.out();
  (void)session.cache();  // what keeps it from being reached is said on the usual screen
  const Interruptible interruptible;
  Looks looks{session};
  if (!out.terminal() || out.json()) {
    do {
      looks.look();
      if (out.json()) {
        out.value(survey_json(session, looks.now()));
      } else {
        for (const std::string& line : page_of(session, looks, 0)) out.line(line);
        out.line();
      }
      if (!out.flush()) return refused;
    } while (!interruptible.wait_for(pause));
    return interruptible.exit_code();
  }
  {
    FullScreen screen;
    bool ended = false;
    while (!ended) {
      looks.look();
      const auto next = std::chrono::steady_clock::now() + pause;
      std::array<std::size_t, 3> drawn{};
      while (!ended && std::chrono::steady_clock::now() < next) {
        const std::array<std::size_t, 3> now{out.columns(), out.rows(), times_resumed()};
        if (now != drawn) screen.draw(page_of(session, looks, out.columns()), out.rows());
        drawn = now;
        ended = interruptible.wait_for(std::min(pause, std::chrono::milliseconds{100}));
      }
    }
  }
  for (const std::string& line : page_of(session, looks, out.columns())) out.line(line);
  return interruptible.exit_code();
}

// The option's value, which may be left out.
std::chrono::milliseconds pause_of(const std::string& text) {
  double seconds = 2;
  if (!text.empty() && (!CLI::detail::lexical_cast(text, seconds) || !(seconds >= 0.1 && seconds <= 86'400))) {
    throw cascor::DataError{"--watch " + text + ": that is no number of seconds from 0.1 to 86400", "As in --watch 5."};
  }
  return std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1'000)};
}

int once(Session& session) {
  Output& out = session.out();
  Survey found;
  run_long(out, "Counting keys", 0, [&] { found = survey(session, nullptr); });
  if (out.json()) {
    out.value(survey_json(session, found));
  } else {
    for (const std::string& line : survey_lines(session, found, nullptr, out.columns())) out.line(line);
    out.note(out.painted_error(
        Colour::dim,
        "Hits, misses and near values of a process are its own to tell: stats(), or its Prometheus page."));
  }
  return found.health.status == cascor::HealthStatus::up ? done : unreachable;
}

}  // namespace

void add_stats(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("stats", "What the server holds for this cache, and how it is");
  const auto pause = std::make_shared<std::string>();
  CLI::Option* const watching =
      command->add_option("--watch", *pause, "Again and again, each so many seconds (2)")->type_name("[SECONDS]");
  watching->expected(0, 1);
  session.runs(command, [&session, pause, watching] {
    if (!session.on_redis()) return stats_of_memory(session);
    return watching->count() == 0 ? once(session) : watch(session, pause_of(*pause));
  });
}

}  // namespace tool
