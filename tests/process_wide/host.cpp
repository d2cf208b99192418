// The other half of test_process_wide.py: loads two libraries (`host global|local A B`) and prints what is not so.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  ++failures;
  std::printf("not so: %s\n", what);
}

struct Plugin {
  void* library;

  Plugin(const char* path, int how) : library{::dlopen(path, RTLD_NOW | how)} {
    if (library != nullptr) return;
    std::printf("%s\n", ::dlerror());
    std::exit(2);
  }
  template <class Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(library, name));
  }
  const void* address() const { return function<const void*()>("address")(); }
  void put(int value) const { function<void(int)>("put")(value); }
  int take() const { return function<int()>("take")(); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int how = std::strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
  const Plugin one{argv[2], how};
  const Plugin other{argv[3], how};
  expect(one.function<int()>("take") != other.function<int()>("take"), "there are two libraries");
  expect(one.address() == other.address(), "both have one cache");
  one.put(7);
  expect(other.take() == 7, "one reads what the other wrote");
  expect(other.function<bool(void (*)())>("knows")(one.function<void()>("refuse")), "an error keeps its type");
  other.function<void()>("end")();
  expect(one.take() == -1, "shut down by one, it is gone for both");
  one.put(8);
  expect(other.take() == 8, "and made anew for both");
  one.function<void()>("end")();
  return failures == 0 ? 0 : 1;
}
