// Sessions of users: who is logged in, by an id that nobody can guess.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/cache/cache_manager.hpp"
#include "cascor/codec/json.hpp"
#include "cascor/core/result.hpp"
#include "cascor/training/session_record.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// The sessions of one cache, `<namespace>session:<id>`. Each lives for `prefix_ttl.session` (24 h) from its last use.
/// They are cached data: a pattern that names them and clear_all_cache() end them. While Redis is away they live in
/// memory and are replayed. Ids are secrets: no line and no error shows one. A text that can be no id names no session,
/// and nobody is asked for it. Users' names are UTF-8 texts of 1 to 900 bytes, any others are a DataError. Lasts as
/// long as the manager, wherever that is moved. Safe from any thread. With `strict` a lost or refusing Redis throws.
template <class CascorWhenUsed>
class Sessions {
 public:
  using Ids = detail::Dependent<std::vector<std::string>, CascorWhenUsed>;

  explicit Sessions(detail::EngineHolder<CascorWhenUsed>& holder) noexcept : holder_{holder} {}
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;
  ~Sessions() = default;

  /// A new session of `user`; its id: 256 bits from the system, base64url, 43 characters. Empty where neither Redis
  /// nor, in its place, memory keeps it. Two round trips.
  std::string create(std::string_view user, const json& data = nullptr);
  /// The session, whose life begins anew with this. A miss for one that has ended or never was. One round trip, and two
  /// more once a minute.
  CacheResult<Session> get(std::string_view id);
  /// Gives it other data; false where there is no such session, also where it ends at this very moment: none comes back
  /// to life. Two round trips.
  bool update(std::string_view id, const json& data);
  /// Begins its life anew; is there such a session? As get().
  bool touch(std::string_view id) { return static_cast<bool>(read(id)); }
  /// Ends it; was there one? Three round trips.
  bool destroy(std::string_view id);
  /// The same session under a new id, and none under the old one: for the moment of a login, so that an id that
  /// somebody else knew before is worth nothing after (session fixation). Empty where there is no such session. Six
  /// round trips.
  std::string regenerate(std::string_view id);

  /// Ids of the user's sessions, the one that was not used for longest first. Two round trips.
  Ids of_user(std::string_view user);
  /// Ends all sessions of the user; how many there were. While Redis is away: those that this process knows, and, when
  /// it is back, all others that were made before. Two round trips, and one for each session.
  std::size_t destroy_all(std::string_view user);

 private:
  using Text = detail::Dependent<std::string, CascorWhenUsed>;
  // What a session's text is, and where it was found.
  struct Kept {
    detail::Found found;  ///< in memory
    std::shared_ptr<const std::string> text;
    ReadFacts facts;
    std::shared_ptr<const CacheError> error;
  };

  detail::Engine& engine() const { return holder_.get(); }
  static void check_user(std::string_view user);
  static std::string key_of(const detail::Engine& engine, std::string_view id);
  Kept find(detail::Engine& engine, const std::string& key, bool slide);
  CacheResult<Session> read(std::string_view id);
  void note_use(detail::Engine& engine, const std::string& key, std::string_view id, const Kept& kept,
                const Session& session);
  bool store(detail::Engine& engine, std::string_view id, const Session& session);
  static bool swap(detail::Engine& engine, const std::string& key, const std::string& old_text,
                   const std::string& new_text, bool& remote);

  detail::EngineHolder<CascorWhenUsed>& holder_;
};

/// For dashboards: {user, data, created, last_seen}, as it is written.
CASCOR_CACHE_FN void to_json(json& into, const Session& session);

template <Codec C>
Sessions<>& BasicCacheManager<C>::sessions() {
  return owned_->template kept<Sessions<>>();
}

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/sessions.ipp"
#endif
