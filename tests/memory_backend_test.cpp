// The memory tier's own parts: counts by prefix, and values that are kept as text, decoded, or both.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/memory/memory_backend.hpp"

using cascor::KeySpace;
using cascor::ManualClock;
using cascor::MemoryCacheOptions;
using cascor::Stats;
using cascor::weight_of;
using namespace cascor::detail;
using namespace std::chrono_literals;

namespace {

struct Tier {
  explicit Tier(std::size_t max_bytes = 1 << 20) : backend{options(max_bytes), MemoryObserver<>{counts}} {}

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<const KeySpace> keys = std::make_shared<const KeySpace>(
      "c:", std::array<std::string, 5>{"c:metrics:", "c:topology:", "c:session:", "c:history:", "c:control:"});
  std::shared_ptr<MemoryCounts<>> counts = std::make_shared<MemoryCounts<>>(keys);
  MemoryBackend<> backend;

  Stats stats() const {
    Stats stats;
    counts->add_to(stats);
    return stats;
  }

 private:
  MemoryCacheOptions options(std::size_t max_bytes) const {
    MemoryCacheOptions given;
    given.max_bytes = max_bytes;
    given.clock = clock;
    return given;
  }
};

StoredValue text(std::string bytes) { return StoredValue{std::make_shared<const std::string>(std::move(bytes))}; }

std::string encode_list(const void* form) {
  std::string bytes;
  for (const int one : *static_cast<const std::vector<int>*>(form)) bytes += std::to_string(one) + ',';
  return bytes;
}
StoredValue list(std::vector<int> values) {
  return {Form::of(std::make_shared<const std::vector<int>>(std::move(values))), &encode_list};
}

// Owns what weight_of does not know.
struct Opaque {
  std::unique_ptr<char[]> secret{};
};

}  // namespace

