// RESP: commands to bytes, bytes to replies. The one file that knows hiredis is protocol.ipp.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cascor/core/reply.hpp"

struct redisReader;

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Appends one command to `out`, each argument by its length: no byte in it means anything to the protocol.
CASCOR_CACHE_FN void append_command(std::string& out, std::span<const std::string_view> arguments);
template <class CascorWhenUsed = void>
void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  append_command(out, cascor::detail::Dependent<std::span<const std::string_view>, CascorWhenUsed>{arguments.begin(),
                                                                                                   arguments.size()});
}

/// What a reply may be at most: elements that an array announces, arrays inside each other, bytes that a string
/// announces (Redis's own limit is half of it), bytes of a line. What is larger is an error before memory is taken.
inline constexpr std::size_t max_array_elements = std::size_t{1} << 24;
inline constexpr std::size_t max_array_depth = 32;
inline constexpr std::size_t max_string_bytes = std::size_t{1} << 30;
inline constexpr std::size_t max_line_bytes = std::size_t{1} << 20;

/// Cuts a stream of bytes into replies. Lines and strings, alone or in an array, are taken from the buffer as they
/// stand; arrays in arrays, and whatever may be wrong, go through hiredis. For one thread; after an error it is of no
/// more use.
template <class CascorWhenUsed = void>
class ReplyReader {
 public:
  ReplyReader();
  ReplyReader(const ReplyReader&) = delete;  // hiredis holds the address of current_
  ReplyReader& operator=(const ReplyReader&) = delete;
  ~ReplyReader() = default;

  /// Room for the next bytes, 16 KiB at least; received() tells how many of them have come.
  std::span<char> space();
  void received(std::size_t bytes) noexcept { end_ += bytes; }
  void feed(std::string_view bytes);

  /// The next whole reply, if its bytes are all there. Throws ConnectionError where they are not RESP2.
  bool next(Reply& into);
  std::optional<cascor::detail::Dependent<Reply, CascorWhenUsed>> next();
  /// The next reply where it stands whole in the buffer and is an array of strings, no more of them than there is room
  /// for in `words`: how many there are, as views that end with the next call of anything. 0: something else is next,
  /// if anything, and next() says what.
  std::size_t next_words(std::span<std::string_view> words) noexcept;
  /// Are there bytes that no reply has taken?
  bool holds_bytes() const noexcept { return begin_ < end_ || missing_ > 0 || within_hiredis_; }

 private:
  using Byte = cascor::detail::Dependent<char, CascorWhenUsed>;
  enum class Cut : unsigned char { whole, incomplete, not_simple };
  struct Free {
    void operator()(redisReader* reader) const noexcept;
  };

  Cut cut(Reply& into);
  Cut cut_element(Reply& into);
  Cut cut_simple(Reply& into);
  Cut cut_by_hiredis(Reply& into);
  Cut begin_array();

  // What was received and not taken yet is [begin_, end_) of the buffer.
  std::unique_ptr<Byte[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  Reply array_;                  // the outermost, whose elements are coming
  std::size_t missing_ = 0;      // so many of them are still to come
  Reply current_;                // what hiredis is building, across feeds
  bool within_hiredis_ = false;  // it holds the beginning of a reply
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/protocol.ipp"
#endif
