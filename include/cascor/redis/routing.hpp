// A batch taken apart for a cluster: which commands go together, by which slot, and how their answers are put together.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cascor/redis/batch.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The place of a command's first key among its words; nothing for one that has none, and for one whose keys it does
/// not know how to find.
CASCOR_CACHE_FN std::optional<cascor::detail::Dependent<std::size_t, CascorWhenUsed>> first_key(
    std::span<const std::string_view> words) noexcept;

/// Commands without I/O, for one thread.
template <class CascorWhenUsed = void>
class Routing {
 public:
  /// What goes to one node as a whole: one command, some keys' part of one, or a transaction.
  struct Unit {
    static constexpr std::size_t any_slot = static_cast<std::size_t>(-1);
    Batch<CascorWhenUsed> own;  ///< its commands, unless it is the whole batch
    bool is_whole = false;
    std::size_t slot = any_slot;
    bool anywhere = false;             ///< its slot's owner is only the one that all prefer: any master may take it
    std::size_t first = 0;             ///< its first command's place in the whole batch
    std::vector<std::size_t> parts{};  ///< of a command that was split: the places of its keys among all keys
    bool counts = false;               ///< of a command that was split: it answers a number, not a value a key

    const Batch<CascorWhenUsed>& commands(const Batch<CascorWhenUsed>& whole) const { return is_whole ? whole : own; }
  };

  /// Takes a batch apart. MGET, UNLINK, DEL, EXISTS and TOUCH are split by slot; a batch with MULTI stays whole.
  static std::vector<Unit> units_of(const Batch<CascorWhenUsed>& batch);
  /// Puts a unit's answers where they belong in those of the whole batch. Of a split command an error wins, but for
  /// MGET, where it stands for its own keys.
  static void place(const Unit& unit, std::span<Reply> answers, std::span<Reply> whole);

 private:
  using Words = std::vector<cascor::detail::Dependent<std::string_view, CascorWhenUsed>>;
  static std::vector<Words> commands_of(std::string_view bytes);
  static void send_for(Unit& unit, const Words& words);
  static bool is_split(const Words& words) noexcept;
  static void split(const Words& words, Answer answer, std::size_t place, std::vector<Unit>& into);
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/routing.ipp"
#endif
