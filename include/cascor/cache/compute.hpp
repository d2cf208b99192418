// get_or_compute: from an application's function and types to what the engine below works with.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cascor/cache/cache_view.hpp"
#include "cascor/cache/computation.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// `Compute`: a reference to the caller's function for as long as the call lasts, or a copy of it.
template <Codec C>
template <class T, class Compute>
class BasicCacheView<C>::Computing final : public detail::Computation {
 public:
  Computing(const BasicCacheView& view, Compute&& compute) : view_{view}, compute_{std::forward<Compute>(compute)} {}

  detail::Computed run(std::string_view key) override {
    if constexpr (detail::is_optional<std::remove_cvref_t<std::invoke_result_t<Compute&>>>) {
      auto computed = std::invoke(compute_);
      if (!computed) return {{}, true};
      return {stored(T(*std::move(computed)), key)};
    } else {
      return {stored(T(std::invoke(compute_)), key)};
    }
  }
  std::unique_ptr<detail::Computation> kept() override {
    using Own = std::decay_t<Compute>;
    if constexpr (std::is_reference_v<Compute> && std::is_constructible_v<Own, Compute>) {
      return std::make_unique<Computing<T, Own>>(view_, Own(std::forward<Compute>(compute_)));
    } else {
      return nullptr;
    }
  }

 private:
  // With the form that a later hit gives: what the bytes decode to, which may not be all that was computed.
  detail::StoredValue stored(T&& value, std::string_view key) const {
    if constexpr (std::is_same_v<T, json> && requires { C::settle(value); }) {
      if (view_.engine().keeps_decoded()) return view_.to_store(std::move(value), key);
      detail::StoredValue bytes = view_.to_store(std::as_const(value), key);
      C::settle(value);
      return bytes.with(detail::Form::of(std::make_shared<const json>(std::move(value))));
    } else {
      const detail::StoredValue bytes = view_.template to_store<T>(value, key);
      CacheResult<T> decoded = view_.template decoded_from<T>(key, bytes.bytes(), {}, nullptr);
      if (!decoded) decoded.error()->raise();
      return bytes.with(detail::Form::of(decoded.share()));
    }
  }

  const BasicCacheView view_;
  Compute compute_;
};

template <Codec C>
template <class T, class Compute>
auto BasicCacheView<C>::get_or_compute(std::string_view key, Compute&& compute, const ComputeOptions& options)
    -> CacheResult<detail::ComputedAs<T, Compute>> {
  using Value = detail::ComputedAs<T, Compute>;
  const FullKey full = names().full_to_change(Prefix::other, key);
  const Prefix prefix = names().prefix_of(full.view());
  Computing<Value, Compute&&> work{*this, std::forward<Compute>(compute)};
  const detail::ComputeAnswer answer = engine().get_or_compute(prefix, full.view(), work, options, until_);
  if (!answer.computed) return decoded<Value>(prefix, full.view(), answer.found);
  engine().count_read(prefix, CacheStatus::miss);
  if (auto value = answer.value.form<Value>()) return {std::move(value), answer.found.facts};
  return decoded_from<Value>(full.view(), answer.value.bytes(), answer.found.facts, nullptr);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
