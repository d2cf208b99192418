#pragma once

#include <algorithm>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/record_log.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

// KEYS[1]: the stream; KEYS[2], or none: a key to set. ARGV: what this writer appended last, how many records to keep,
// the key's value and TTL, a channel and a message for it, then seq, epoch and record of each. All that is looked at is
// the last entry, and those that an earlier attempt may have brought; it set the key, too.
template <class CascorWhenUsed>
std::string_view StreamLog<CascorWhenUsed>::append_script() noexcept {
  return R"(local seq, epoch, last = 0, 0, '0-0'
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if tail then
  last = tail[1]
  for i = 1, #tail[2], 2 do
    if tail[2][i] == 'seq' then seq = tonumber(tail[2][i + 1]) or 0 end
    if tail[2][i] == 'epoch' then epoch = tonumber(tail[2][i + 1]) or 0 end
  end
end
local at = 7
while at < #ARGV and tonumber(ARGV[at]) <= seq do
  local id = ARGV[at + 1] .. '-' .. ARGV[at]
  local there = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not there or there[2][6] ~= ARGV[at + 2] then return {'seq', last} end
  at = at + 3
end
if at == 7 and tonumber(ARGV[1]) > 0 and seq > tonumber(ARGV[1]) then return {'seq', last} end
if at < #ARGV and tonumber(ARGV[at + 1]) < epoch then return {'epoch', last} end
for i = at, #ARGV, 3 do
  last = redis.call('XADD', KEYS[1], ARGV[i + 1] .. '-' .. ARGV[i], 'seq', ARGV[i], 'epoch', ARGV[i + 1], 'record', ARGV[i + 2])
end
if tonumber(ARGV[2]) > 0 then redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[2]) end
if not KEYS[2] or at > #ARGV then return {'kept', last} end
local set
if ARGV[4] == '0' then set = redis.pcall('SET', KEYS[2], ARGV[3]) else set = redis.pcall('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
local sent = redis.pcall('PUBLISH', ARGV[5], ARGV[6])
return {'kept', last, set.err or (type(sent) == 'table' and sent.err) or ''}
)";
}

template <class CascorWhenUsed>
std::string StreamLog<CascorWhenUsed>::key_of(std::string_view run) const {
  return std::string{namespace_}.append("run:").append(run).append(":history");
}

template <class CascorWhenUsed>
Reply StreamLog<CascorWhenUsed>::ask(const Words& words, Deadline by) {
  Reply reply = store_.command(words, by);
  if (reply.is_error()) server_error(reply.text)->raise();
  return reply;
}

// A script may be sent twice if it is idempotent, as ours is; the engine does not know that.
template <class CascorWhenUsed>
Reply StreamLog<CascorWhenUsed>::run_script(Words words, Deadline by) {
  constexpr int most_attempts = 3;
  for (int attempt = 1;; ++attempt) {
    try {
      Reply reply = store_.command(words, by);
      if (reply.is_error() && reply.text.starts_with("NOSCRIPT")) {
        words[0] = "EVAL";
        words[1] = append_script();
        continue;
      }
      if (reply.is_error()) server_error(reply.text)->raise();
      return reply;
    } catch (const ConnectionError& error) {
      const bool dialling = std::string_view{error.what()}.starts_with("Error connecting to Redis");
      if (dialling || attempt >= most_attempts || by.passed() || stopped_.load(std::memory_order_acquire)) throw;
    }
  }
}

template <class CascorWhenUsed>
AppendOutcome StreamLog<CascorWhenUsed>::append(std::string_view run, std::span<const LogEntry> entries,
                                                std::uint64_t after, Deadline by) {
  std::string ignored;
  return append(run, entries, after, nullptr, ignored, by);
}

template <class CascorWhenUsed>
AppendOutcome StreamLog<CascorWhenUsed>::append(std::string_view run, std::span<const LogEntry> entries,
                                                std::uint64_t after, const AlongWith* also, std::string& not_done,
                                                Deadline by) {
  constexpr std::size_t most_records = 1000;  // the server does nothing else meanwhile, some milliseconds
  constexpr std::size_t most_bytes = std::size_t{1} << 20U;
  const std::string key = key_of(run);
  AppendOutcome outcome;
  while (!entries.empty()) {
    const std::string before = std::to_string(after);
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < std::min(entries.size(), most_records); ++count) {
      bytes += entries[count].text.size();
      if (count > 0 && bytes > most_bytes) break;
    }
    std::vector<std::string> numbers;
    numbers.reserve(2 * count);
    const bool with_it = also != nullptr && count == entries.size();
    const std::string ttl = std::to_string(with_it ? also->ttl.count() : 0);
    Words words{"EVALSHA", append_sha, with_it ? "2" : "1", key};
    if (with_it) {
      words.insert(words.end(), {also->key, before, max_records_, also->value, ttl, also->channel, also->message});
    } else {
      words.insert(words.end(), {before, max_records_, "", ttl, "", ""});
    }
    for (const LogEntry& entry : entries.first(count)) {
      if (!is_record_number(entry.id)) {
        throw ResponseError{"no number is left behind the last record of the run",
                            "Look at the last entry's seq and epoch: they go up to 9007199254740991."};
      }
      numbers.push_back(std::to_string(entry.id.seq));
      numbers.push_back(std::to_string(entry.id.epoch));
      words.insert(words.end(), {*(numbers.end() - 2), numbers.back(), entry.text});
    }
    const Reply reply = run_script(std::move(words), by);
    const bool known = reply.elements.size() == 2 || reply.elements.size() == 3;
    const auto last = known ? parse_record_id(reply.elements[1].text) : std::nullopt;
    if (!last) {
      throw ResponseError{"an answer to an append that cannot be",
                          "Something between this program and Redis changes its answers: look at proxies."};
    }
    const std::string& what = reply.elements[0].text;
    outcome.last = *last;
    if (what != "kept") {
      outcome.kind = what == "seq" ? AppendOutcome::seq_behind : AppendOutcome::epoch_behind;
      return outcome;
    }
    if (reply.elements.size() == 3) not_done = reply.elements[2].text;
    after = entries[count - 1].id.seq;
    entries = entries.subspan(count);
  }
  return outcome;
}

