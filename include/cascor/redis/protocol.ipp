// hiredis parses; it builds our Reply directly, through its table of functions, so that there is one copy of the bytes
// and no tree of its own to convert. Known to work with 0.14.1 and written for 1.x.
#pragma once

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
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
  if (elements > max_array_elements || depth >= max_array_depth) return nullptr;  // it is within another
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

CASCOR_CACHE_FN char* write_length(char* at, char type, std::size_t length) noexcept {
  *at++ = type;
  at = std::to_chars(at, at + 20, length).ptr;
  *at++ = '\r';
  *at++ = '\n';
  return at;
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
  constexpr std::size_t most_of_a_length = 24;
  std::size_t most = most_of_a_length;
  for (const std::string_view argument : arguments) most += most_of_a_length + argument.size();
  out.reserve(out.size() + most);  // one allocation, and the bytes are written once each
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): written before it is read
  std::array<char, most_of_a_length> length;
  const auto append_length = [&](char type, std::size_t value) {
    out.append(length.data(), detail::write_length(length.data(), type, value));
  };
  append_length('*', arguments.size());
  for (const std::string_view argument : arguments) {
    append_length('$', argument.size());
    out.append(argument).append("\r\n", 2);
  }
}

template <class CascorWhenUsed>
void ReplyReader<CascorWhenUsed>::Free::operator()(redisReader* reader) const noexcept {
  redisReaderFree(reader);
}

template <class CascorWhenUsed>
ReplyReader<CascorWhenUsed>::ReplyReader() : reader_{redisReaderCreateWithFunctions(detail::reply_functions())} {
  if (!reader_) throw std::bad_alloc{};
  reader_->privdata = &current_;
  reader_->maxbuf = 1024 * 1024;  // keep the buffer between replies instead of freeing it at 16 KiB
}

template <class CascorWhenUsed>
std::span<char> ReplyReader<CascorWhenUsed>::space() {
  constexpr std::size_t least = 16 * 1024;
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ < least) {
    const std::size_t held = end_ - begin_;
    if (begin_ < least || held > begin_) {  // moving down would not make enough room, or moves much for little
      const std::size_t larger = std::max(2 * held + least, capacity_);
      auto buffer = std::make_unique_for_overwrite<Byte[]>(larger);
      if (held > 0) std::memcpy(buffer.get(), buffer_.get() + begin_, held);
      buffer_ = std::move(buffer);
      capacity_ = larger;
    } else {
      std::memmove(buffer_.get(), buffer_.get() + begin_, held);
    }
    begin_ = 0;
    end_ = held;
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

template <class CascorWhenUsed>
void ReplyReader<CascorWhenUsed>::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> room = space();
    const std::size_t some = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), some);
    received(some);
    bytes.remove_prefix(some);
  }
}

template <class CascorWhenUsed>
std::optional<cascor::detail::Dependent<Reply, CascorWhenUsed>> ReplyReader<CascorWhenUsed>::next() {
  cascor::detail::Dependent<Reply, CascorWhenUsed> reply;
  return next(reply) ? std::optional{std::move(reply)} : std::nullopt;
}

template <class CascorWhenUsed>
bool ReplyReader<CascorWhenUsed>::next(Reply& into) {
  constexpr std::size_t most_kept = 1024 * 1024;
  const Cut end = cut(into);
  if (begin_ == end_ && capacity_ > most_kept) {  // a large value has passed: its memory is not needed for the next
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
  }
  return end == Cut::whole;
}

template <class CascorWhenUsed>
typename ReplyReader<CascorWhenUsed>::Cut ReplyReader<CascorWhenUsed>::cut(Reply& into) {
  if (missing_ == 0) {
    const Cut header = within_hiredis_ ? Cut::not_simple : begin_array();
    if (header == Cut::not_simple) return cut_element(into);
    if (header == Cut::incomplete) return header;
  }
  for (; missing_ > 0; --missing_) {
    if (cut_element(array_.elements.emplace_back()) == Cut::whole) continue;
    array_.elements.pop_back();
    return Cut::incomplete;
  }
  into = std::exchange(array_, Reply{});
  return Cut::whole;
}

// An array's header, of as many elements as an answer may have: they are awaited from now on. However its bytes are
// cut, it is taken here or goes to hiredis, which is less strict with what stands in an array.
template <class CascorWhenUsed>
typename ReplyReader<CascorWhenUsed>::Cut ReplyReader<CascorWhenUsed>::begin_array() {
  constexpr std::ptrdiff_t most_digits = 8;
  if (begin_ == end_ || buffer_[begin_] != '*') return Cut::not_simple;
  const char* const line = buffer_.get() + begin_ + 1;
  const char* const last = buffer_.get() + end_;
  const char* const digits_end = std::find_if(line, last, [](char byte) { return byte < '0' || byte > '9'; });
  if (digits_end - line > most_digits) return Cut::not_simple;
  if (digits_end == last) return Cut::incomplete;
  if (digits_end == line || *digits_end != '\r') return Cut::not_simple;
  if (digits_end + 1 == last) return Cut::incomplete;
  std::size_t elements = 0;
  std::from_chars(line, digits_end, elements);
  if (digits_end[1] != '\n' || elements > max_array_elements) return Cut::not_simple;
  array_.kind = Reply::Kind::array;
  // A header only claims its elements; memory is taken as they come.
  array_.elements.reserve(std::min<std::size_t>(elements, 1024));
  missing_ = elements;
  begin_ += static_cast<std::size_t>(digits_end + 2 - (line - 1));
  return Cut::whole;
}

