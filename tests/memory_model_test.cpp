// MemoryCache against an obvious model with exact LRU order: random operations, every answer and every count compared.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/core/glob.hpp"
#include "cascor/memory_cache.hpp"

using cascor::ManualClock;
using cascor::MemoryCache;
using cascor::MemoryCacheOptions;
using cascor::milliseconds;
using cascor::TimePoint;
using namespace std::chrono_literals;

namespace {

using Cache = MemoryCache<std::string>;

// What an entry is charged is the cache's to say; the model asks another one, which holds nothing else.
std::size_t charge_of(std::string_view key, const std::string& value, bool ends) {
  Cache probe;
  probe.set(key, value, ends ? milliseconds{1'000} : 0ms);
  return probe.bytes();
}

// Newest first; the whole of it is walked for everything.
class Model {
 public:
  Model(std::size_t max_bytes, std::shared_ptr<const ManualClock> clock)
      : max_bytes_{max_bytes}, clock_{std::move(clock)} {}

  bool set(const std::string& key, const std::string& value, milliseconds ttl) {
    const auto now = clock_->now();
    return put(key, value, ttl == 0ms ? TimePoint::max() : now + ttl);
  }
  std::optional<std::string> get(const std::string& key) {
    const auto entry = live(key);
    if (entry == entries_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->value;
  }
  bool contains(const std::string& key) { return live(key) != entries_.end(); }
  bool erase(const std::string& key) {
    const auto entry = live(key);
    if (entry == entries_.end()) return false;
    remove(entry);
    return true;
  }
  std::size_t erase_matching(std::string_view pattern) {
    std::size_t alive = 0;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto at = entry++;
      if (!cascor::glob_match(pattern, at->key)) continue;
      ++(expired(*at) ? expirations : alive);
      remove(at);
    }
    return alive;
  }
  bool replace(const std::string& key, const std::string& value) {
    const auto entry = find(key);
    if (entry == entries_.end() || expired(*entry)) return false;
    if (charge_of(key, value, entry->expires != TimePoint::max()) > max_bytes_) {
      ++refusals;
      return false;
    }
    return put(key, value, entry->expires);
  }
  void clear() {
    entries_.clear();
    bytes = 0;
  }
  // A cache removes a few with each operation; which ones it finds on the way is not what is compared here.
  void remove_expired() {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto at = entry++;
      if (!expired(*at)) continue;
      ++expirations;
      remove(at);
    }
  }
  std::size_t size() const { return entries_.size(); }

  std::size_t bytes = 0;
  std::size_t evictions = 0;
  std::size_t expirations = 0;
  std::size_t refusals = 0;

 private:
  struct Entry {
    std::string key;
    std::string value;
    std::size_t charge;
    TimePoint expires;
  };
  using Entries = std::list<Entry>;

  bool put(const std::string& key, const std::string& value, TimePoint expires) {
    const std::size_t charge = charge_of(key, value, expires != TimePoint::max());
    if (charge > max_bytes_) {
      ++refusals;
      erase(key);
      return false;
    }
    auto old = find(key);
    if (old != entries_.end()) entries_.splice(entries_.begin(), entries_, old);
    while (bytes - (old != entries_.end() ? old->charge : 0) + charge > max_bytes_) {
      const auto last = first_to_go();
      ++(expired(*last) ? expirations : evictions);
      if (last == old) old = entries_.end();
      remove(last);
    }
    if (old != entries_.end()) {
      if (expired(*old)) ++expirations;
      remove(old);
    }
    entries_.push_front({key, value, charge, expires});
    bytes += charge;
    return true;
  }
  // The one that expired first, if any has.
  Entries::iterator first_to_go() {
    auto first = std::prev(entries_.end());
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (expired(*entry) && (!expired(*first) || entry->expires < first->expires)) first = entry;
    }
    return first;
  }
  Entries::iterator find(const std::string& key) {
    auto at = entries_.begin();
    while (at != entries_.end() && at->key != key) ++at;
    return at;
  }
  Entries::iterator live(const std::string& key) {
    const auto at = find(key);
    if (at == entries_.end() || !expired(*at)) return at;
    ++expirations;
    remove(at);
    return entries_.end();
  }
  bool expired(const Entry& entry) const { return entry.expires <= clock_->now(); }
  void remove(Entries::iterator at) {
    bytes -= at->charge;
    entries_.erase(at);
  }

  Entries entries_;
  std::size_t max_bytes_;
  std::shared_ptr<const ManualClock> clock_;
};

class Run {
 public:
  Run(std::uint32_t seed, std::size_t max_bytes) : max_bytes_{max_bytes}, random_{seed} {}