template <class CascorWhenUsed>
auto StreamLog<CascorWhenUsed>::entries_in(Reply reply) -> Entries {
  Entries entries;
  entries.reserve(reply.elements.size());
  for (Reply& one : reply.elements) {
    if (one.elements.size() != 2) continue;
    const auto id = parse_record_id(one.elements[0].text);
    if (!id) continue;
    // One without a record has its place all the same, so that who reads on gets past it.
    auto& fields = one.elements[1].elements;
    entries.push_back({*id, {}});
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      if (fields[i].text == "record") entries.back().text = std::move(fields[i + 1].text);
    }
  }
  return entries;
}

template <class CascorWhenUsed>
std::vector<LogEntry> StreamLog<CascorWhenUsed>::read(std::string_view run, RecordId from, RecordId to,
                                                      std::size_t most, Deadline by) {
  if (most == 0 || to < from) return {};
  auto entries =
      entries_in(ask({"XRANGE", key_of(run), to_string(from), to_string(to), "COUNT", std::to_string(most)}, by));
  // Who pages through a run goes on behind the last of these: a server that begins anew must not keep it for ever.
  std::erase_if(entries, [&](const LogEntry& entry) { return entry.id < from || to < entry.id; });
  return entries;
}

template <class CascorWhenUsed>
std::vector<LogEntry> StreamLog<CascorWhenUsed>::last(std::string_view run, std::size_t most, Deadline by) {
  if (most == 0) return {};
  auto entries = entries_in(ask({"XREVRANGE", key_of(run), "+", "-", "COUNT", std::to_string(most)}, by));
  std::reverse(entries.begin(), entries.end());
  return entries;
}

// XRANGE takes one range; a script takes many.
template <class CascorWhenUsed>
std::vector<LogEntry> StreamLog<CascorWhenUsed>::get(std::string_view run, std::span<const RecordId> ids, Deadline by) {
  constexpr std::string_view script = R"(local found = {}
for _, id in ipairs(ARGV) do
  local there = redis.call('XRANGE', KEYS[1], id, id)[1]
  if there then found[#found + 1] = there end
end
return found)";
  const std::string key = key_of(run);
  std::vector<LogEntry> entries;
  constexpr std::size_t most = 1000;
  for (; !ids.empty(); ids = ids.subspan(std::min(ids.size(), most))) {
    std::vector<std::string> texts;
    for (const RecordId id : ids.first(std::min(ids.size(), most))) texts.push_back(to_string(id));
    Words words{"EVAL", script, "1", key};
    words.insert(words.end(), texts.begin(), texts.end());
    for (LogEntry& entry : entries_in(run_script(std::move(words), by))) entries.push_back(std::move(entry));
  }
  return entries;
}

template <class CascorWhenUsed>
std::size_t StreamLog<CascorWhenUsed>::size(std::string_view run, Deadline by) {
  return static_cast<std::size_t>(std::max<std::int64_t>(ask({"XLEN", key_of(run)}, by).integer, 0));
}

template <class CascorWhenUsed>
bool StreamLog<CascorWhenUsed>::erase(std::string_view run, Deadline by) {
  (void)ask({"ZREM", namespace_ + "runs", run}, by);
  return ask({"UNLINK", key_of(run)}, by).integer > 0;
}

template <class CascorWhenUsed>
void StreamLog<CascorWhenUsed>::list(std::string_view run, std::int64_t when, Deadline by) {
  // ZADD NX changes nothing where the run is; command() does not know it for safe, and to fail is told all the same.
  (void)ask({"ZADD", namespace_ + "runs", "NX", std::to_string(when), run}, by);
}

template <class CascorWhenUsed>
std::vector<std::string> StreamLog<CascorWhenUsed>::runs(Deadline by) {
  std::vector<std::string> runs;
  for (Reply& run : ask({"ZRANGE", namespace_ + "runs", "0", "-1"}, by).elements) runs.push_back(std::move(run.text));
  return runs;
}

template <class CascorWhenUsed>
std::vector<LogEntry> StreamLog<CascorWhenUsed>::await(std::string_view run, RecordId after, std::size_t most,
                                                       milliseconds patience) {
  constexpr milliseconds for_the_answer{5000};
  if (stopped_.load(std::memory_order_acquire)) return {};
  const Deadline by{*SystemClock::shared(), patience + for_the_answer};
  Reply reply = ask({"XREAD", "COUNT", std::to_string(most), "BLOCK", std::to_string(patience.count()), "STREAMS",
                     key_of(run), to_string(after)},
                    by);
  if (reply.elements.empty() || reply.elements[0].elements.size() != 2) return {};
  return entries_in(std::move(reply.elements[0].elements[1]));
}

#if defined(CASCOR_CACHE_COMPILED)
template class StreamLog<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