template <class CascorWhenUsed>
typename ReplyReader<CascorWhenUsed>::Cut ReplyReader<CascorWhenUsed>::cut_element(Reply& into) {
  const Cut end = within_hiredis_ ? Cut::not_simple : cut_simple(into);
  return end == Cut::not_simple ? cut_by_hiredis(into) : end;
}

// A status, an error, an integer, a string or a nil that stands whole at begin_. Anything that is not plainly one of
// them is left to hiredis, which also knows what to say about it.
template <class CascorWhenUsed>
typename ReplyReader<CascorWhenUsed>::Cut ReplyReader<CascorWhenUsed>::cut_simple(Reply& into) {
  if (begin_ == end_) return Cut::incomplete;
  const char* const first = buffer_.get() + begin_;
  const char* const last = buffer_.get() + end_;
  const char type = *first;
  if (type != '$' && type != '+' && type != ':' && type != '-') return Cut::not_simple;
  const char* const line = first + 1;
  const auto* const line_end = static_cast<const char*>(std::memchr(line, '\r', static_cast<std::size_t>(last - line)));
  if (line_end == nullptr || line_end + 1 == last) {
    return static_cast<std::size_t>(last - line) > max_line_bytes ? Cut::not_simple : Cut::incomplete;
  }
  if (line_end[1] != '\n') return Cut::not_simple;
  const char* end = line_end + 2;
  std::int64_t number = 0;
  if (type == '$' || type == ':') {
    const auto [parsed, error] = std::from_chars(line, line_end, number);
    if (error != std::errc{} || parsed != line_end) return Cut::not_simple;
  }
  if (type == '$' && number != -1) {
    if (number < 0 || static_cast<std::uint64_t>(number) > max_string_bytes) return Cut::not_simple;
    if (last - end < number + 2) return Cut::incomplete;
    if (end[number] != '\r' || end[number + 1] != '\n') {  // hiredis would not look
      detail::refuse_bytes("a string that does not end where it says");
    }
    into.text.assign(end, static_cast<std::size_t>(number));
    into.kind = Reply::Kind::string;
    end += number + 2;
  } else if (type == '+' || type == '-') {
    into.text.assign(line, line_end);
    into.kind = type == '+' ? Reply::Kind::status : Reply::Kind::error;
  } else {
    into.text.clear();
    into.kind = type == ':' ? Reply::Kind::integer : Reply::Kind::nil;
  }
  into.integer = type == ':' ? number : 0;
  into.elements.clear();
  begin_ += static_cast<std::size_t>(end - first);
  return Cut::whole;
}

// What is not plainly so is left where it is: there hiredis says what to make of it.
template <class CascorWhenUsed>
std::size_t ReplyReader<CascorWhenUsed>::next_words(std::span<std::string_view> words) noexcept {
  if (missing_ > 0 || within_hiredis_ || begin_ == end_) return 0;
  const char* at = buffer_.get() + begin_;
  const char* const last = buffer_.get() + end_;
  const auto number_after =
      [&at, last](char type,
                  std::size_t most) -> std::optional<cascor::detail::Dependent<std::size_t, CascorWhenUsed>> {
    if (at == last || *at != type) return std::nullopt;
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(at + 1, last, number);
    if (error != std::errc{} || number > most || last - end < 2 || end[0] != '\r' || end[1] != '\n')
      return std::nullopt;
    at = end + 2;
    return number;
  };
  const auto count = number_after('*', words.size());
  if (!count || *count == 0) return 0;
  for (std::string_view& word : words.first(*count)) {
    const auto size = number_after('$', max_string_bytes);
    if (!size || static_cast<std::size_t>(last - at) < *size + 2) return 0;
    if (at[*size] != '\r' || at[*size + 1] != '\n') return 0;
    word = {at, *size};
    at += *size + 2;
  }
  begin_ = static_cast<std::size_t>(at - buffer_.get());
  return *count;
}

template <class CascorWhenUsed>
typename ReplyReader<CascorWhenUsed>::Cut ReplyReader<CascorWhenUsed>::cut_by_hiredis(Reply& into) {
  constexpr std::size_t piece = 16 * 1024;
  while (true) {
    // In pieces: what hiredis does not need for this reply comes back, and it would move all of it down each time.
    const std::size_t some = std::min(end_ - begin_, piece);
    if (some > 0 && redisReaderFeed(reader_.get(), buffer_.get() + begin_, some) == REDIS_OK) begin_ += some;
    within_hiredis_ = true;
    void* done = nullptr;
    if (redisReaderGetReply(reader_.get(), &done) != REDIS_OK) {
      detail::refuse_bytes(reader_->err == REDIS_ERR_OOM ? "larger than any answer" : std::string{reader_->errstr});
    }
    if (done != nullptr) break;
    if (!detail::may_grow({reader_->buf + reader_->pos, reader_->len - reader_->pos})) {
      detail::refuse_bytes("larger than any answer");
    }
    if (begin_ == end_) return Cut::incomplete;
  }
  // The reply was not whole before the last piece: what is left over is the end of that piece.
  begin_ -= reader_->len - reader_->pos;
  reader_->pos = reader_->len;
  within_hiredis_ = false;
  into = std::move(current_);
  return Cut::whole;
}

#if defined(CASCOR_CACHE_COMPILED)
template class ReplyReader<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
