// What a server's TLS is like. The one file of this command that knows OpenSSL is tls_probe.cpp.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <cascor/core/clock.hpp>
#include <cascor/redis/options.hpp>

#include "tls_check.hpp"

namespace tool::doctor {

/// Shakes hands once and believes everything, so that a certificate that nobody should believe can be looked at.
TlsFacts probe_tls(const cascor::redis::Endpoint& endpoint, const cascor::TlsConfig& config, cascor::Deadline by);

}  // namespace tool::doctor
