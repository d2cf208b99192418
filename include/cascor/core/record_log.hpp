// The boundary below a run's history: records in, records out, as bytes. What Redis's streams and the journals offer to
// the rooms above them.
#pragma once

#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// A record's place in its run: by epoch, and by the order of appending within one. Larger than that of each record
/// before it. It is the id of the stream's entry too, "5-1732450000000000", so that the stream finds an epoch by
/// itself.
struct RecordId {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  auto operator<=>(const RecordId&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 mistakes it
};

/// Epochs and sequence numbers up to here are told apart by every reader: a double's, which scripts of Redis and other
/// programs read them as.
inline constexpr std::uint64_t max_record_number = (std::uint64_t{1} << 53U) - 1;
/// A record's text is no longer than this.
inline constexpr std::size_t max_record_bytes = std::size_t{16} << 20U;
inline constexpr RecordId last_record_id{std::numeric_limits<std::uint64_t>::max(),
                                         std::numeric_limits<std::uint64_t>::max()};

/// Can a record have it?
constexpr bool is_record_number(RecordId id) noexcept {
  return id.epoch <= max_record_number && id.seq <= max_record_number;
}

/// "5-17".
inline std::string to_string(RecordId id) { return std::to_string(id.epoch).append(1, '-') + std::to_string(id.seq); }

/// The id that such a text is; "5" alone is "5-0". Nothing for any other text.
template <class CascorWhenUsed = void>
std::optional<detail::Dependent<RecordId, CascorWhenUsed>> parse_record_id(std::string_view text) noexcept {
  detail::Dependent<RecordId, CascorWhenUsed> id;
  const char* const end = text.data() + text.size();
  const auto epoch = std::from_chars(text.data(), end, id.epoch);
  if (epoch.ec != std::errc{}) return std::nullopt;
  if (epoch.ptr == end) return id;
  if (*epoch.ptr != '-') return std::nullopt;
  const auto seq = std::from_chars(epoch.ptr + 1, end, id.seq);
  return seq.ec == std::errc{} && seq.ptr == end ? std::optional{id} : std::nullopt;
}

/// One record of a run: its place and its JSON text.
struct LogEntry {
  RecordId id;
  std::string text;
};

/// What became of an append.
struct AppendOutcome {
  enum Kind : unsigned char {
    kept,          ///< all of it is there, durable as the log has it
    epoch_behind,  ///< nothing was appended: its epoch is below that of the last record
    seq_behind     ///< nothing was appended: another writer has gone on from where this one was
  };
  Kind kind = kept;
  RecordId last;  ///< of the last record there; kept: of what was appended
};

/// What is to happen in the same step as an append, where the log can do it: a value under a key, and a message.
/// Neither happens again with a repeated append.
struct AlongWith {
  std::string_view key;
  std::string_view value;
  milliseconds ttl{0};  ///< 0: the value does not expire
  std::string_view channel;
  std::string_view message;
};

/// Runs and their records. Names of runs are checked by the caller, ids ascend. Each call ends by its deadline or
/// throws TimeoutError; what is not to be had is a ConnectionError, what is refused a ResponseError. Safe from any
/// thread.
class RecordLog {
 public:
  RecordLog() = default;
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;
  virtual ~RecordLog() = default;

  /// Appends all entries in order, or none, in one step. An entry that an earlier attempt of the same call has brought
  /// there counts as appended. `after` is the sequence number of what this writer appended last, 0 where it does not
  /// know: past it nobody else may have appended.
  virtual AppendOutcome append(std::string_view run, std::span<const LogEntry> entries, std::uint64_t after,
                               Deadline by) = 0;
  /// Up to `most` records from `from` to `to`, both included, the first of them. Costs what it returns, and a search.
  virtual std::vector<LogEntry> read(std::string_view run, RecordId from, RecordId to, std::size_t most,
                                     Deadline by) = 0;
  /// The last `most` records, in their order.
  virtual std::vector<LogEntry> last(std::string_view run, std::size_t most, Deadline by) = 0;
  /// The records of these ascending ids that are there.
  virtual std::vector<LogEntry> get(std::string_view run, std::span<const RecordId> ids, Deadline by) = 0;
  virtual std::size_t size(std::string_view run, Deadline by) = 0;
  /// Removes the run; was it there?
  virtual bool erase(std::string_view run, Deadline by) = 0;
  /// The names of all runs, in the order of their start where that is known.
  virtual std::vector<std::string> runs(Deadline by) = 0;
  /// Waits until there are records past `after`, or for `patience`; returns up to `most` of them. May return early with
  /// none.
  virtual std::vector<LogEntry> await(std::string_view run, RecordId after, std::size_t most,
                                      milliseconds patience) = 0;
  /// Has every await() return at once, now and later.
  virtual void stop() noexcept = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
