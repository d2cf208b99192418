// Values that are being loaded: each knows whether an invalidation or a newer value of its key has overtaken it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// One load under way. Whether it was overtaken is guarded by its shard's lock.
class Load {
 public:
  explicit Load(std::string key) noexcept : key_{std::move(key)} {}
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() = default;

  const std::string& key() const noexcept { return key_; }
  bool overtaken() const noexcept { return overtaken_; }

 private:
  friend class Loads;
  std::string key_;
  Load* next_ = nullptr;
  Load* previous_ = nullptr;
  bool overtaken_ = false;
};

/// The loads under way of one shard. Guarded by the shard's lock. O(loads under way), and mostly there are none.
class Loads {
 public:
  void add(Load& load) noexcept {
    load.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &load;
    first_ = &load;
  }
  void remove(Load& load) noexcept {
    (load.previous_ != nullptr ? load.previous_->next_ : first_) = load.next_;
    if (load.next_ != nullptr) load.next_->previous_ = load.previous_;
  }
  void overtake(std::string_view key) noexcept {
    for (Load* load = first_; load != nullptr; load = load->next_) {
      if (load->key_ == key) load->overtaken_ = true;
    }
  }
  /// Those for whose key `matches` is true.
  template <class Matches>
  void overtake_if(Matches&& matches) {
    for (Load* load = first_; load != nullptr; load = load->next_) {
      if (matches(std::string_view{load->key_})) load->overtaken_ = true;
    }
  }

 private:
  Load* first_ = nullptr;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
