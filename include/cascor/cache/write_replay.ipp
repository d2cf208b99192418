#pragma once

#include <algorithm>
#include <utility>

#include "cascor/cache/fallback.hpp"
#include "cascor/cache/write_replay.hpp"
#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
void WriteReplay<CascorWhenUsed>::replay_some(std::list<Write>& writes, const std::function<Deadline()>& round_trip) {
  constexpr std::size_t most_writes = 256;
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  constexpr int most_looks = 4;  // at a key that others write all the while
  const ReplayCounts<CascorWhenUsed> before = counts_;
  Batch batch;
  std::size_t bytes = 0;
  auto end = writes.begin();
  for (; end != writes.end() && batch.size() < most_writes; ++end) {
    if (bytes > 0 && bytes + end->bytes->size() > most_bytes) break;
    bytes += end->bytes->size();
    One& one = batch.emplace_back();
    one.write = &*end;
  }
  try {
    Keys gone;
    for (int looks = 0; looks < most_looks; ++looks) {
      look(batch, round_trip);
      for (One& one : batch) {
        if (one.fate == One::Fate::undecided) decide(one, gone);
      }
      store(batch, gone, round_trip);
    }
    for (One& one : batch) {
      const bool open = one.fate == One::Fate::undecided || one.fate == One::Fate::store;
      if (open) drop(one, &ReplayCounts<CascorWhenUsed>::changed);
    }
    remove(gone, round_trip);
  } catch (...) {
    counts_ = before;
    throw;
  }
  writes.erase(writes.begin(), end);
}

template <class CascorWhenUsed>
void WriteReplay<CascorWhenUsed>::look(Batch& batch, const std::function<Deadline()>& round_trip) {
  Keys keys;
  std::vector<Dependent<One*, CascorWhenUsed>> asking;
  for (One& one : batch) {
    if (one.fate != One::Fate::undecided || one.write->over_removal) continue;
    keys.push_back(one.write->key);
    asking.push_back(&one);
  }
  if (keys.empty()) return;
  auto answers = store_.peek_many(keys, round_trip());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    asking[i]->found = std::move(answers[i]);
    const auto& error = asking[i]->found.error;
    if (error && means_away(*error)) error->raise();
  }
}

// What has expired meanwhile still took the place of the value before it: that one goes.
template <class CascorWhenUsed>
void WriteReplay<CascorWhenUsed>::decide(One& one, Keys& gone) {
  using Verdict = typename SeenValues<CascorWhenUsed>::Verdict;
  const Write& write = *one.write;
  const bool expired = time_left(write.expires, clock_.now()) == milliseconds{0};
  if (write.over_removal || one.found.error) {
    const bool is_blind = !write.over_removal;
    if (!expired && !(is_blind && write.only_if == OnlyIf::present)) {
      one.fate = One::Fate::store;
      return;
    }
    gone.push_back(write.key);
    if (!expired) return refuse(one, one.found.error->what());
    return drop(one, &ReplayCounts<CascorWhenUsed>::expired);
  }
  const auto& found = one.found.bytes;
  const Verdict verdict = found ? seen_.verdict(write.key, *found) : Verdict::known;
  if (expired) {
    if (found && verdict != Verdict::changed) gone.push_back(write.key);
    return drop(one, &ReplayCounts<CascorWhenUsed>::expired);
  }
  // Its own bytes may be there since an attempt that failed.
  const bool own = found && verdict == Verdict::known && *found == *write.bytes;
  if (!own && write.only_if != OnlyIf::always && found.has_value() != (write.only_if == OnlyIf::present)) {
    return refuse(one, "only_if does not hold in Redis");
  }
  if (verdict == Verdict::known || *found == *write.bytes) {
    one.fate = One::Fate::store;
    return;
  }
  if (verdict == Verdict::unknown) {
    gone.push_back(write.key);
  } else {
    counts_.stay.push_back(seen_.sight(write.key, *found));
  }
  drop(one,
       verdict == Verdict::unknown ? &ReplayCounts<CascorWhenUsed>::unknown : &ReplayCounts<CascorWhenUsed>::changed);
}

template <class CascorWhenUsed>
void WriteReplay<CascorWhenUsed>::store(Batch& batch, Keys& gone, const std::function<Deadline()>& round_trip) {
  std::vector<Dependent<StoreEntry, CascorWhenUsed>> entries;
  std::vector<Dependent<One*, CascorWhenUsed>> storing;
  const TimePoint now = clock_.now();
  for (One& one : batch) {
    if (one.fate != One::Fate::store) continue;
    const Write& write = *one.write;
    StoreEntry& entry = entries.emplace_back();
    entry.key = write.key;
    entry.bytes = *write.bytes;
    const auto left = time_left(write.expires, now);
    entry.ttl = left ? std::max(*left, milliseconds{1}) : no_expiry;
    entry.only_if = write.over_removal || one.found.bytes ? write.only_if : OnlyIf::absent;
    if (write.tags) entry.tags = write.tags->names;
    if (one.found.bytes) entry.in_place_of = *one.found.bytes;
    storing.push_back(&one);
  }
  if (entries.empty()) return;
  const auto outcomes = store_.set_many(entries, round_trip());
  for (std::size_t i = 0; i < outcomes.size(); ++i) note(*storing[i], outcomes[i], gone);
}

template <class CascorWhenUsed>
void WriteReplay<CascorWhenUsed>::note(One& one, const StoreOutcome& outcome, Keys& gone) {
  const Write& write = *one.write;
  if (outcome.stored) {
    one.fate = One::Fate::stored;
    ++counts_.writes;
    return;
  }
  if (outcome.error) {
    if (means_away(*outcome.error)) outcome.error->raise();
    // What is there by now is no value of a cache's: somebody else's.
    if (std::string_view{outcome.error->what()}.starts_with("WRONGTYPE")) {
      return drop(one, &ReplayCounts<CascorWhenUsed>::changed);
    }
    gone.push_back(write.key);
    return refuse(one, outcome.error->what());
  }
  // A condition: the write's own, or ours.
  if (write.over_removal) return refuse(one, "only_if does not hold in Redis");
  if (!one.found.error) {
    one.fate = One::Fate::undecided;
    return;
  }
  if (write.only_if == OnlyIf::absent) return refuse(one, "only_if does not hold in Redis");
  gone.push_back(write.key);
  refuse(one, one.found.error->what());
}

// A server that will not remove must not keep everything else from coming back.
template <class CascorWhenUsed>
void WriteReplay<CascorWhenUsed>::remove(const Keys& gone, const std::function<Deadline()>& round_trip) {
  if (gone.empty()) return;
  try {
    (void)store_.erase_many(gone, round_trip());
  } catch (const CacheError& error) {
    if (means_away(error)) throw;
    counts_.why = error.what();
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class WriteReplay<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
