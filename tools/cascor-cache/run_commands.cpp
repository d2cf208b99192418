// runs, export and import: the durable records.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "exit_codes.hpp"
#include "long_work.hpp"
#include "session.hpp"
#include "table.hpp"
#include "text.hpp"

namespace tool {
namespace {

using cascor::json;
namespace fs = std::filesystem;

// The list of runs is a key that others may write.
bool is_run_name(const std::string& run) {
  try {
    cascor::detail::check_run_name(run);
    return true;
  } catch (const cascor::DataError&) {
    return false;
  }
}

// A member of a record as text for one cell.
std::string cell(const json& record, const char* member) {
  const auto found = record.is_object() ? record.find(member) : record.end();
  if (!record.is_object() || found == record.end() || found->is_null()) return "";
  return escaped(found->is_string() ? found->get<std::string>()
                                    : found->dump(-1, ' ', false, json::error_handler_t::replace));
}

int runs(Session& session) {
  Output& out = session.out();
  cascor::CacheManager& cache = session.any_cache();
  json list = json::array();
  Table table{{"RUN", ">RECORDS", ">LAST EPOCH", "?PHASE", "?AT"}};
  for (const std::string& run : cache.runs()) {
    if (!is_run_name(run)) {
      out.note("A name that can be no run's is on the list: " + escaped(run));
      continue;
    }
    auto history = cache.history(run);
    const std::size_t records = history.size();
    const auto last = history.last(1);
    const json record = last.empty() ? json(nullptr) : last.front().record;
    if (out.json()) {
      list.push_back({{"run", json_text(run)}, {"records", records}, {"last", record}});
    } else {
      table.row({{escaped(run), Colour::bold},
                 {count_text(records)},
                 {cell(record, "epoch")},
                 {cell(record, "phase")},
                 {cell(record, "timestamp")}});
    }
  }
  const bool none = out.json() ? list.empty() : table.empty();
  if (out.json()) {
    out.value({{"runs", std::move(list)}});
  } else if (none) {
    out.note(session.on_redis()
                 ? "No run is recorded at " + escaped(session.server()) + "."
                 : "No run is recorded in " + escaped(session.config().history.directory.string()) + ".");
  } else {
    table.show(out);
  }
  return none ? nothing_found : done;
}

// How many lines a file has that grows, or does not; each look reads what is new.
class LineCount {
 public:
  explicit LineCount(const fs::path& path) : file_{path, std::ios::binary} {}
  std::uint64_t now() {
    std::array<char, 65'536> part{};
    file_.clear();
    while (file_.read(part.data(), part.size()), file_.gcount() > 0) {
      lines_ += static_cast<std::uint64_t>(std::count(part.data(), part.data() + file_.gcount(), '\n'));
      file_.clear();
    }
    return lines_;
  }

 private:
  std::ifstream file_;
  std::uint64_t lines_ = 0;
};

struct TransferCommand {
  std::string run;
  std::string file;
};

void tell(Output& out, const char* verb, const TransferCommand& command, std::size_t records) {
  if (out.json()) {
    out.value({{"run", json_text(command.run)}, {"file", json_text(command.file)}, {"records", records}});
  } else {
    out.line(std::string{verb} + " " + count_text(records) + (records == 1 ? " record of " : " records of ") +
             escaped(command.run) + ".");
  }
}

int export_run(Session& session, const TransferCommand& command) {
  cascor::CacheManager& cache = session.any_cache();
  const std::size_t size = cache.history(command.run).size();
  if (size == 0) {
    if (session.out().json()) tell(session.out(), "", command, 0);
    session.out().note("There is no run " + escaped(command.run) + "; runs lists them.");
    return nothing_found;
  }
  // The library would make the folder, which is more than somebody who mistypes a path has asked for.
  if (const fs::path folder = fs::path{command.file}.parent_path(); !folder.empty() && !fs::is_directory(folder)) {
    throw cascor::DataError{"there is no folder " + folder.string(), "Make it, or correct the path."};
  }
  std::size_t records = 0;
  std::unique_ptr<LineCount> written;
  run_long(
      session.out(), "Exporting " + escaped(command.run), size,
      [&] { records = cache.export_run(command.run, command.file); },
      [&] {
        if (!written && fs::exists(command.file)) written = std::make_unique<LineCount>(command.file);
        return written ? written->now() : 0;
      });
  tell(session.out(), "Exported", command, records);
  return done;
}

int import_run(Session& session, TransferCommand command) {
  std::error_code unknown;
  if (!fs::is_regular_file(command.file, unknown)) {
    throw cascor::DataError{"there is no file " + command.file, "Give the path of one that export has written."};
  }
  if (command.run.empty()) command.run = fs::path{command.file}.stem().string();
  cascor::CacheManager& cache = session.any_cache();
  auto history = cache.history(command.run);
  const std::uint64_t lines = session.out().error_terminal() ? LineCount{command.file}.now() : 0;
  std::size_t records = 0;
  run_long(
      session.out(), "Importing " + escaped(command.run), lines,
      [&] { records = cache.import_run(command.file, command.run); }, [&] { return history.size(); });
  tell(session.out(), "Imported", command, records);
  return records > 0 ? done : nothing_found;
}

}  // namespace

void add_runs(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("runs", "List the runs on record");
  session.runs(command, [&session] { return runs(session); });
}

void add_export(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("export", "Write a run's records to a file of JSON Lines");
  const auto given = std::make_shared<TransferCommand>();
  command->add_option("RUN", given->run, "Its name")->required();
  command->add_option("FILE", given->file, "A new file, or an export of this run to go on with")->required();
  session.runs(command, [&session, given] { return export_run(session, *given); });
}

void add_import(CLI::App& app, Session& session) {
  CLI::App* const command = app.add_subcommand("import", "Append the records of such a file to a run");
  const auto given = std::make_shared<TransferCommand>();
  command->add_option("FILE", given->file, "As export writes it")->required();
  command->add_option("--run", given->run, "The run's name; else the file's, without its ending")->type_name("RUN");
  session.runs(command, [&session, given] { return import_run(session, *given); });
}

}  // namespace tool