  // Throws by REQUIRE at the first step that differs.
  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      INFO("step " << i);
      step();
      cache_.remove_expired();
      model_.remove_expired();
      REQUIRE(cache_.bytes() == model_.bytes);
      REQUIRE(cache_.size() == model_.size());
      REQUIRE(cache_.bytes() <= max_bytes_);
      const auto stats = cache_.stats();
      REQUIRE(stats.evictions == model_.evictions);
      REQUIRE(stats.expirations == model_.expirations);
      REQUIRE(stats.refusals == model_.refusals);
    }
    REQUIRE(cache_.erase_matching("*") == model_.erase_matching("*"));
    REQUIRE(cache_.bytes() == 0);
    REQUIRE(cache_.size() == 0);
  }

 private:
  void step() {
    const std::string key = "key" + std::to_string(up_to(24));
    const auto kind = up_to(99);
    if (kind < 40) {
      const std::string value(value_size(), static_cast<char>('a' + up_to(25)));
      const auto ttl = up_to(2) == 0 ? milliseconds{1 + up_to(30)} : 0ms;
      // A copy of its own: one that is made in place is charged for the buffer that it found there.
      REQUIRE(cache_.set(key, std::string{value}, ttl) == model_.set(key, value, ttl));
    } else if (kind < 75) {
      const auto hit = cache_.get(key);
      const auto expected = model_.get(key);
      REQUIRE(static_cast<bool>(hit) == expected.has_value());
      if (hit) REQUIRE(*hit == *expected);
    } else if (kind < 80) {
      REQUIRE(cache_.contains(key) == model_.contains(key));
    } else if (kind < 86) {
      REQUIRE(cache_.erase(key) == model_.erase(key));
    } else if (kind < 92) {
      clock_->advance(milliseconds{up_to(8)});
    } else if (kind < 97) {
      const auto hit = cache_.get(key);
      REQUIRE(static_cast<bool>(hit) == model_.get(key).has_value());
      clock_->advance(milliseconds{up_to(3)});
      const std::string value(value_size(), 'r');
      if (hit) REQUIRE(cache_.replace(key, hit, value) == model_.replace(key, value));
    } else if (kind < 99) {
      const std::string pattern = up_to(1) == 0 ? "key1*" : "*[0-3]";
      REQUIRE(cache_.erase_matching(pattern) == model_.erase_matching(pattern));
    } else {
      cache_.clear();
      model_.clear();
    }
  }
  std::size_t value_size() { return up_to(60) == 0 ? up_to(2 * max_bytes_) : up_to(max_bytes_ / 8); }
  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>{0, most}(random_); }
  MemoryCacheOptions options() const {
    MemoryCacheOptions given;
    given.max_bytes = max_bytes_;
    given.clock = clock_;
    return given;
  }

  std::size_t max_bytes_;
  std::mt19937 random_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  Cache cache_{options()};
  Model model_{max_bytes_, clock_};
};

}  // namespace

TEST_CASE("random operations on one shard give what a plain LRU list gives: answers, order, bytes and counts") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    for (const std::size_t max_bytes : {700U, 4'000U, 40'000U}) {
      CAPTURE(max_bytes);
      Run{seed, max_bytes}.steps(400);
    }
  }
}

TEST_CASE("on many shards, of either policy, answers are never wrong and the bytes come to nothing at the end") {
  for (const auto eviction : {cascor::Eviction::lru, cascor::Eviction::s3fifo}) {
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(seed);
      std::mt19937 random{seed};
      const auto up_to = [&random](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>{0, most}(random);
      };
      constexpr std::size_t max_bytes = 30'000;
      Cache cache{{.max_bytes = max_bytes, .eviction = eviction, .shards = std::size_t{1} << (seed % 5)}};
      std::map<std::string, std::string> written;
      for (int i = 0; i < 4'000; ++i) {
        const std::string key = std::to_string(up_to(150));
        if (up_to(1) == 0) {
          const std::string value(up_to(25) == 0 ? up_to(20'000) : up_to(800), static_cast<char>('a' + up_to(25)));
          REQUIRE(cache.set(key, value));
          written[key] = value;
          REQUIRE(cache.get(key));
        } else if (up_to(20) == 0) {
          cache.erase(key);
          written.erase(key);
        } else if (const auto hit = cache.get(key)) {
          REQUIRE(written.count(key) == 1);
          REQUIRE(*hit == written[key]);
        }
        REQUIRE(cache.bytes() <= max_bytes);
      }
      for (int i = 0; i <= 150; ++i) cache.erase(std::to_string(i));
      REQUIRE(cache.size() == 0);
      REQUIRE(cache.bytes() == 0);
    }
  }
}
