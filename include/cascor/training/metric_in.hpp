// One number out of a record's JSON text, without building the record: a curve of a million points is read so.
#pragma once

#include <string_view>

#include "cascor/codec/json.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The member of that name of the record, or else of its metrics: true with its value where that is a number, or with
/// NaN where it is null; false where there is none or it is something else. O(size of the text); allocates nothing for
/// text as encoders write it.
CASCOR_CACHE_FN bool metric_in(std::string_view record, std::string_view name, double& value);

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/metric_in.ipp"
#endif