TEST_CASE("entries and bytes are counted under the prefix of their key, and as a whole") {
  Tier tier;
  tier.backend.set("c:metrics:1", text("one"));
  tier.backend.set("c:metrics:2", text(std::string(1'000, 'x')));
  tier.backend.set("c:topology:1", text("two"));
  tier.backend.set("c:x", text("three"));
  const Stats stats = tier.stats();
  CHECK(stats.prefixes.at("metrics").entries == 2);
  CHECK(stats.prefixes.at("topology").entries == 1);
  CHECK(stats.prefixes.at("other").entries == 1);
  CHECK(stats.prefixes.at("session").entries == 0);
  CHECK(stats.entries == 4);
  CHECK(stats.bytes == tier.backend.bytes());
  CHECK(stats.prefixes.at("metrics").bytes > 1'000);
  CHECK(stats.prefixes.at("metrics").bytes + stats.prefixes.at("topology").bytes + stats.prefixes.at("other").bytes ==
        stats.bytes);
}

TEST_CASE("an overwrite is one entry still; erased, expired and evicted ones are none") {
  Tier tier{5'000};
  tier.backend.set("c:metrics:1", text("one"));
  tier.backend.set("c:metrics:1", text("another"), 5ms);
  CHECK(tier.stats().prefixes.at("metrics").entries == 1);
  tier.clock->advance(5ms);
  CHECK_FALSE(tier.backend.get("c:metrics:1"));
  CHECK(tier.stats().prefixes.at("metrics").entries == 0);
  CHECK(tier.stats().prefixes.at("metrics").expirations == 1);
  for (int i = 0; i < 10; ++i) tier.backend.set("c:history:" + std::to_string(i), text(std::string(1'000, 'x')));
  CHECK(tier.stats().prefixes.at("history").evictions == tier.backend.stats().evictions);
  CHECK(tier.stats().prefixes.at("history").evictions >= 6);
  CHECK(tier.stats().evictions == tier.backend.stats().evictions);
  CHECK(tier.stats().entries == tier.backend.size());
  CHECK(tier.stats().bytes == tier.backend.bytes());
  tier.backend.erase("c:history:9");
  tier.backend.clear();
  CHECK(tier.stats().entries == 0);
  CHECK(tier.stats().bytes == 0);
  CHECK(tier.stats().evictions == tier.backend.stats().evictions);
}

TEST_CASE("counts add to what the caller has counted already") {
  Tier tier;
  tier.backend.set("c:metrics:1", text("one"));
  Stats stats;
  stats.hits = 3;
  stats.prefixes["metrics"].hits = 3;
  tier.counts->add_to(stats);
  CHECK(stats.hits == 3);
  CHECK(stats.prefixes.at("metrics").hits == 3);
  CHECK(stats.prefixes.at("metrics").entries == 1);
}

TEST_CASE("a removal that is told before its insertion shows as none, not as a number beyond counting") {
  Tier tier;
  tier.counts->removed("c:metrics:1", 100, Removal::erased);
  CHECK(tier.stats().entries == 0);
  CHECK(tier.stats().prefixes.at("metrics").bytes == 0);
  tier.counts->inserted("c:metrics:1", 100);
  tier.counts->inserted("c:metrics:2", 50);
  CHECK(tier.stats().entries == 1);
  CHECK(tier.stats().bytes == 50);
}

TEST_CASE("counts of many threads come to what is there") {
  Tier tier{40'000};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&tier, t] {
      for (int i = 0; i < 1'500; ++i) {
        const std::string key = (i % 2 == 0 ? "c:metrics:" : "c:history:") + std::to_string((i * 7 + t) % 60);
        if (i % 5 == 0) {
          tier.backend.erase(key);
        } else {
          tier.backend.set(key, text(std::string(static_cast<std::size_t>(i % 1'000), 'x')));
        }
        if (i % 50 == 0 && tier.stats().entries > 100'000) std::abort();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(tier.stats().entries == tier.backend.size());
  CHECK(tier.stats().bytes == tier.backend.bytes());
  tier.backend.clear();
  CHECK(tier.stats().entries == 0);
  CHECK(tier.stats().bytes == 0);
}

TEST_CASE("a value stored as bytes is those bytes, shared") {
  const auto bytes = std::make_shared<const std::string>("[1,2]");
  const StoredValue value{bytes};
  CHECK(value.bytes() == bytes);
  CHECK(value.form<std::vector<int>>() == nullptr);
  const StoredValue copy = value;
  CHECK(copy.bytes() == bytes);
}

TEST_CASE("a value stored decoded gives that very object, and its bytes when they are asked for") {
  const StoredValue value = list({1, 2});
  REQUIRE(value.form<std::vector<int>>() != nullptr);
  CHECK(*value.form<std::vector<int>>() == std::vector<int>{1, 2});
  CHECK(value.form<std::vector<int>>() == value.form<std::vector<int>>());
  CHECK(*value.bytes() == "1,2,");
}

TEST_CASE("a form is given out as its own type only") {
  const StoredValue value = list({1}).with(Form::of(std::make_shared<const double>(1.5)));
  CHECK(value.form<std::vector<int>>() != nullptr);
  CHECK(*value.form<double>() == 1.5);
  CHECK(value.form<float>() == nullptr);
  CHECK(value.form<std::vector<unsigned>>() == nullptr);
  CHECK(value.form<int>() == nullptr);
}

TEST_CASE("forms are added up to two; a third takes the second's place and never the one that the bytes come from") {
  const StoredValue first = list({1, 2});
  const StoredValue second = first.with(Form::of(std::make_shared<const double>(1.5)));
  const StoredValue third = second.with(Form::of(std::make_shared<const std::string>("one")));
  CHECK(first.form<double>() == nullptr);
  CHECK(second.form<double>() != nullptr);
  CHECK(third.form<double>() == nullptr);
  CHECK(*third.form<std::string>() == "one");
  CHECK(*third.bytes() == "1,2,");

  const StoredValue from_text =
      text("1").with(Form::of(std::make_shared<const int>(1))).with(Form::of(std::make_shared<const double>(1)));
  CHECK(*from_text.form<int>() == 1);
  CHECK(*from_text.form<double>() == 1.0);
  CHECK(*from_text.bytes() == "1");
}

TEST_CASE("a stored value weighs its bytes and each of its forms") {
  const std::size_t empty = weight_of(StoredValue{});
  CHECK(empty == sizeof(StoredValue));
  const StoredValue bytes = text(std::string(10'000, 'x'));
  CHECK(weight_of(bytes) == empty + cascor::heap_block(sizeof(std::string) + 16) + cascor::heap_block(10'001));
  CHECK(weight_of(text("short")) == empty + cascor::heap_block(sizeof(std::string) + 16));
  const StoredValue more = bytes.with(Form::of(std::make_shared<const std::vector<int>>(1'000)));
  CHECK(weight_of(more) ==
        weight_of(bytes) + cascor::heap_block(sizeof(std::vector<int>) + 16) + cascor::heap_block(4'000));
  CHECK(weight_of(more.with(Form::of(std::make_shared<const double>(1)))) == weight_of(more) + 32);
}

TEST_CASE("a form that may own more than weight_of knows is taken to own what it was made from") {
  const auto opaque = [] { return Form::of(std::make_shared<const Opaque>()); };
  const StoredValue bytes = text(std::string(10'000, 'x'));
  CHECK(weight_of(bytes.with(opaque())) >= weight_of(bytes) + 10'000);
  const StoredValue decoded = list(std::vector<int>(10'000));
  CHECK(weight_of(decoded.with(opaque())) >= weight_of(decoded) + 10'000);
}

TEST_CASE("the tier is charged for what a value weighs, and for a form that is added to it") {
  Tier tier;
  tier.backend.set("c:metrics:1", text(std::string(10'000, 'x')));
  const std::size_t before = tier.backend.bytes();
  CHECK(before > 10'000);
  const auto held = tier.backend.get("c:metrics:1");
  CHECK(
      tier.backend.replace("c:metrics:1", held, held->with(Form::of(std::make_shared<const std::vector<int>>(1'000)))));
  CHECK(tier.backend.bytes() > before + 4'000);
  CHECK(tier.backend.get("c:metrics:1")->bytes() == held->bytes());
  CHECK(tier.stats().bytes == tier.backend.bytes());
  CHECK(tier.stats().entries == 1);
}

TEST_CASE("a pattern removes what it matches under every prefix that it may reach, and looks at no other prefix") {
  Tier tier;
  const auto fill = [&tier] {
    for (const char* key : {"c:metrics:1", "c:metrics:2", "c:topology:1", "c:history:1", "c:x", "c:m"}) {
      tier.backend.set(key, text("value"));
    }
  };
  fill();
  CHECK(tier.backend.erase_matching("c:metrics:*") == 2);
  CHECK(tier.backend.size() == 4);
  fill();
  CHECK(tier.backend.erase_matching("c:m*") == 3);
  CHECK_FALSE(tier.backend.contains("c:m"));
  fill();
  CHECK(tier.backend.erase_matching("*1") == 3);
  fill();
  CHECK(tier.backend.erase_matching("c:[mt]*:1") == 2);
  fill();
  CHECK(tier.backend.erase_matching("c:*") == 6);
  CHECK(tier.backend.bytes() == 0);
  fill();
  CHECK(tier.backend.erase_matching("c:x") == 1);
  std::size_t looked_at = 0;
  const auto count = [&looked_at](std::string_view) { return ++looked_at == 0; };
  CHECK(tier.backend.erase_if(count, "c:metrics:") == 0);
  CHECK(looked_at == 2);
  tier.backend.clear();
  CHECK(tier.backend.erase_matching("*") == 0);
}

TEST_CASE("prefixes find their entries after overwrites, evictions, expiry and clears") {
  Tier tier{20'000};
  for (int i = 0; i < 3'000; ++i) {
    const std::string key = (i % 3 == 0 ? "c:metrics:" : "c:history:") + std::to_string(i % 70);
    if (i % 11 == 0) {
      tier.backend.erase(key);
    } else {
      tier.backend.set(key, text(std::string(static_cast<std::size_t>(i % 500), 'x')),
                       std::chrono::milliseconds{i % 7});
    }
    if (i % 5 == 0) tier.clock->advance(1ms);
    if (i % 1'000 == 500) tier.backend.clear();
    if (i % 97 == 0) {
      const auto held = tier.backend.keys_matching([](std::string_view one) { return one.starts_with("c:m"); }, 1'000);
      REQUIRE(tier.backend.erase_matching("c:metrics:*") == held.size());
      REQUIRE(tier.backend.erase_matching("c:metrics:*") == 0);
    }
  }
  CHECK(tier.backend.erase_matching("c:*") > 0);
  tier.backend.remove_expired();
  CHECK(tier.backend.size() == 0);
  CHECK(tier.stats().entries == 0);
}
