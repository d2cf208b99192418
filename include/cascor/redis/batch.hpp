// The commands of one call, encoded, and the kind of answer that each has.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/redis/protocol.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The kind of answer that a command has. An error fits everywhere, nil where a string may be.
struct Answer {
  enum Kind : unsigned char { any, status, status_or_nil, string, integer, array };
  Kind kind = any;
  std::size_t elements = 0;  ///< of an array; 0: however many

  CASCOR_CACHE_FN bool fits(const Reply& reply) const noexcept;
  bool operator==(const Answer&) const = default;
};

/// Commands written one behind the other, to be sent as one, each with the kind of answer that it has.
template <class CascorWhenUsed = void>
class Batch {
 public:
  template <class... Words>
  Batch& add(Answer answer, const Words&... words) {
    const std::array<std::string_view, sizeof...(Words)> all{std::string_view{words}...};
    return add_words(answer, all);
  }
  Batch& add_words(Answer answer, std::span<const std::string_view> words) {
    append_command(bytes_, words);
    note(answer);
    return *this;
  }
  /// The commands of another one behind these.
  Batch& add_batch(const Batch& more) {
    for (std::size_t i = 0; i < more.commands_; ++i) note(more.answer(i));
    bytes_.append(more.bytes_);
    return *this;
  }
  /// Takes memory for so many bytes at once, instead of growing by and by.
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  std::string_view bytes() const noexcept { return bytes_; }
  std::size_t commands() const noexcept { return commands_; }
  Answer answer(std::size_t command) const noexcept { return answers_.empty() ? each_alike_ : answers_[command]; }

 private:
  void note(Answer answer) {
    if (commands_ == 0) {
      each_alike_ = answer;
    } else if (answers_.empty() && answer != each_alike_) {
      answers_.assign(commands_, each_alike_);
    }
    if (!answers_.empty()) answers_.push_back(answer);
    ++commands_;
  }

  std::string bytes_;
  std::size_t commands_ = 0;
  Answer each_alike_;
  std::vector<cascor::detail::Dependent<Answer, CascorWhenUsed>> answers_;  // one a command; empty while all are alike
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/batch.ipp"
#endif
