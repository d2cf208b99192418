// What the memory tier keeps of a value: its decoded forms, its bytes, or both.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Names a type without RTTI: the address of a variable of its own.
template <class T>
inline char type_tag = 0;  // not const, lest a linker folds equal constants into one

/// One decoded form.
struct Form {
  const void* type = nullptr;
  std::shared_ptr<const void> value;
  std::size_t weight = 0;  ///< of the value, itself and its block included
  bool unweighed = false;  ///< weight_of was given for its size alone, although it may own more

  template <class T>
  static Form of(std::shared_ptr<const T> value) {
    using cascor::weight_of;
    Form form;
    form.type = &type_tag<T>;
    form.weight = weight_of(value) - sizeof value;
    form.unweighed = !std::is_trivially_destructible_v<T> && weight_of(*value) == sizeof(T);
    form.value = std::move(value);
    return form;
  }
  template <class T>
  std::shared_ptr<const T> as() const noexcept {
    return type == &type_tag<T> ? std::static_pointer_cast<const T>(value) : nullptr;
  }
};

/// What a value is tagged with, by full names, and what that takes beside the value, its index included.
struct ValueTags {
  std::vector<std::string> names;
  std::size_t weight = 0;
};

/// A value in memory. Its truth is the bytes it has in a backend: they are here, or the first form is one that gives
/// exactly them (`encode`). Forms are only ever added, by putting a new StoredValue in the old one's place; one object
/// never changes. Copying shares.
class StoredValue {
 public:
  using KeptByGroup = void;  ///< for Entry
  using Encode = std::string (*)(const void*);

  StoredValue() = default;
  explicit StoredValue(std::shared_ptr<const std::string> bytes) : bytes_{std::move(bytes)} {}
  /// A form from which the bytes can be made exactly.
  StoredValue(Form form, Encode encode) : first_{std::move(form)}, encode_{encode} {}

  template <class T>
  std::shared_ptr<const T> form() const noexcept {
    if (auto value = first_.as<T>()) return value;
    return second_.as<T>();
  }
  /// The bytes, made anew where only a form is kept.
  std::shared_ptr<const std::string> bytes() const {
    return bytes_ ? bytes_ : std::make_shared<const std::string>(encode_(first_.value.get()));
  }
  /// This value with one more form; the second one makes way where both are taken. A type that weight_of does not know
  /// is taken to own about what it was made from.
  StoredValue with(Form form) const {
    if (form.unweighed) form.weight += bytes_ ? bytes_->size() : first_.weight / 2;
    StoredValue more = *this;
    (more.first_.type == nullptr ? more.first_ : more.second_) = std::move(form);
    return more;
  }

  /// This value with these tags; null: none.
  StoredValue tagged(std::shared_ptr<const ValueTags> tags) && {
    tags_ = std::move(tags);
    return std::move(*this);
  }
  const std::shared_ptr<const ValueTags>& tags() const noexcept { return tags_; }

  std::size_t weight() const noexcept {
    using cascor::weight_of;
    const std::size_t bytes = sizeof *this + first_.weight + second_.weight + (tags_ ? tags_->weight : 0);
    return bytes + weight_of(bytes_) - sizeof bytes_;
  }
  friend std::size_t weight_of(const StoredValue& value) noexcept { return value.weight(); }

 private:
  std::shared_ptr<const std::string> bytes_;
  Form first_;
  Form second_;
  Encode encode_ = nullptr;
  std::shared_ptr<const ValueTags> tags_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
