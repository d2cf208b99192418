// The way back from FALLBACK to LIVE, against a store that only says what it was asked: in which pieces, in which order
// and by which deadlines the pending changes are replayed, and what an attempt that fails leaves.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cascor/cache/fallback.hpp"
#include "cascor/core/glob.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"

using namespace std::chrono_literals;
using namespace support;
using cascor::CacheError;
using cascor::Deadline;
using cascor::milliseconds;
using Fallback = cascor::detail::Fallback<>;

namespace {

// Keys and values in a map; each call is noted, and may be made to fail. Safe from any thread.
class FakeStore final : public cascor::KeyValueStore {
 public:
  /// Asked before each call, by its name; what it throws the call throws. Set before the store is used.
  std::function<void(const std::string& call)> before = [](const std::string&) {};

  std::vector<std::string> calls() const {
    const std::lock_guard lock{mutex_};
    return calls_;
  }
  std::map<std::string, std::string> content() const {
    const std::lock_guard lock{mutex_};
    return content_;
  }
  void put(const std::string& key, const std::string& value) {
    const std::lock_guard lock{mutex_};
    content_[key] = value;
  }
  std::size_t largest_batch() const {
    const std::lock_guard lock{mutex_};
    return largest_batch_;
  }
  milliseconds longest_deadline() const {
    const std::lock_guard lock{mutex_};
    return longest_deadline_;
  }

  std::vector<cascor::StoreOutcome> set_many(std::span<const cascor::StoreEntry> entries, Deadline by) override {
    if (entries.empty()) return {};
    note("set " + std::to_string(entries.size()), by);
    const std::lock_guard lock{mutex_};
    std::size_t bytes = 0;
    std::vector<cascor::StoreOutcome> outcomes;
    for (const auto& entry : entries) {
      bytes += entry.bytes.size();
      const auto there = content_.find(std::string{entry.key});
      const bool stands_in_the_way =
          there != content_.end() &&
          (entry.only_if == cascor::OnlyIf::absent || (entry.in_place_of && there->second != *entry.in_place_of));
      if (!stands_in_the_way) content_[std::string{entry.key}] = entry.bytes;
      outcomes.push_back({!stands_in_the_way, nullptr});
    }
    largest_batch_ = std::max(largest_batch_, bytes);
    return outcomes;
  }
  std::vector<cascor::StoreAnswer> peek_many(std::span<const std::string_view> keys, Deadline by) override {
    note("look " + std::to_string(keys.size()), by);
    const std::lock_guard lock{mutex_};
    std::vector<cascor::StoreAnswer> answers;
    for (const auto key : keys) {
      const auto there = content_.find(std::string{key});
      answers.emplace_back();
      if (there != content_.end()) answers.back().bytes = there->second;
    }
    return answers;
  }
  void tell_values(cascor::ValueWitness* witness) noexcept override { witness_ = witness; }
  /// As if this process had read it.
  void see(const std::string& key) {
    const std::lock_guard lock{mutex_};
    witness_->saw(key, content_.at(key));
  }
  std::size_t erase_many(std::span<const std::string_view> keys, Deadline by) override {
    if (keys.empty()) return 0;
    note("erase " + std::to_string(keys.size()), by);
    const std::lock_guard lock{mutex_};
    std::size_t erased = 0;
    for (const auto key : keys) erased += content_.erase(std::string{key});
    return erased;
  }
  void retag(std::string_view /*key*/, std::span<const std::string> /*tags*/, milliseconds /*ttl*/,
             Deadline by) override {
    note("retag", by);
  }
  std::size_t erase_tagged(const std::string& tag, const std::function<bool(std::string_view)>& /*may_erase*/,
                           const std::function<Deadline()>& next_deadline) override {
    note("erase tagged " + tag, next_deadline());
    return 0;
  }
  std::size_t erase_matching(const std::string& pattern, const std::function<bool(std::string_view)>& may_erase,
                             const std::function<Deadline()>& next_deadline) override {
    note("erase " + pattern, next_deadline());
    const std::lock_guard lock{mutex_};
    return std::erase_if(content_, [&](const auto& entry) {
      return may_erase(entry.first) && cascor::glob_match(pattern, entry.first);
    });
  }
  void ping(Deadline by) override { note("ping", by); }

