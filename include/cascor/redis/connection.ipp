#pragma once

#include <unistd.h>

#include <utility>

#include "cascor/redis/connection.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

// Whoever is dialled may be another server before it answers: then that one is dialled.
template <class CascorWhenUsed>
auto Connection<CascorWhenUsed>::dialled(const RedisOptions& options, Deadline by, Stopper<CascorWhenUsed>* stopper)
    -> Dialled {
  constexpr int most_dials = 4;
  for (int dials = 1;; ++dials) {
    Dialled to;
    if (stopper != nullptr) to.dialling = stopper->dialling();
    to.endpoint = options.locate ? options.locate(by) : options.endpoint;
    const bool last = !options.locate || dials == most_dials;
    // Finding it may have been what told of the other server.
    if (!last && to.dialling && to.dialling->ended() && !stopper->stopped()) continue;
    if (to.dialling && to.dialling->ended()) to.dialling = stopper->dialling();
    try {
      to.transport =
          dial(to.endpoint, options.keepalive, by, to.dialling ? to.dialling->fd() : -1, options.secure.get());
      return to;
    } catch (const ConnectionError&) {
      if (!to.dialling || !to.dialling->ended() || stopper->stopped()) throw;
      if (last) {
        throw ConnectionError{
            "Error connecting to Redis on " + to_string(to.endpoint) + ": another server has taken its place",
            "Make the call again: it goes to that server."};
      }
    }
  }
}

template <class CascorWhenUsed>
Connection<CascorWhenUsed>::Connection(const RedisOptions& options, Dialled dialled, Deadline by,
                                       Stopper<CascorWhenUsed>* stopper)
    : transport_{std::move(dialled.transport)},
      stopper_{stopper},
      clock_{options.clock.get()},
      peer_{to_string(dialled.endpoint)},
      last_used_{clock_->now()} {
  if (stopper_ != nullptr) stopper_->add(*transport_);
  if (dialled.dialling && dialled.dialling->ended()) transport_->interrupt();  // before it was in the list
  try {
    introduce(options, by);
  } catch (...) {
    if (stopper_ != nullptr) stopper_->remove(*transport_);
    throw;
  }
}

template <class CascorWhenUsed>
Connection<CascorWhenUsed>::~Connection() {
  if (stopper_ != nullptr) stopper_->remove(*transport_);
}

template <class CascorWhenUsed>
void Connection<CascorWhenUsed>::introduce(const RedisOptions& options, Deadline by) {
  const std::string before = "Error connecting to Redis on " + peer_ + ": ";
  std::string password;
  try {
    if (options.password) password = options.password();
  } catch (...) {
    throw AuthenticationError{
        before + "the password provider threw",
        "See why CacheConfig::password_provider fails; what it threw is not shown, as it may hold "
        "a secret."};
  }
  constexpr Answer ok{Answer::status};
  Batch<CascorWhenUsed> batch;
  if (!options.username.empty()) {
    batch.add(ok, "AUTH", options.username, password);
  } else if (!password.empty()) {
    batch.add(ok, "AUTH", password);
  }
  if (options.database != 0) batch.add(ok, "SELECT", std::to_string(options.database));
  if (options.must_be_master) batch.add({Answer::any}, "ROLE");
  const std::size_t role = batch.commands() - 1;
  batch.add(ok, "CLIENT", "SETNAME", "cascor-cache:" + std::to_string(::getpid()));

  std::vector<Reply> replies(batch.commands());
  std::size_t answered = 0;
  try {
    exchange(batch, replies, answered, by);
  } catch (const ConnectionError& error) {
    // A server that has no room, or does not trust the address, says so unasked and hangs up.
    if (answered == 0 || !replies[answered - 1].is_error()) {
      std::string hint = error.hint();
      if (answered == 0 && !options.secure && options.endpoint.path.empty() &&
          hint.find("rediss://") == std::string::npos) {
        hint += " A port that expects TLS (rediss://) hangs up like this too.";
      } else if (answered == 0 && options.secure && hint.starts_with("See whether the server runs")) {
        hint += " A server that wants a certificate (tls.cert_file), or another one, may hang up like this too.";
      }
      throw ConnectionError{before + without_secret(error.what(), password), hint};
    }
  } catch (const TimeoutError& error) {
    throw TimeoutError{before + error.what(), error.hint()};
  }
  served_ = false;
  if (answered == batch.commands() && broken_) {
    throw ConnectionError{before + "more was answered than asked",
                          "Something other than Redis answers there: look at the host, the port and any proxies."};
  }
  for (std::size_t i = 0; i < answered; ++i) {
    if (!replies[i].is_error()) continue;
    // A name is a courtesy to the operator: it may be refused for itself, and is the first to meet what refuses all.
    const std::string& words = replies[i].text;
    const bool only_the_name = i + 1 == batch.commands() && !words.starts_with("NOAUTH") &&
                               !words.starts_with("DENIED") && !says_unavailable(words);
    if (only_the_name) continue;
    // An account that may not ask for the role finds out by READONLY.
    if (options.must_be_master && i == role && words.starts_with("NOPERM")) continue;
    broken_ = true;
    server_error(without_secret(words, password), before)->raise();
  }
  if (!options.must_be_master || answered <= role) return;
  const Reply& said = replies[role];
  if (said.is_error() || (!said.elements.empty() && said.elements[0].text == "master")) return;
  broken_ = true;
  throw ConnectionError{before + "it is a replica and not the master",
                        "Wait until the Sentinels have agreed on a master, or see what they say of it."};
}

template <class CascorWhenUsed>
std::vector<Reply> Connection<CascorWhenUsed>::execute(const Batch<CascorWhenUsed>& batch, Deadline by) {
  std::vector<Reply> replies(batch.commands());
  execute(batch, replies, by);
  return replies;
}

template <class CascorWhenUsed>
void Connection<CascorWhenUsed>::execute(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, Deadline by) {
  std::size_t answered = 0;
  exchange(batch, replies, answered, by);
}

template <class CascorWhenUsed>
void Connection<CascorWhenUsed>::exchange(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies,
                                          std::size_t& answered, Deadline by) {
  sent_ = 0;
  send(batch.bytes(), sent_, by);
  for (; answered < batch.commands(); ++answered) {
    while (!next(batch.answer(answered), replies[answered])) receive(by);
  }
  settle();
}

template <class CascorWhenUsed>
void Connection<CascorWhenUsed>::send(std::string_view bytes, std::size_t& sent, Deadline by) {
  broken_ = true;
  last_used_ = clock_->now();
  transport_->send(bytes.substr(sent), sent, by);
}

template <class CascorWhenUsed>
std::size_t Connection<CascorWhenUsed>::receive(Deadline by) {
  const std::size_t got = transport_->receive(reader_.space(), by);
  reader_.received(got);
  return got;
}

template <class CascorWhenUsed>
bool Connection<CascorWhenUsed>::next(Answer expected, Reply& into) {
  if (!reader_.next(into)) return false;
  if (expected.fits(into)) return true;
  throw ConnectionError{"Redis on " + peer_ + " gave an answer of a kind that the command does not have",
                        "Something other than Redis answers there, or changes its answers: look at the host, the "
                        "port and any proxies."};
}

template <class CascorWhenUsed>
void Connection<CascorWhenUsed>::settle() noexcept {
  // What came unasked would be taken for the next call's answer.
  broken_ = reader_.holds_bytes();
  served_ = true;
}

#if defined(CASCOR_CACHE_COMPILED)
template class Connection<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
