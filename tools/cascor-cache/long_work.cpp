#include "long_work.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <future>

#include "progress.hpp"

namespace tool {

void run_long(const Output& out, const std::string& label, std::uint64_t total, const std::function<void()>& work,
              const std::function<std::uint64_t()>& done) {
  using namespace std::chrono_literals;
  if (!out.error_terminal()) return work();
  // The first look is made before the work begins, which may keep others waiting.
  std::atomic<std::uint64_t> so_far{done ? done() : 0};
  std::future<void> finished = std::async(std::launch::async, work);
  const auto is_finished = [&](auto patience) { return finished.wait_for(patience) == std::future_status::ready; };
  std::future<void> looking;
  if (done) {
    looking = std::async(std::launch::async, [&] {
      try {
        while (!is_finished(100ms)) so_far = done();
      } catch (const std::exception&) {  // the work itself will tell, if it meets the same
      }
    });
  }
  {
    Progress progress{out, label, total};
    do {
      progress.at(so_far);
    } while (!is_finished(50ms));
  }
  if (looking.valid()) looking.get();
  finished.get();
}

}  // namespace tool
