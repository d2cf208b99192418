#pragma once

#include "cascor/redis/batch.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF bool Answer::fits(const Reply& reply) const noexcept {
  switch (reply.kind) {
    case Reply::Kind::error: return true;
    case Reply::Kind::nil: return kind == any || kind == string || kind == status_or_nil;
    case Reply::Kind::status: return kind == any || kind == status || kind == status_or_nil;
    case Reply::Kind::string: return kind == any || kind == string;
    case Reply::Kind::integer: return kind == any || kind == integer;
    case Reply::Kind::array:
      return kind == any || (kind == array && (elements == 0 || elements == reply.elements.size()));
  }
  return false;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
