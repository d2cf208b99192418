// Runs as Redis's streams: `<namespace>run:<run>:history` with the fields seq, epoch and record, and the sorted set
// `<namespace>runs` of them all.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/record_log.hpp"
#include "cascor/core/store.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// An entry's id is the record's, "epoch-seq": a range of epochs is a range of ids, and nothing else of the stream is
/// read. Appending is one script over one key, which looks at the last entry and finds what an earlier attempt has
/// brought, so that it may be sent again. Each call is one round trip, but 1,000 records or 1 MiB of an append each
/// have one. `store` is to outlive it. No state but who waits; safe from any thread.
template <class CascorWhenUsed = void>
class StreamLog final : public RecordLog {
 public:
  StreamLog(KeyValueStore& store, std::string_view key_namespace, std::size_t max_records)
      : store_{store}, namespace_{key_namespace}, max_records_{std::to_string(max_records)} {}

  AppendOutcome append(std::string_view run, std::span<const LogEntry> entries, std::uint64_t after,
                       Deadline by) override;
  /// The same, and what is to happen along with the last of it: its own error, if the server refused that, is in
  /// `not_done`. Not on a cluster, where the two keys are apart.
  AppendOutcome append(std::string_view run, std::span<const LogEntry> entries, std::uint64_t after,
                       const AlongWith* also, std::string& not_done, Deadline by);
  std::vector<LogEntry> read(std::string_view run, RecordId from, RecordId to, std::size_t most, Deadline by) override;
  std::vector<LogEntry> last(std::string_view run, std::size_t most, Deadline by) override;
  std::vector<LogEntry> get(std::string_view run, std::span<const RecordId> ids, Deadline by) override;
  std::size_t size(std::string_view run, Deadline by) override;
  bool erase(std::string_view run, Deadline by) override;
  std::vector<std::string> runs(Deadline by) override;
  /// Holds a connection while it waits.
  std::vector<LogEntry> await(std::string_view run, RecordId after, std::size_t most, milliseconds patience) override;
  /// Stops the store with it.
  void stop() noexcept override {
    stopped_.store(true, std::memory_order_release);
    store_.stop();
  }

  /// Has the list of runs name it, started at `when` (milliseconds since 1970) if it is not there yet.
  void list(std::string_view run, std::int64_t when, Deadline by);

  /// The script's name for EVALSHA.
  static constexpr std::string_view append_sha = "75e364f7a3753ac59087820b1d2032764bba976b";
  static std::string_view append_script() noexcept;

 private:
  using Entries = std::vector<cascor::detail::Dependent<LogEntry, CascorWhenUsed>>;
  using Words = std::vector<std::string_view>;
  Reply ask(const Words& words, Deadline by);
  Reply run_script(Words words, Deadline by);
  std::string key_of(std::string_view run) const;
  static Entries entries_in(Reply reply);

  KeyValueStore& store_;
  const std::string namespace_;
  const std::string max_records_;
  std::atomic<bool> stopped_{false};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/record_log.ipp"
#endif
