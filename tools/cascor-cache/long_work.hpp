// A call that may take long, with a line that shows how far it is while it runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "output.hpp"

namespace tool {

/// Runs `work` on a thread of its own and waits for it; rethrows what it throws. Meanwhile Progress shows `label` and
/// what `done` gives, asked ten times a second on a thread of its own; null: only the time that has passed. `total` 0:
/// how much there is to do is not known. Where standard error is no terminal `work` is simply called.
void run_long(const Output& out, const std::string& label, std::uint64_t total, const std::function<void()>& work,
              const std::function<std::uint64_t()>& done = {});

}  // namespace tool
