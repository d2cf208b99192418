// The commands that keep the set of a tag: its members are keys, their scores when these expire, in milliseconds of the
// server's own calendar.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/store.hpp"
#include "cascor/redis/batch.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The commands of one batch that writes entries with tags: what an entry is in no longer goes before it is written,
/// or, under a condition, by another batch when it was; what it is in comes behind, so that a set may name too many
/// keys for a moment and never too few.
template <class CascorWhenUsed = void>
class TagCommands {
 public:
  /// The entries' indices are theirs in `entries`.
  explicit TagCommands(std::span<const StoreEntry> entries) : entries_{entries} {}

  /// Without a SET: the entry is there.
  void add(std::size_t entry);
  /// Before the SET of the entry; tells where that stands among the commands.
  void before(Batch<CascorWhenUsed>& batch, std::size_t entry);
  /// Behind all of them: one command a tag, which also drops what has expired from the set, and lets the set live as
  /// long as the last of its keys.
  void behind(Batch<CascorWhenUsed>& batch);
  /// The entries' outcomes out of the replies to the whole batch, in the order of before(). One whose tags were refused
  /// is refused; their keys are returned, as they are there without their tags, and so are those of entries that were
  /// refused themselves when the one before had lost its tags.
  std::vector<std::string_view> outcomes(std::span<const Reply> replies, std::vector<StoreOutcome>& to) const;
  /// What those have to be taken out of whose condition held: `outcomes` are those of before().
  void after(Batch<CascorWhenUsed>& batch, std::span<const StoreOutcome> outcomes) const;

 private:
  struct Tagged {
    std::string_view tag;
    std::size_t entry = 0;
    std::size_t command = 0;
  };
  void take_out(Batch<CascorWhenUsed>& batch, std::size_t entry) const;
  std::span<const StoreEntry> entries_;
  std::vector<std::size_t> sets_;  // which commands they are
  std::vector<Tagged> tagged_;
};

/// Adds the command that reads the first `most` members of a tag's set.
template <class CascorWhenUsed>
void read_tag(Batch<CascorWhenUsed>& batch, std::string_view tag, std::string_view most) {
  batch.add({Answer::array}, "ZRANGE", tag, "0", most);
}
/// Adds the command that removes `members` and takes `keys` away, in one step; it answers how many keys were there. On
/// a cluster it is refused with CROSSSLOT.
CASCOR_CACHE_FN void erase_at_once(Batch<CascorWhenUsed>& batch, std::string_view tag,
                                   std::span<const std::string> members, std::span<const std::string_view> keys);

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/tag_commands.ipp"
#endif
