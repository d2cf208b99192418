#include "long_work.hpp"

#include <chrono>
#include <future>

#include "progress.hpp"

namespace tool {

void run_long(const Output& out, const std::string& label, std::uint64_t total, const std::function<void()>& work,
              const std::function<std::uint64_t()>& done) {
  if (!out.error_terminal()) return work();
  std::future<void> finished = std::async(std::launch::async, work);
  {
    Progress progress{out, label, total};
    while (finished.wait_for(std::chrono::milliseconds{100}) != std::future_status::ready) {
      progress.at(done ? done() : 0);
    }
  }
  finished.get();
}

}  // namespace tool
