// Between a server that says which keys changed and whoever holds copies of their values: both sides' contracts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cascor/core/errors.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// How a link stands: nobody has asked for one; it is being made, for the first time or again; it is there; the server
/// or the account cannot have one, which is final.
enum class LinkState : unsigned char { unopened, connecting, up, refused };

/// "UNOPENED", "CONNECTING", "UP", "REFUSED".
constexpr std::string_view to_string(LinkState state) noexcept {
  switch (state) {
    case LinkState::unopened: return "UNOPENED";
    case LinkState::connecting: return "CONNECTING";
    case LinkState::up: return "UP";
    case LinkState::refused: break;
  }
  return "REFUSED";
}

/// Is told what the server says, by one thread at a time, in the order in which the server said it. What it does must
/// be quick: a server cuts off whoever does not listen.
class InvalidationSink {
 public:
  InvalidationSink() = default;
  InvalidationSink(const InvalidationSink&) = delete;
  InvalidationSink& operator=(const InvalidationSink&) = delete;
  virtual ~InvalidationSink() = default;

  /// From now on every change is told. What changed before was not.
  virtual void on_up() noexcept = 0;
  /// The key was written, removed, given another TTL, or has expired.
  virtual void on_key(std::string_view key) noexcept = 0;
  /// Everything was removed.
  virtual void on_flush() noexcept = 0;
  /// From now on changes may happen that are not told.
  virtual void on_down(const CacheError& why) noexcept = 0;
  /// There will be no link: the server or the account cannot have one.
  virtual void on_refused(const CacheError& why) noexcept = 0;
};

/// One server's link. Safe from any thread.
class InvalidationLink {
 public:
  InvalidationLink() = default;
  InvalidationLink(const InvalidationLink&) = delete;
  InvalidationLink& operator=(const InvalidationLink&) = delete;
  virtual ~InvalidationLink() = default;

  /// Asks for it; does not wait for it. Later calls cost one load.
  virtual void open() noexcept = 0;
  /// Tries at once, rather than after its pause, to make it again.
  virtual void nudge() noexcept = 0;
  /// Leaves the server that it is with: another one has taken its place.
  virtual void renew() noexcept = 0;
  /// For good. Nothing is told any more once it returns.
  virtual void close() noexcept = 0;
  virtual LinkState state() const noexcept = 0;
};

/// Why everything near was let go of.
enum class FlushReason : unsigned char { link_up, server, returned, command, refused };
inline constexpr std::size_t flush_reasons = 5;

/// "link_up", "server", "returned", "command", "refused".
constexpr std::string_view to_string(FlushReason reason) noexcept {
  switch (reason) {
    case FlushReason::link_up: return "link_up";
    case FlushReason::server: return "server";
    case FlushReason::returned: return "returned";
    case FlushReason::command: return "command";
    case FlushReason::refused: break;
  }
  return "refused";
}

/// Hears of changes: of one key, or that any may have changed. Each once: a write of this cache under a prefix that the
/// server tells of is told when the server tells of it, any other when it is made. Called outside locks, by the thread
/// that made the change or by the link's; what it does must be quick, and must not use the cache.
class ChangeListener {
 public:
  ChangeListener() = default;
  ChangeListener(const ChangeListener&) = delete;
  ChangeListener& operator=(const ChangeListener&) = delete;
  virtual ~ChangeListener() = default;

  virtual void key_changed(std::string_view key) noexcept = 0;
  /// Something changed of which it is not known what.
  virtual void any_changed(FlushReason why) noexcept = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
