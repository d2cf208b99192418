#pragma once

#include <array>
#include <exception>
#include <mutex>

#include "cascor/training/history_store.hpp"
#include "cascor/training/recorder.hpp"
#include "cascor/training/recorder_core.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

namespace detail {

// {"type": "command", "data": {"command": …, "params": …}}; false for anything else.
CASCOR_CACHE_FN bool read_command(const Message& message, Command& command) {
  using Json = Dependent<json, CascorWhenUsed>;
  constexpr std::array<std::string_view, 5> known{"start", "pause", "resume", "stop", "reset"};
  try {
    check_json_text(message.payload);  // anybody may publish there
  } catch (const CacheError&) {
    return false;
  }
  const Json whole = Json::parse(message.payload, nullptr, false);
  if (!whole.is_object() || whole.value("type", Json{}) != "command") return false;
  const Json data = whole.value("data", Json::object());
  const Json name = data.is_object() ? data.value("command", Json{}) : Json{};
  if (!name.is_string()) return false;
  command.name = name.template get<std::string>();
  command.params = data.value("params", Json::object());
  for (const std::string_view one : known) {
    if (command.name == one) return true;
  }
  return false;
}

CASCOR_CACHE_FN json acknowledgement(const Command& command, std::string_view run, const std::string& error) {
  Dependent<json, CascorWhenUsed> data;
  data["command"] = command.name;
  data["params"] = command.params;
  data["run"] = run;
  data["status"] = error.empty() ? "done" : "failed";
  data["error"] = nullptr;
  if (!error.empty()) data["error"] = error;
  return data;
}

/// Who obeys the commands to a recorder: one handler at a time. The mutex guards which.
template <class CascorWhenUsed>
class RecorderCommands {
 public:
  /// `subscribe()` gives the subscription that takes the place of the one before, which has ended by then.
  template <class Subscribe>
  void replace(const Subscribe& subscribe) {
    const std::lock_guard lock{mutex_};
    subscription_.close();
    subscription_ = subscribe();
  }

 private:
  std::mutex mutex_;
  Subscription subscription_;
};

}  // namespace detail

template <class CascorWhenUsed>
Recorder<CascorWhenUsed>::Recorder(std::shared_ptr<detail::HistoryLife<CascorWhenUsed>> life, std::string_view run,
                                   const RecorderOptions& options)
    : core_{std::make_unique<Core>(std::move(life), run, options)},
      commands_{std::make_unique<detail::RecorderCommands<CascorWhenUsed>>()} {}

template <class CascorWhenUsed>
Recorder<CascorWhenUsed>::~Recorder() {
  if (!core_->is_ours()) (void)core_.release();  // its thread, and maybe its locks, stayed in the parent
}

template <class CascorWhenUsed>
bool Recorder<CascorWhenUsed>::epoch(json record) {
  return core_->epoch(std::move(record));
}

template <class CascorWhenUsed>
bool Recorder<CascorWhenUsed>::topology(json value) {
  return core_->topology(std::move(value));
}

template <class CascorWhenUsed>
bool Recorder<CascorWhenUsed>::flush_within(milliseconds time) {
  return core_->flush(time);
}

template <class CascorWhenUsed>
std::size_t Recorder<CascorWhenUsed>::backlog() const {
  return core_->backlog();
}

template <class CascorWhenUsed>
void Recorder<CascorWhenUsed>::listen(std::function<void(const Command&)> handler) {
  commands_->replace([&] { return obeying(std::move(handler)); });
}

template <class CascorWhenUsed>
Subscription Recorder<CascorWhenUsed>::obeying(std::function<void(const Command&)> handler) {
  const detail::HistoryUse<CascorWhenUsed> use{core_->life()};
  if (!use) return {};
  detail::Engine& engine = use->engine();
  // The engine closes all subscriptions before it goes.
  auto obey = [handler = std::move(handler), &engine, run = core_->run()](const Message& message) {
    Command command;
    if (!detail::read_command(message, command)) return;
    std::exception_ptr thrown;
    std::string error;
    try {
      handler(command);
    } catch (const std::exception& failed) {
      thrown = std::current_exception();
      error = std::string{"it threw: "} + printable(failed.what());
    } catch (...) {
      thrown = std::current_exception();
      error = "it threw";
    }
    (void)detail::publish_event(engine, detail::name_of(engine, Channel::events), "command_acknowledged",
                                detail::acknowledgement(command, run, error), detail::whenever);
    if (thrown) std::rethrow_exception(thrown);  // is logged
  };
  return detail::subscribe(engine, TopicKind::channel, {detail::name_of(engine, Channel::control)}, std::move(obey), {},
                           detail::whenever);
}

#if defined(CASCOR_CACHE_COMPILED)
template class Recorder<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI
