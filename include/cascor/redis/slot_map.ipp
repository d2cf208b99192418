#pragma once

#include <algorithm>

#include "cascor/redis/redirect.hpp"
#include "cascor/redis/slot_map.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
auto SlotMap<CascorWhenUsed>::from(const Reply& reply, const Endpoint& said_by) -> std::optional<SlotMap> {
  using Kind = Reply::Kind;
  constexpr std::size_t most_masters = 1000;  // what the specification allows
  if (reply.kind != Kind::array || reply.elements.size() > slot_count) return std::nullopt;
  SlotMap map;
  for (const Reply& range : reply.elements) {  // first slot, last slot, master [host, port, …], replicas …
    if (range.kind != Kind::array || range.elements.size() < 3) return std::nullopt;
    const Reply& first = range.elements[0];
    const Reply& last = range.elements[1];
    const Reply& master = range.elements[2];
    const bool is_range = first.kind == Kind::integer && last.kind == Kind::integer && first.integer >= 0 &&
                          first.integer <= last.integer && last.integer < static_cast<std::int64_t>(slot_count);
    if (!is_range || master.kind != Kind::array || master.elements.size() < 2) return std::nullopt;
    const Reply& host = master.elements[0];
    const Reply& port = master.elements[1];
    if (port.kind != Kind::integer || port.integer < 1 || port.integer > 65'535) continue;
    if (!host.text.empty() && !is_host(host.text)) continue;
    Endpoint endpoint;
    endpoint.host = host.text.empty() ? said_by.host : host.text;
    endpoint.port = static_cast<std::uint16_t>(port.integer);
    auto found = std::find_if(map.masters_.begin(), map.masters_.end(),
                              [&endpoint](const Endpoint& one) { return same(one, endpoint); });
    if (map.masters_.size() == most_masters && found == map.masters_.end()) return std::nullopt;
    if (found == map.masters_.end()) found = map.masters_.insert(found, std::move(endpoint));
    std::fill(map.owners_.begin() + first.integer, map.owners_.begin() + last.integer + 1,
              static_cast<std::uint16_t>(found - map.masters_.begin()));
  }
  if (map.masters_.empty()) return std::nullopt;
  return map;
}

#if defined(CASCOR_CACHE_COMPILED)
template class SlotMap<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
