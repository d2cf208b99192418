// Half of test_process_wide.py: a shared library that shows nothing of itself but these three functions.
#include <cascor/cache.hpp>

#define SHOWN extern "C" __attribute__((visibility("default")))

SHOWN const void* address() { return &cascor::get_cache_manager(); }
SHOWN void put(int value) { cascor::get_cache_manager().set("shared", value); }
SHOWN int take() { return cascor::get_cache_manager().get<int>("shared").value_or(-1); }
SHOWN void end() { cascor::shutdown_cache_manager(); }
SHOWN void refuse() { cascor::get_cache_manager().set("", 1); }
/// Does this library know an error that another one threw?
SHOWN bool knows(void (*call)()) {
  try {
    call();
  } catch (const cascor::DataError&) {
    return true;
  } catch (...) {
  }
  return false;
}
