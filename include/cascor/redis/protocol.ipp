// hiredis parses; it builds our Reply directly, through its table of functions, so that there is one copy of the bytes
// and no tree of its own to convert. Known to work with 0.14.1 and written for 1.x.
#pragma once

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/protocol.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

#if HIREDIS_MAJOR >= 1
using HiredisLength = std::size_t;
#else
using HiredisLength = int;
#endif

// Where the reply that is being read goes: into its parent, or into the reader's current one. The parent's vector does
// not grow while one of its elements is being read, so the address holds as long as hiredis needs it.
CASCOR_CACHE_FN Reply& place(const redisReadTask* task) {
  if (task->parent == nullptr) {
    auto& root = *static_cast<Reply*>(task->privdata);
    root = Reply{};
    return root;
  }
  return static_cast<Reply*>(task->parent->obj)->elements.emplace_back();
}

// hiredis is C: an exception must not pass through it. Null means "out of memory" to it, which ends the reading.
template <class Fill>
void* make_reply(const redisReadTask* task, Fill&& fill) noexcept {
  try {
    Reply& reply = place(task);
    fill(reply);
    return &reply;
  } catch (...) {
    return nullptr;
  }
}

CASCOR_CACHE_FN void* make_string(const redisReadTask* task, char* text, std::size_t size) {
  return make_reply(task, [&](Reply& reply) {
    reply.kind = task->type == REDIS_REPLY_ERROR    ? Reply::Kind::error
                 : task->type == REDIS_REPLY_STATUS ? Reply::Kind::status
                                                    : Reply::Kind::string;
    reply.text.assign(text, size);
  });
}

CASCOR_CACHE_FN void* make_array(const redisReadTask* task, HiredisLength size) {
  const auto elements = static_cast<std::size_t>(size);
  std::size_t depth = 0;  // 0.14 has a limit of its own, 1.0 had none: destroying a reply goes as deep as it nests
  for (const redisReadTask* at = task; at != nullptr; at = at->parent) ++depth;
  if (elements > max_array_elements || depth > max_array_depth) return nullptr;
  return make_reply(task, [&](Reply& reply) {
    reply.kind = Reply::Kind::array;
    // A header only claims its elements; memory is taken as they come.
    reply.elements.reserve(std::min<std::size_t>(elements, 1024));
  });
}

CASCOR_CACHE_FN void* make_integer(const redisReadTask* task, long long value) {
  return make_reply(task, [&](Reply& reply) {
    reply.kind = Reply::Kind::integer;
    reply.integer = value;
  });
}

CASCOR_CACHE_FN void* make_nil(const redisReadTask* task) {
  return make_reply(task, [](Reply&) {});
}

CASCOR_CACHE_FN redisReplyObjectFunctions* reply_functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions made{};  // what 1.x has beyond these is RESP3, which we never ask for
    made.createString = &make_string;
    made.createArray = &make_array;
    made.createInteger = &make_integer;
    made.createNil = &make_nil;
    made.freeObject = [](void*) {};  // replies are ours
    return made;
  }();
  return &functions;
}

CASCOR_CACHE_FN void append_length(std::string& out, char type, std::size_t length) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), length).ptr;
  out.push_back(type);
  out.append(digits.data(), end);
  out.append("\r\n", 2);
}

// Is what hiredis could not make a reply of yet one that may become whole? It stands behind the type's byte: a line
// that has not ended, or a string, whose first line says how long it will be.
CASCOR_CACHE_FN bool may_grow(std::string_view unread) noexcept {
  const std::size_t line = unread.find("\r\n");
  if (line == std::string_view::npos) return unread.size() <= max_line_bytes;
  std::uint64_t announced = 0;
  const auto error = std::from_chars(unread.data(), unread.data() + line, announced).ec;
  return error == std::errc{} && announced <= max_string_bytes;
}

CASCOR_CACHE_FN [[noreturn]] void refuse_bytes(const std::string& found) {
  throw ConnectionError{"an answer that is not Redis's protocol: " + found,
                        "Check the host and port: another program may be listening there, or the port expects TLS "
                        "(rediss://)."};
}

}  // namespace detail

CASCOR_CACHE_DEF void append_command(std::string& out, std::span<const std::string_view> arguments) {
  detail::append_length(out, '*', arguments.size());
  for (const std::string_view argument : arguments) {
    detail::append_length(out, '$', argument.size());
    out.append(argument);
    out.append("\r\n", 2);
  }
}

CASCOR_CACHE_DEF void ReplyReader::Free::operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }

CASCOR_CACHE_DEF ReplyReader::ReplyReader() : reader_{redisReaderCreateWithFunctions(detail::reply_functions())} {
  if (!reader_) throw std::bad_alloc{};
  reader_->privdata = &current_;
  reader_->maxbuf = 1024 * 1024;  // keep the buffer between replies instead of freeing it at 16 KiB
}

CASCOR_CACHE_DEF void ReplyReader::feed(std::string_view bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

CASCOR_CACHE_DEF std::optional<Reply> ReplyReader::next() {
  void* done = nullptr;
  if (redisReaderGetReply(reader_.get(), &done) != REDIS_OK) {
    detail::refuse_bytes(reader_->err == REDIS_ERR_OOM ? "larger than any answer" : std::string{reader_->errstr});
  }
  if (done != nullptr) return std::move(current_);
  if (!detail::may_grow({reader_->buf + reader_->pos, reader_->len - reader_->pos})) {
    detail::refuse_bytes("larger than any answer");
  }
  return std::nullopt;
}

CASCOR_CACHE_DEF bool ReplyReader::holds_bytes() const noexcept { return reader_->pos < reader_->len; }

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