  cascor::StoreAnswer get(std::string_view, Deadline) override { return {}; }
  std::vector<cascor::StoreAnswer> get_many(std::span<const std::string_view>, Deadline) override { return {}; }
  bool contains(std::string_view, Deadline) override { return false; }
  cascor::ServerInfo info(Deadline) override { return {}; }
  std::optional<milliseconds> ttl(std::string_view, Deadline) override { return {}; }
  bool touch(std::string_view, milliseconds, Deadline) override { return false; }
  std::int64_t increment(std::string_view key, std::int64_t by_how_much, milliseconds, Deadline by) override {
    note("increment " + std::string{key} + ' ' + std::to_string(by_how_much), by);
    return 0;
  }
  std::vector<std::string> keys(const std::string&, std::size_t, const std::function<bool(std::string_view)>&,
                                const std::function<Deadline()>&) override {
    return {};
  }
  cascor::Reply command(std::span<const std::string_view>, Deadline) override { return {}; }
  cascor::PoolState pool() const override { return {}; }
  cascor::RemoteStats stats() const override { return {}; }
  void stop() noexcept override { stopped_ = true; }
  bool stopped() const noexcept { return stopped_; }

 private:
  void note(const std::string& call, Deadline by) {
    {
      const std::lock_guard lock{mutex_};
      calls_.push_back(call);
      longest_deadline_ = std::max(longest_deadline_, by.remaining());
    }
    if (by.passed()) throw cascor::TimeoutError{"too late"};
    before(call);
  }

  cascor::ValueWitness* witness_ = nullptr;
  std::atomic<bool> stopped_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
  std::map<std::string, std::string> content_;
  std::size_t largest_batch_ = 0;
  milliseconds longest_deadline_{0};
};

const cascor::ConnectionError gone{"gone"};

Fallback::Options options_with(const CapturedLog& log) {
  Fallback::Options options;
  options.server = "server";
  options.everything = "cascor:*";
  options.wider = [](const void*, std::string_view) { return std::string{"cascor:*"}; };
  options.max_pending_bytes = 100'000'000;
  options.max_seen_bytes = 100'000;
  options.clock = cascor::SystemClock::shared();
  options.log = cascor::Log{log.sink()};
  options.random = [] { return std::uint64_t{5}; };
  options.may_erase = [](std::string_view key) { return key.starts_with("cascor:"); };
  options.forget_memory = [] {};
  return options;
}

bool keep(Fallback& fallback, const std::string& key, const std::string& value) {
  return fallback.keep([&](Fallback::Pending& pending) {
    pending.write(key, std::make_shared<const std::string>(value), cascor::TimePoint::max(), cascor::OnlyIf::always);
  });
}

bool eventually_live(const Fallback& fallback) {
  return eventually([&] { return fallback.live(); });
}

// Lets nobody pass until it is opened.
class Gate {
 public:
  void open() { closed_ = false; }
  void pass() const {
    if (!eventually([this] { return !closed_; })) throw std::runtime_error{"the gate stayed closed"};
  }

 private:
  std::atomic<bool> closed_{true};
};

}  // namespace

TEST_CASE("removals are replayed before writes, and everything before it is LIVE") {
  FakeStore store;
  Gate gate;
  store.before = [&](const std::string&) { gate.pass(); };
  for (const auto* key : {"cascor:a", "cascor:b1", "cascor:b2", "other:b"}) store.put(key, "old");
  CapturedLog log;
  bool forgotten = false;
  auto options = options_with(log);
  options.forget_memory = [&] { forgotten = true; };
  Fallback fallback{store, std::move(options)};
  fallback.lost(gone, fallback.now());
  keep(fallback, "cascor:b1", "overtaken");
  fallback.keep([](Fallback::Pending& pending) { pending.invalidate("cascor:b*"); });
  fallback.keep([](Fallback::Pending& pending) { pending.erase("cascor:a"); });
  keep(fallback, "cascor:b2", "new");
  CHECK_FALSE(fallback.live());
  gate.open();
  REQUIRE(eventually_live(fallback));
  CHECK(forgotten);
  CHECK(store.calls() == std::vector<std::string>{"ping", "erase cascor:b*", "erase 1", "look 1", "set 1"});
  CHECK(store.content() == std::map<std::string, std::string>{{"cascor:b2", "new"}, {"other:b", "old"}});
  CHECK_FALSE(keep(fallback, "cascor:late", "1"));
  REQUIRE(eventually([&] { return log.lines().size() == 2; }));
  CHECK(log.lines().back() == "INFO: Redis connection restored: server (replayed 1 write, 2 invalidations)");
}

