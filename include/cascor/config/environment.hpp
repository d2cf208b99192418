// Environment variables, and what `${NAME}` stands for.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Environment variables by name. A map, so that a test or an application can hand in its own.
using Environment = std::map<std::string, std::string, std::less<>>;

/// The variables of this process now. As with `getenv`, no other thread may be changing them meanwhile.
CASCOR_CACHE_FN detail::Dependent<Environment, CascorWhenUsed> process_environment();

namespace detail {
/// What process_environment() gives. A template in both forms: calling it makes no map in programs that include this.
template <class CascorWhenUsed>
Dependent<Environment, CascorWhenUsed> environment_now();

/// `text` with `${NAME}` and `${NAME:default}` replaced. A default ends at the first '}' and may be empty; what a
/// variable holds is taken as it is. Throws ConfigError beginning with `place` for an unset variable without a default
/// and for what is not of this form.
CASCOR_CACHE_FN std::string expand_variables(std::string_view text, const Environment& environment,
                                             std::string_view place);
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/config/environment.ipp"
#endif
