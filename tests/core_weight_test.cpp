// weight_of: what a value weighs, against what the allocator says, and how a program adds its own types.
#include <malloc.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allocator_support.hpp"
#include "cascor/core/weight.hpp"

namespace mine {

struct Picture {
  std::size_t pixels = 0;
};
inline std::size_t weight_of(const Picture& picture) { return sizeof picture + picture.pixels * 4; }

struct Sound {
  std::size_t samples = 0;
};

struct Plain {
  double a = 0;
  double b = 0;
};

}  // namespace mine

template <>
inline std::size_t cascor::weight_of<mine::Sound>(const mine::Sound& sound) noexcept {
  return sizeof sound + sound.samples * 2;
}

using cascor::heap_block;
using cascor::weight_of;

namespace {

#define CHECK_HEAP_OF(...)                                                                 \
  do {                                                                                     \
    const auto make = [] { return __VA_ARGS__; };                                          \
    const double said = static_cast<double>(weight_of(make()) - sizeof(decltype(make()))); \
    CHECK(said == Approx(heap_bytes_of(make)).epsilon(0.03).margin(8));                    \
  } while (false)

}  // namespace

TEST_CASE("a block weighs what the allocator takes for it") {
  CHECK(heap_block(0) == 0);
  CHECK(heap_block(1) == 32);
  CHECK(heap_block(24) == 32);
  CHECK(heap_block(25) == 48);
  CHECK(heap_block(100) == 112);
  if (!allocator_is_glibc()) return;
  for (std::size_t size = 1; size < 2'000; ++size) {
    const std::unique_ptr<char[]> block{new char[size]};
    const std::size_t chunk = malloc_usable_size(block.get()) + sizeof(std::size_t);
    if (heap_block(size) > chunk || heap_block(size) + 16 < chunk) FAIL(size << ": " << chunk);
  }
}

TEST_CASE("values that own nothing weigh their size") {
  CHECK(weight_of(1) == sizeof(int));
  CHECK(weight_of(mine::Plain{}) == sizeof(mine::Plain));
  CHECK(weight_of(std::optional<int>{}) == sizeof(std::optional<int>));
  CHECK(weight_of(std::pair<int, double>{}) == sizeof(std::pair<int, double>));
  CHECK(weight_of(std::unique_ptr<int>{}) == sizeof(void*));
}

TEST_CASE("a string weighs its heap block, and none while it is short") {
  CHECK(weight_of(std::string{}) == sizeof(std::string));
  CHECK(weight_of(std::string(15, 'x')) == sizeof(std::string));
  CHECK(weight_of(std::string(16, 'x')) == sizeof(std::string) + heap_block(17));
  CHECK(weight_of(std::u32string(100, U'x')) == sizeof(std::u32string) + heap_block(404));
  std::string reserved;
  reserved.reserve(1000);
  CHECK(weight_of(reserved) == sizeof(std::string) + heap_block(1001));
}

TEST_CASE("what values own weighs what the allocator gave for it") {
  if (!allocator_is_glibc()) return;
  CHECK_HEAP_OF(std::string(5'000, 'x'));
  CHECK_HEAP_OF(std::vector<double>(1'000));
  CHECK_HEAP_OF(std::vector<bool>(80'000, true));
  CHECK_HEAP_OF(std::vector<std::string>(100, std::string(200, 'x')));
  CHECK_HEAP_OF(std::vector<std::vector<int>>(50, std::vector<int>(50)));
  CHECK_HEAP_OF(std::make_shared<std::string>(500, 'x'));
  CHECK_HEAP_OF(std::make_unique<std::vector<double>>(500));
  CHECK_HEAP_OF(std::optional<std::string>{std::string(500, 'x')});
  CHECK_HEAP_OF(std::pair<std::string, std::vector<int>>{std::string(500, 'x'), std::vector<int>(500)});
}

TEST_CASE("maps and sets weigh their nodes and what those own") {
  if (!allocator_is_glibc()) return;
  CHECK_HEAP_OF([] {
    std::map<std::string, std::vector<double>> map;
    for (int i = 0; i < 100; ++i) map["a key that is rather long " + std::to_string(i)].resize(20);
    return map;
  }());
  CHECK_HEAP_OF([] {
    std::unordered_map<std::string, int> map;
    for (int i = 0; i < 1'000; ++i) map["a key that is rather long " + std::to_string(i)] = i;
    return map;
  }());
  CHECK_HEAP_OF([] {
    std::set<int> set;
    for (int i = 0; i < 1'000; ++i) set.insert(i);
    return set;
  }());
}

TEST_CASE("standard types count what is inside of each other, in any order of nesting") {
  const std::string text(100, 'x');
  const std::size_t heap = heap_block(101);
  CHECK(weight_of(std::vector<std::optional<std::string>>(1, text)) ==
        sizeof(std::vector<int>) + heap_block(sizeof(std::optional<std::string>)) + heap);
  CHECK(weight_of(std::vector<std::pair<std::string, std::string>>(1, {text, text})) ==
        sizeof(std::vector<int>) + heap_block(2 * sizeof text) + 2 * heap);
  CHECK(weight_of(std::vector<std::shared_ptr<std::string>>(1, std::make_shared<std::string>(text))) ==
        sizeof(std::vector<int>) + heap_block(sizeof(std::shared_ptr<int>)) + heap_block(sizeof text + 16) + heap);
  CHECK(weight_of(std::optional<std::pair<int, std::unique_ptr<std::string>>>{std::in_place, 1,
                                                                              std::make_unique<std::string>(text)}) ==
        sizeof(std::optional<std::pair<int, void*>>) + heap_block(sizeof text) + heap);
}

TEST_CASE("pointers to arrays, to nothing and to void can be weighed") {
  CHECK(weight_of(std::unique_ptr<int[]>{}) == sizeof(void*));
  CHECK(weight_of(std::shared_ptr<void>{}) == 2 * sizeof(void*));
  CHECK(weight_of(std::shared_ptr<std::string>{}) == 2 * sizeof(void*));
}

TEST_CASE("a program's own type is weighed by an overload in its namespace, also inside of standard types") {
  const mine::Picture picture{1000};
  CHECK(weight_of(picture) == sizeof picture + 4000);
  CHECK(weight_of(std::optional<mine::Picture>{picture}) == sizeof(std::optional<mine::Picture>) + 4000);
  CHECK(weight_of(std::make_shared<mine::Picture>(picture)) ==
        2 * sizeof(void*) + heap_block(sizeof picture + 16) + 4000);
  CHECK(weight_of(std::map<int, mine::Picture>{}) == sizeof(std::map<int, mine::Picture>));
}

TEST_CASE("a type of somebody else's is weighed by a specialisation, also inside of standard types") {
  const mine::Sound sound{1000};
  CHECK(weight_of(sound) == sizeof sound + 2000);
  CHECK(weight_of(std::optional<mine::Sound>{sound}) == sizeof(std::optional<mine::Sound>) + 2000);
  CHECK(weight_of(std::pair<int, mine::Sound>{1, sound}) == sizeof(std::pair<int, mine::Sound>) + 2000);
}