TEST_CASE("writes are replayed in pieces of a megabyte, large ones alone, each with the whole time limit") {
  FakeStore store;
  Gate gate;
  store.before = [&](const std::string&) { gate.pass(); };
  CapturedLog log;
  auto options = options_with(log);
  options.timeout = 50s;
  Fallback fallback{store, std::move(options)};
  fallback.lost(gone, fallback.now());
  const bool with_large = GENERATE(false, true);
  for (int i = 0; i < 1'000; ++i) keep(fallback, "cascor:small" + std::to_string(i), "value");
  for (int i = 0; i < 20; ++i) keep(fallback, "cascor:medium" + std::to_string(i), std::string(300'000, 'x'));
  if (with_large) keep(fallback, "cascor:large", std::string(3'000'000, 'x'));
  gate.open();
  REQUIRE(eventually_live(fallback));
  CHECK(store.content().size() == (with_large ? 1'021 : 1'020));
  CHECK(store.largest_batch() <= (with_large ? 3'000'000 : 1 << 20));
  CHECK(store.longest_deadline() > 40s);
}

TEST_CASE("a value that another client writes between the look at its key and the write stays") {
  FakeStore store;
  Gate gate;
  std::atomic<int> sets{0};
  store.before = [&](const std::string& call) {
    gate.pass();
    if (!call.starts_with("set") || ++sets > 1) return;
    store.put("cascor:new", "theirs");
    store.put("cascor:seen", "theirs");
  };
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  for (const auto* key : {"cascor:seen", "cascor:seen too"}) {
    store.put(key, "old");
    store.see(key);
  }
  fallback.lost(gone, fallback.now());
  for (const auto* key : {"cascor:new", "cascor:seen", "cascor:seen too"}) keep(fallback, key, "kept");
  gate.open();
  REQUIRE(eventually_live(fallback));
  CHECK(store.calls() == std::vector<std::string>{"ping", "look 3", "set 3", "look 2"});
  CHECK(store.content() == std::map<std::string, std::string>{
                               {"cascor:new", "theirs"}, {"cascor:seen", "theirs"}, {"cascor:seen too", "kept"}});
  CHECK(fallback.stats().dropped.changed == 2);
  CHECK(fallback.stats().replayed == 1);
}

TEST_CASE("what an attempt that fails had not delivered is delivered by the next, behind what is newer") {
  FakeStore store;
  Gate gate;
  Gate second_attempt;
  std::atomic<int> sets{0};
  store.before = [&](const std::string& call) {
    gate.pass();
    if (!call.starts_with("set") || ++sets != 2) return;
    second_attempt.pass();
    throw cascor::ConnectionError{"gone again"};
  };
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  fallback.lost(gone, fallback.now());
  for (int i = 0; i < 300; ++i) keep(fallback, "cascor:k" + std::to_string(i), "old");  // two pieces
  gate.open();
  REQUIRE(eventually([&] { return sets == 2; }));
  keep(fallback, "cascor:k299", "new");
  fallback.keep([](Fallback::Pending& pending) { pending.erase("cascor:k298"); });
  fallback.keep([](Fallback::Pending& pending) { pending.invalidate("cascor:k29[67]"); });
  second_attempt.open();
  REQUIRE(eventually_live(fallback));
  const auto content = store.content();
  CHECK(content.size() == 297);
  CHECK(content.at("cascor:k299") == "new");
  CHECK(content.at("cascor:k295") == "old");
  CHECK(fallback.state().last_error->what() == std::string{"gone again"});
  REQUIRE(eventually([&] { return log.lines().size() == 2; }));
  CHECK(log.lines().back() == "INFO: Redis connection restored: server (replayed 297 writes, 2 invalidations)");
}

TEST_CASE("destruction makes one last attempt if something is pending, none otherwise, and only if it may take time") {
  FakeStore store;
  std::atomic<bool> refuse{true};
  store.before = [&](const std::string&) {
    if (refuse) throw gone;
  };
  CapturedLog log;
  auto options = options_with(log);
  options.random = [] { return std::uint64_t{100}; };
  const bool pending = GENERATE(true, false);
  const bool time = GENERATE(true, false);
  if (!time) options.shutdown_timeout = 0ms;
  std::optional<Fallback> fallback;
  fallback.emplace(store, std::move(options));
  fallback->lost(gone, fallback->now());
  if (pending) keep(*fallback, "cascor:k", "v");
  const auto before = store.calls().size();
  refuse = false;
  fallback.reset();
  if (pending && time) CHECK(store.content().size() == 1);
  if (!time) CHECK(store.calls().size() <= before + 1);  // the attempt that may have been under way
  CHECK(log.mentions("that waited for it is lost") == (pending && store.content().empty()));
}

TEST_CASE("a last attempt ends by shutdown_timeout, whatever is still to be done") {
  FakeStore store;
  store.before = [&](const std::string& call) {
    // Each piece takes a while.
    if (call.starts_with("set")) (void)eventually([] { return false; }, 20ms);
  };
  CapturedLog log;
  auto options = options_with(log);
  options.shutdown_timeout = 100ms;
  std::optional<Fallback> fallback;
  fallback.emplace(store, std::move(options));
  fallback->lost(gone, fallback->now());
  for (int i = 0; i < 100'000; ++i) keep(*fallback, "cascor:k" + std::to_string(i), "v");
  CHECK(time_of([&] { fallback.reset(); }) < 5s);
  CHECK(log.mentions("are lost"));
}

TEST_CASE("an error that is not this library's does not end the attempts") {
  FakeStore store;
  std::atomic<int> pings{0};
  store.before = [&](const std::string&) {
    if (++pings <= 3) throw std::bad_alloc{};
  };
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  fallback.lost(gone, fallback.now());
  CHECK(eventually_live(fallback));
  CHECK(fallback.state().attempts == 4);
}

TEST_CASE("a call that timed out is no loss where the server answers, nobody is told, and what was kept is delivered") {
  FakeStore store;
  Gate gate;
  store.before = [&](const std::string&) { gate.pass(); };
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  fallback.lost(cascor::TimeoutError{"slow"}, fallback.now());
  CHECK(fallback.now().serving == Fallback::Serving::undecided);
  CHECK(keep(fallback, "cascor:k", "v"));
  std::thread waits{[&] { fallback.await_decision({*cascor::SystemClock::shared(), 30s}); }};
  gate.open();
  waits.join();
  CHECK(fallback.live());
  CHECK(store.calls() == std::vector<std::string>{"ping", "look 1", "set 1"});
  CHECK(log.lines().empty());
}

TEST_CASE("a call that timed out is a loss where the server does not answer either, said once and for its reason") {
  FakeStore store;
  std::atomic<bool> away{true};
  store.before = [&](const std::string&) {
    if (away) throw cascor::TimeoutError{"no answer to PING"};
  };
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  const auto before = fallback.now();
  fallback.lost(cascor::TimeoutError{"slow"}, before);
  fallback.lost(cascor::TimeoutError{"slow too"}, before);
  fallback.await_decision({*cascor::SystemClock::shared(), 30s});
  CHECK(fallback.now().serving == Fallback::Serving::memory);
  REQUIRE(eventually([&] { return log.lines().size() == 1; }));
  CHECK(log.lines().front() == "WARNING: Redis unavailable, using memory cache: slow");
  away = false;
  CHECK(eventually_live(fallback));
  CHECK(eventually([&] { return log.lines().size() == 2; }));
}

TEST_CASE("a failure of a call from before a return does not lose the server again") {
  FakeStore store;
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  const auto before = fallback.now();
  fallback.lost(gone, before);
  REQUIRE(eventually_live(fallback));
  CHECK(fallback.lost(gone, before));
  CHECK(fallback.live());
  CHECK(fallback.lost(gone, fallback.now()));
  CHECK(eventually_live(fallback));
  CHECK(eventually([&] { return log.lines().size() == 4; }));
}

TEST_CASE("what was counted while the server was away is added once, or not at all where that is not known") {
  FakeStore store;
  Gate gate;
  std::atomic<int> increments{0};
  const bool fails = GENERATE(false, true);
  store.before = [&](const std::string& call) {
    gate.pass();
    if (call.starts_with("increment") && ++increments == 1 && fails) throw cascor::TimeoutError{"no answer"};
  };
  CapturedLog log;
  Fallback fallback{store, options_with(log)};
  fallback.lost(gone, fallback.now());
  fallback.keep([](Fallback::Pending& pending) {
    pending.increment("cascor:n", 2, cascor::TimePoint::max());
    pending.increment("cascor:n", 3, cascor::TimePoint::max());
  });
  gate.open();
  REQUIRE(eventually_live(fallback));
  CHECK(increments == 1);
  CHECK(store.calls().at(1) == "increment cascor:n 5");
  CHECK(eventually([&] { return log.mentions("not known whether it was counted") == fails; }));
}

TEST_CASE("a store that hangs is stopped when the cache ends, after shutdown_timeout") {
  FakeStore store;
  store.before = [&](const std::string&) {
    if (!eventually([&] { return store.stopped(); }, 60s)) throw std::runtime_error{"never stopped"};
    throw gone;
  };
  CapturedLog log;
  auto options = options_with(log);
  options.shutdown_timeout = 50ms;
  options.timeout = 3'600s;
  std::optional<Fallback> fallback;
  fallback.emplace(store, std::move(options));
  fallback->lost(gone, fallback->now());
  keep(*fallback, "cascor:k", "v");
  REQUIRE(eventually([&] { return store.calls().size() == 1; }));
  CHECK(time_of([&] { fallback.reset(); }) < 30s);
  CHECK(log.mentions("1 write that waited for it is lost"));
}
